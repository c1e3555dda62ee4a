{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date', 'back': 1}},
  partition_by=by_day(),
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

select
  event_date,
  event_hour,
  count(*) as plays,
  count(case when is_counted then 1 end) as counted_plays,
  count(distinct user_id) as listeners,
  cast(sum(listened_ms) as bigint) as listened_ms
from {{ ref('plays') }}
where {{ in_periods(hours) }}
group by event_date, event_hour
