{{ config(tags=['nightly'], partition_by=by_day('cohort_week')) }}

with weeks as (
  select distinct
    user_id,
    {{ monday_of('event_date') }} as active_week
  from {{ ref('user_days') }}
  where event_date >= date '1970-01-01'
),

cohorts as (
  select
    user_id,
    active_week,
    min(active_week) over (partition by user_id) as cohort_week
  from weeks
),

counted as (
  select
    cohort_week,
    {{ days_between('cohort_week', 'active_week') }} as days_later,
    count(*) as users
  from cohorts
  group by 1, 2
)

select
  counted.cohort_week,
  cast(counted.days_later / 7 as bigint) as weeks_later,
  first_weeks.users as cohort_users,
  counted.users as active_users,
  {{ ratio('counted.users', 'first_weeks.users') }} as retention
from counted
inner join counted as first_weeks on counted.cohort_week = first_weeks.cohort_week and first_weeks.days_later = 0
