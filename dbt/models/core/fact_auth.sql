{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with answers as (
  select *
  from {{ ref('events') }}
  where {{ in_periods(hours) }} and source_table = 'auth_events' and copy_number = 1
),

redirects as (
  select distinct
    session_id,
    item_in_session,
    ts
  from {{ ref('events') }}
  where {{ in_periods(hours) }} and source_table = 'page_view_events' and status between 300 and 399
)

select
  answers.event_date,
  answers.event_hour,
  answers.ts,
  answers.session_id,
  answers.item_in_session,
  answers.user_id,
  answers.level,
  answers.state,
  answers.success as is_success,
  -- Eventsim answers a sign-in on the page after it, and once more when that page's successor is a redirect.
  redirects.session_id is not null as is_repeat,
  answers.kafka_epoch,
  answers.kafka_partition,
  answers.kafka_offset
from answers
left join redirects
  on
    answers.session_id = redirects.session_id
    and answers.item_in_session = redirects.item_in_session
    and answers.ts = redirects.ts
