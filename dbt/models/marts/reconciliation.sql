{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(),
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() -%}
{%- set days = changed_periods('day') %}

with receipted as (
  select object_name
  from {{ ref('lake_objects') }}
  where
    kind in ('data', 'song_counts', 'user_activity')
    and {{ in_calendar() }}
    and {{ in_periods(days, 'day') }}
),

streamed_songs as (
  select
    {{ start_of_hour('pane_start') }} as event_hour,
    artist,
    song,
    level,
    sum(plays) as plays
  from {{ ref('stg_song_counts') }}
  where
    {{ in_periods(days, 'day') }}
    and lake_object in (select receipted.object_name from receipted)
  group by event_hour, artist, song, level
),

recounted_songs as (
  select
    event_hour,
    artist,
    song,
    level,
    count(*) as plays
  from {{ ref('stg_listen_events') }}
  where {{ in_lake_hours(hours) }} and lake_object in (select receipted.object_name from receipted)
  group by event_hour, artist, song, level
),

songs as (
  select
    coalesce(streamed.event_hour, recounted.event_hour) as event_hour,
    coalesce(streamed.plays, 0) as streamed,
    coalesce(recounted.plays, 0) as recounted
  from (
    select * from streamed_songs
    {%- if hours is not none %}
    where {{ 'false' if hours == [] else "event_hour in (timestamp '" ~ hours | join("', timestamp '") ~ "')" }}
    {%- endif %}
  ) as streamed
  full outer join recounted_songs as recounted
    on
      streamed.event_hour = recounted.event_hour
      and coalesce(streamed.artist, chr(30)) = coalesce(recounted.artist, chr(30))
      and coalesce(streamed.song, chr(30)) = coalesce(recounted.song, chr(30))
      and coalesce(streamed.level, chr(30)) = coalesce(recounted.level, chr(30))
),

streamed_users as (
  select distinct
    {{ start_of_hour('pane_start') }} as event_hour,
    user_id,
    coalesce(level, chr(30)) as level,
    coalesce(gender, chr(30)) as gender,
    coalesce(state, chr(30)) as state
  from {{ ref('stg_user_activity') }}
  where
    {{ in_periods(days, 'day') }}
    and user_id is not null
    and lake_object in (select receipted.object_name from receipted)
),

recounted_users as (
  select distinct
    event_hour,
    user_id,
    coalesce(level, chr(30)) as level,
    coalesce(gender, chr(30)) as gender,
    coalesce(state, chr(30)) as state
  from {{ ref('user_spans') }}
  where {{ in_periods(hours) }}
),

users as (
  select
    coalesce(streamed.event_hour, recounted.event_hour) as event_hour,
    case when streamed.user_id is null then 0 else 1 end as streamed,
    case when recounted.user_id is null then 0 else 1 end as recounted
  from (
    select * from streamed_users
    {%- if hours is not none %}
    where {{ 'false' if hours == [] else "event_hour in (timestamp '" ~ hours | join("', timestamp '") ~ "')" }}
    {%- endif %}
  ) as streamed
  full outer join recounted_users as recounted
    on
      streamed.event_hour = recounted.event_hour
      and streamed.user_id = recounted.user_id
      and streamed.level = recounted.level
      and streamed.gender = recounted.gender
      and streamed.state = recounted.state
),

compared as (
  select
    event_hour,
    'song_counts' as count_table,
    streamed,
    recounted
  from songs
  union all
  select
    event_hour,
    'user_activity' as count_table,
    streamed,
    recounted
  from users
)

select
  {{ date_of('event_hour') }} as event_date,
  event_hour,
  count_table,
  cast(sum(streamed) as bigint) as streamed,
  cast(sum(recounted) as bigint) as recounted,
  cast(sum(streamed) - sum(recounted) as bigint) as difference,
  count(case when streamed != recounted then 1 end) as differing_groups
from compared
group by event_date, event_hour, count_table
