{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with active as (
  {{ active_users('event_hour', in_periods(hours)) | indent(2) }}
)

select
  {{ date_of('period_start') }} as event_date,
  period_start as event_hour,
  dimension,
  member,
  users
from active
