{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'month', 'column': 'month_start'}},
  partition_by=by_day('month_start'), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}

{{ active_users_of_periods(month_of('event_date'), 'month', 'month_start') }}
