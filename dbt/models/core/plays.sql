{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date', 'back': 1}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{#- A play's end is its session's next event, so an hour's plays need the hour after it, too. -#}
{%- set hours = changed_periods() -%}
{%- set hours_read = changed_periods(back=1, forward=1) %}

with receipted as (
  select object_name
  from {{ ref('lake_objects') }}
  where kind = 'data' and table_name = 'listen_events' and {{ in_periods(hours) }}
),

records as {{ inlined() }} (
  select *
  from {{ ref('stg_listen_events') }}
  where {{ in_lake_hours(hours) }} and lake_object in (select receipted.object_name from receipted)
),

{{ numbered_copies() }},

places as (
  select distinct
    session_id,
    item_in_session,
    ts
  from {{ ref('events') }}
  where {{ in_periods(hours_read) }} and session_id is not null and item_in_session is not null
),

sequence as (
  select
    session_id,
    item_in_session,
    ts,
    lead(ts) over (partition by session_id order by ts, item_in_session) as next_ts
  from places
),

measured as (
  select
    numbered.*,
    {{ ms_between('numbered.ts', 'sequence.next_ts') }} as gap_ms,
    least(cast(round(numbered.duration * 1000) as bigint), {{ var('max_song_ms') }}) as length_ms
  from numbered
  left join sequence
    on
      numbered.session_id = sequence.session_id
      and numbered.item_in_session = sequence.item_in_session
      and numbered.ts = sequence.ts
  where numbered.copy_number = 1
),

heard as (
  select
    *,
    -- Without a next event the song was heard to its end; without a length, at most the longest a song may be.
    case
      when gap_ms is null then coalesce(length_ms, 0)
      else least(gap_ms, coalesce(length_ms, {{ var('max_song_ms') }}))
    end as listened_ms
  from measured
),

headline as (
  select max(min_listened_ms) as min_listened_ms
  from {{ ref('chart_rules') }}
  where rule_set = '{{ var("headline_rules") }}'
)

select
  heard.event_date,
  heard.event_hour,
  heard.ts,
  heard.user_id,
  heard.session_id,
  heard.item_in_session,
  heard.level,
  heard.gender,
  heard.city,
  heard.zip,
  heard.state,
  heard.lat,
  heard.lon,
  heard.artist,
  heard.song,
  heard.length_ms,
  heard.listened_ms,
  heard.listened_ms >= headline.min_listened_ms as is_counted,
  {{ key_of(['heard.artist', 'heard.song']) }} as song_key,
  {{ key_of(['heard.artist']) }} as artist_key,
  {{ location_key('heard') }} as location_key,
  heard.kafka_epoch,
  heard.kafka_partition,
  heard.kafka_offset
from heard
cross join headline
