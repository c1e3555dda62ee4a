{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'day', 'column': 'event_date'}},
  partition_by=by_day(), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}
{%- set days = changed_periods() %}

with active as (
  {{ active_users('event_date', in_periods(days, 'day')) | indent(2) }}
)

select
  period_start as event_date,
  dimension,
  member,
  users
from active
