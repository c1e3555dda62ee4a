{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'monday_week', 'column': 'week_start'}},
  partition_by=by_day('week_start'), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}

{{ active_users_of_periods(monday_of('event_date'), 'monday_week', 'week_start') }}
