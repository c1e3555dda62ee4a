{{ config(
  meta={'replaces': {'period': 'chart_week', 'column': 'week_start', 'back': 1}},
  partition_by=by_day('week_start'), cluster_by=['rule_set', 'song_key'],
  post_hook="{{ mark_built() }}"
) }}
{%- set weeks = changed_periods() %}

with days as (
  select
    *,
    {{ week_of('chart_date', '(select max(rules.week_anchor) from ' ~ ref('chart_rules') ~ ' as rules)') }} as week_start
  from {{ ref('chart_day_units') }}
  where {{ days_in_periods(weeks, 'chart_week', 'chart_date') }} and charted_plays > 0
)

select
  rule_set,
  week_start,
  song_key,
  max(artist_key) as artist_key,
  cast(sum(charted_plays) as bigint) as charted_plays,
  cast(sum(points) as bigint) as points,
  max(last_played_at) as last_played_at
from days
group by rule_set, week_start, song_key
