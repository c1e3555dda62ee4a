{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'day', 'column': 'event_date', 'back': 1}},
  partition_by=by_day(),
  post_hook="{{ mark_built() }}"
) }}
{%- set days = changed_periods() %}

select
  event_date,
  count(distinct case when guest_pages > 0 then session_id end) as guests,
  count(distinct case when registrations > 0 then user_id end) as registered,
  count(distinct case when upgrades > 0 then user_id end) as paid,
  count(distinct case when downgrades > 0 then user_id end) as downgraded,
  count(distinct case when cancellations > 0 then user_id end) as cancelled
from {{ ref('session_hours') }}
where {{ in_periods(days, 'day') }}
group by event_date
