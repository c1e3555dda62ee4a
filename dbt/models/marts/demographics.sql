{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'month', 'column': 'month_start', 'back': 1}},
  partition_by=by_day('month_start'),
  post_hook="{{ mark_built() }}"
) }}
{%- set months = changed_periods() %}

with ordered as (
  select
    *,
    {{ month_of('event_date') }} as month_start,
    row_number() over (partition by user_id, {{ month_of('event_date') }} order by event_date desc) as from_last
  from {{ ref('user_days') }}
  where {{ days_in_periods(months, 'month') }}
),

listeners as (
  select
    month_start,
    user_id,
    max(case when from_last = 1 then coalesce(level, 'unknown') end) as level,
    max(case when from_last = 1 then coalesce(gender, 'unknown') end) as gender,
    max(case when from_last = 1 then coalesce(state, 'unknown') end) as state,
    {{ days_between(date_of('min(registration)'), 'max(event_date)') }} as account_days,
    sum(plays) as plays,
    sum(counted_plays) as counted_plays,
    sum(listened_ms) as listened_ms
  from ordered
  group by month_start, user_id
),

banded as (
  select
    *,
    case
      when account_days is null then 'unknown'
      when account_days < 30 then 'under 30 days'
      when account_days < 90 then '30 to 89 days'
      when account_days < 365 then '90 to 364 days'
      else 'from 365 days'
    end as account_age
  from listeners
),

exact as (
  select
    month_start,
    account_age,
    gender,
    level,
    state,
    count(*) as listeners,
    sum(plays) as plays,
    sum(counted_plays) as counted_plays,
    sum(listened_ms) as listened_ms
  from banded
  group by month_start, account_age, gender, level, state
),

folded as (
  select
    month_start,
    account_age,
    gender,
    level,
    case when listeners >= {{ var('k_anonymity') }} then state else 'other' end as shown_state,
    sum(listeners) as listeners,
    sum(plays) as plays,
    sum(counted_plays) as counted_plays,
    sum(listened_ms) as listened_ms
  from exact
  group by month_start, account_age, gender, level, shown_state
)

select
  month_start,
  account_age,
  gender,
  level,
  shown_state as state,
  cast(listeners as bigint) as listeners,
  cast(plays as bigint) as plays,
  cast(counted_plays as bigint) as counted_plays,
  cast(listened_ms as bigint) as listened_ms
from folded
where listeners >= {{ var('k_anonymity') }}
