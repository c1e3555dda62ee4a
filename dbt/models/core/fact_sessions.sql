{{ config(
  meta={'replaces': {'period': 'key', 'column': 'session_id', 'back': 1}},
  partition_by=by_day('started_on'), cluster_by=['session_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with slices as (
  select *
  from {{ ref('session_hours') }}
  where
    {{ days_of_sessions(hours, ref('session_hours')) }}
    and {{ touched('session_id', ref('session_hours'), hours) }}
)

select
  session_id,
  {{ date_of('min(first_at)') }} as started_on,
  min(first_at) as started_at,
  max(last_at) as ended_at,
  {{ ms_between('min(first_at)', 'max(last_at)') }} as length_ms,
  max(user_id) as user_id,
  {{ first_known('first_level', 'event_hour') }} as first_level,
  {{ last_known('last_level', 'event_hour') }} as last_level,
  max(state) as state,
  cast(sum(page_views) as bigint) as page_views,
  cast(sum(plays) as bigint) as plays,
  cast(sum(counted_plays) as bigint) as counted_plays,
  cast(sum(listened_ms) as bigint) as listened_ms,
  cast(sum(guest_pages) as bigint) as guest_pages,
  cast(sum(registrations) as bigint) as registrations,
  cast(sum(upgrades) as bigint) as upgrades,
  cast(sum(downgrades) as bigint) as downgrades,
  cast(sum(cancellations) as bigint) as cancellations,
  cast(sum(errors) as bigint) as errors
from slices
group by session_id
