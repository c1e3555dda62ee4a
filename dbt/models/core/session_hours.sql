{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date', 'back': 1}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['session_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with steps as (
  select
    event_date,
    event_hour,
    session_id,
    max(user_id) as user_id,
    min(ts) as first_at,
    max(ts) as last_at,
    {{ first_known('level', 'item_in_session') }} as first_level,
    {{ last_known('level', 'item_in_session') }} as last_level,
    max(state) as state,
    count(case when source_table = 'page_view_events' then 1 end) as page_views,
    count(case when source_table = 'page_view_events' and auth = 'Guest' then 1 end) as guest_pages,
    count(case when page = 'Submit Registration' then 1 end) as registrations,
    count(case when page = 'Submit Upgrade' then 1 end) as upgrades,
    count(case when page = 'Submit Downgrade' then 1 end) as downgrades,
    count(case when page = 'Cancellation Confirmation' then 1 end) as cancellations,
    count(case when status >= 400 then 1 end) as errors
  from {{ ref('events') }}
  where {{ in_periods(hours) }} and session_id is not null and copy_number = 1
  group by event_date, event_hour, session_id
),

listened as (
  select
    event_hour,
    session_id,
    count(*) as plays,
    count(case when is_counted then 1 end) as counted_plays,
    sum(listened_ms) as listened_ms
  from {{ ref('plays') }}
  where {{ in_periods(hours) }} and session_id is not null
  group by event_hour, session_id
)

select
  steps.event_date,
  steps.event_hour,
  steps.session_id,
  steps.user_id,
  steps.first_at,
  steps.last_at,
  steps.first_level,
  steps.last_level,
  steps.state,
  steps.page_views,
  steps.guest_pages,
  steps.registrations,
  steps.upgrades,
  steps.downgrades,
  steps.cancellations,
  steps.errors,
  coalesce(listened.plays, 0) as plays,
  coalesce(listened.counted_plays, 0) as counted_plays,
  cast(coalesce(listened.listened_ms, 0) as bigint) as listened_ms
from steps
left join listened on steps.session_id = listened.session_id and steps.event_hour = listened.event_hour
