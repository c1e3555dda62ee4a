{{ config(
  meta={'replaces': {'period': 'day', 'column': 'event_date', 'back': 1}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set days = changed_periods() %}

with ordered as (
  select
    *,
    row_number() over (partition by user_id, event_date order by event_hour desc, span_number desc) as from_last
  from {{ ref('user_spans') }}
  where {{ in_periods(days, 'day') }}
),

present as (
  select
    event_date,
    user_id,
    max(case when from_last = 1 then level end) as level,
    max(case when from_last = 1 then gender end) as gender,
    max(case when from_last = 1 then state end) as state,
    min(registration) as registration,
    min(first_at) as first_at,
    max(last_at) as last_at,
    cast(sum(events) as bigint) as events
  from ordered
  group by event_date, user_id
),

listened as (
  select
    event_date,
    user_id,
    count(*) as plays,
    count(case when is_counted then 1 end) as counted_plays,
    cast(sum(listened_ms) as bigint) as listened_ms
  from {{ ref('plays') }}
  where {{ in_periods(days, 'day') }} and user_id is not null
  group by event_date, user_id
)

select
  present.*,
  coalesce(listened.plays, 0) as plays,
  coalesce(listened.counted_plays, 0) as counted_plays,
  coalesce(listened.listened_ms, 0) as listened_ms
from present
left join listened on present.user_id = listened.user_id and present.event_date = listened.event_date
