{{ config(
  meta={'replaces': {'period': 'day', 'column': 'chart_date', 'back': 1}},
  partition_by=by_day('chart_date'), cluster_by=['rule_set', 'song_key'],
  post_hook="{{ mark_built() }}"
) }}
{%- set days = changed_periods() %}

with day_units as (
  select *
  from {{ ref('chart_day_units') }}
  where {{ in_periods(days, 'day', 'chart_date', 'chart_date') }} and charted_plays > 0
)

{{ ranked('day_units', 'chart_date', 'song_key', ['names.artistName', 'names.title']) }}
