{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

select
  event_date,
  event_hour,
  ts as submitted_at,
  user_id,
  session_id,
  item_in_session,
  -- The event tells the level before the change.
  level as from_level,
  case level when 'free' then 'paid' when 'paid' then 'free' end as to_level,
  case level when 'free' then 'upgrade' when 'paid' then 'downgrade' end as change,
  kafka_epoch,
  kafka_partition,
  kafka_offset
from {{ ref('events') }}
where {{ in_periods(hours) }} and source_table = 'status_change_events' and copy_number = 1
