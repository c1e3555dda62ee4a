{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'monday_week', 'column': 'week_start'}},
  partition_by=by_day('week_start'), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}
{%- set periods = changed_periods() %}

with active as (
  {{ active_users(monday_of('event_date'), days_in_periods(periods, 'monday_week')) | indent(2) }}
),

days as (
  select
    {{ monday_of('event_date') }} as period_start,
    event_date,
    dimension,
    member,
    users
  from {{ ref('active_users_daily') }}
  where {{ days_in_periods(periods, 'monday_week') }}
),

lengths as (
  select
    period_start,
    count(distinct event_date) as days
  from days
  group by period_start
),

daily as (
  select
    period_start,
    dimension,
    member,
    sum(users) as user_days
  from days
  group by period_start, dimension, member
)

select
  active.period_start as week_start,
  active.dimension,
  active.member,
  active.users,
  {{ ratio('daily.user_days', 'lengths.days * active.users') }} as stickiness
from active
inner join daily
  on
    active.period_start = daily.period_start
    and active.dimension = daily.dimension
    and active.member = daily.member
inner join lengths on active.period_start = lengths.period_start
