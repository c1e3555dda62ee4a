{{ config(
  meta={'replaces': {'period': 'chart_week', 'column': 'week_start', 'back': 1}},
  partition_by=by_day('week_start'), cluster_by=['rule_set', 'song_key'],
  post_hook="{{ mark_built() }}"
) }}
{%- set weeks = changed_periods() %}

with week_units as (
  select
    rule_set,
    week_start,
    song_key,
    cast(sum(charted_plays) as bigint) as charted_plays,
    cast(sum(points) as bigint) as points,
    max(last_played_at) as last_played_at
  from {{ ref('chart_week_units') }}
  where {{ in_periods(weeks, 'chart_week', 'week_start', 'week_start') }}
  group by rule_set, week_start, song_key
)

{{ ranked('week_units', 'week_start', 'song_key', ['names.artistName', 'names.title']) }}
