{{ config(
  materialized='incremental', incremental_strategy='replace', on_schema_change='fail',
  meta={'replaces': {'period': 'month', 'column': 'month_start'}},
  partition_by=by_day('month_start'), cluster_by=['dimension'],
  post_hook="{{ mark_built() }}"
) }}
{%- set periods = changed_periods() %}

with active as (
  {{ active_users(month_of('event_date'), days_in_periods(periods, 'month')) | indent(2) }}
),

daily as (
  select
    {{ month_of('event_date') }} as period_start,
    dimension,
    member,
    sum(users) as user_days,
    max(count_of_days.days) as days
  from {{ ref('active_users_daily') }} as active_daily
  inner join (
    select
      {{ month_of('event_date') }} as counted_period,
      count(distinct event_date) as days
    from {{ ref('active_users_daily') }}
    where {{ days_in_periods(periods, 'month') }}
    group by 1
  ) as count_of_days on {{ month_of('active_daily.event_date') }} = count_of_days.counted_period
  where {{ days_in_periods(periods, 'month') }}
  group by 1, 2, 3
)

select
  active.period_start as month_start,
  active.dimension,
  active.member,
  active.users,
  {{ ratio('daily.user_days', 'daily.days * active.users') }} as stickiness
from active
inner join daily
  on
    active.period_start = daily.period_start
    and active.dimension = daily.dimension
    and active.member = daily.member
