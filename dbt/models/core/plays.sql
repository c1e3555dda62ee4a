{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date', 'back': 1}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{#- A play's end is its session's next event, so an hour's plays need the hour after it, too. -#}
{%- set hours = changed_periods() -%}
{%- set hours_read = changed_periods(back=1, forward=1) %}
{%- do check_play_rules() %}

with receipted as (
  select object_name
  from {{ ref('lake_objects') }}
  where kind = 'data' and table_name = 'listen_events' and {{ in_calendar() }} and {{ in_periods(hours) }}
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
    -- Bounded first: a record may hold any number, and not all are whole numbers of milliseconds that fit.
    case
      when numbered.duration is not null
        then cast(round(least(greatest(numbered.duration, 0), {{ var('max_song_ms') }} / 1000) * 1000) as bigint)
    end as length_ms
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
    -- Without a next event the song was heard to its end. One that comes later than any song ends is none, and need not
    -- be read.
    case
      when gap_ms is null or gap_ms > {{ var('max_song_ms') }} then coalesce(length_ms, 0)
      else least(gap_ms, coalesce(length_ms, gap_ms))
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
  {{ ratio(millionths('heard.lat', 90), '1000000') }} as lat,
  {{ ratio(millionths('heard.lon', 180), '1000000') }} as lon,
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
