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
    {{ account_age('account_days') }} as account_age
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
    -- Of a group in which one played, the plays are that one's.
    count(case when plays > 0 then 1 end) as players,
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
    case when players >= {{ var('k_anonymity') }} then state else 'other' end as shown_state,
    sum(listeners) as listeners,
    sum(players) as players,
    sum(plays) as plays,
    sum(counted_plays) as counted_plays,
    sum(listened_ms) as listened_ms
  from exact
  group by month_start, account_age, gender, level, shown_state
),

measured as (
  select
    *,
    players < {{ var('k_anonymity') }} as is_small
  from folded
),

sized as (
  select
    *,
    sum(case when is_small then players else 0 end) over (partition by month_start) as players_left_out,
    row_number() over (
      partition by month_start, is_small
      order by players, account_age, gender, level, shown_state
    ) as nth_smallest
  from measured
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
from sized
where
  not is_small
  -- All plays of the month are in listening_clock: what is missing here is of those who are left out, so they are k, too.
  and not (nth_smallest = 1 and players_left_out between 1 and {{ var('k_anonymity') }} - 1)
