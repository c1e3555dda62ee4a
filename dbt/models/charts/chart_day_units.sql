{{ config(
  meta={'replaces': {'period': 'day', 'column': 'chart_date', 'back': 1}},
  partition_by=by_day('chart_date'), cluster_by=['rule_set', 'song_key'],
  post_hook="{{ mark_built() }}"
) }}
{%- set days = changed_periods() %}

with limits as (
  select distinct
    min_listened_ms,
    max_plays_per_listener_day
  from {{ ref('chart_rules') }}
),

counted as (
  select
    limits.min_listened_ms,
    limits.max_plays_per_listener_day,
    plays.event_date,
    plays.song_key,
    plays.artist_key,
    plays.level,
    plays.ts,
    -- Whom no play names is told apart by the session; where there is none either, nothing says that two plays are of one.
    plays.user_id is null and plays.session_id is null as is_of_nobody,
    row_number() over (
      partition by
        limits.min_listened_ms,
        limits.max_plays_per_listener_day,
        plays.event_date,
        plays.song_key,
        plays.user_id,
        case when plays.user_id is null then plays.session_id end
      order by
        plays.ts asc, plays.session_id asc nulls last, plays.item_in_session asc nulls last,
        plays.kafka_epoch asc, plays.kafka_partition asc, plays.kafka_offset asc
    ) as nth_play
  from {{ ref('plays') }} as plays
  inner join limits on plays.listened_ms >= limits.min_listened_ms
  where {{ in_periods(days, 'day') | replace('event_date', 'plays.event_date') }}
),

by_level as (
  select
    min_listened_ms,
    max_plays_per_listener_day,
    event_date,
    song_key,
    level,
    max(artist_key) as artist_key,
    count(*) as counted_plays,
    count(case when is_of_nobody or nth_play <= max_plays_per_listener_day then 1 end) as charted_plays,
    max(ts) as last_played_at
  from counted
  group by min_listened_ms, max_plays_per_listener_day, event_date, song_key, level
)

select
  rules.rule_set,
  by_level.event_date as chart_date,
  by_level.song_key,
  max(by_level.artist_key) as artist_key,
  cast(sum(by_level.counted_plays) as bigint) as counted_plays,
  cast(sum(by_level.charted_plays) as bigint) as charted_plays,
  cast(sum(by_level.charted_plays * rules.points) as bigint) as points,
  max(by_level.last_played_at) as last_played_at
from by_level
inner join {{ ref('chart_rules') }} as rules
  on
    by_level.level = rules.level
    and by_level.min_listened_ms = rules.min_listened_ms
    and by_level.max_plays_per_listener_day = rules.max_plays_per_listener_day
group by rules.rule_set, by_level.event_date, by_level.song_key
