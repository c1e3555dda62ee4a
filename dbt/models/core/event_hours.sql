{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(),
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

select
  event_date,
  event_hour,
  source_table,
  count(*) as records,
  count(case when copy_number > 1 then 1 end) as duplicates,
  count(case when user_id is null then 1 end) as without_user,
  count(case when session_id is null then 1 end) as without_session,
  count(case when level is null then 1 end) as without_level
from {{ ref('events') }}
where {{ in_periods(hours) }}
group by event_date, event_hour, source_table
