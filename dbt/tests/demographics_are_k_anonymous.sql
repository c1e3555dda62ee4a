-- Every row shown, and all that is left out of a month of which something is shown, is of k listeners who played. Whom a
-- row is of is found anew from the listeners' days.
{%- set days = tested_days() %}
{%- set months = none if days is none else [] %}
{%- for day in days or [] %}{% do months.append(day[:8] ~ '01') %}{% endfor %}
with ordered as (
  select
    *,
    {{ month_of('event_date') }} as month_start,
    row_number() over (partition by user_id, {{ month_of('event_date') }} order by event_date desc) as from_last
  from {{ ref('user_days') }}
  where {{ days_in_periods(months and months | unique | list, 'month') }}
),

players as (
  select
    month_start,
    user_id,
    max(case when from_last = 1 then coalesce(level, 'unknown') end) as level,
    max(case when from_last = 1 then coalesce(gender, 'unknown') end) as gender,
    max(case when from_last = 1 then coalesce(state, 'unknown') end) as state,
    {{ days_between(date_of('min(registration)'), 'max(event_date)') }} as account_days
  from ordered
  group by month_start, user_id
  having sum(plays) > 0
),

aged as (
  select
    *,
    {{ account_age('account_days') }} as account_age
  from players
),

counted as (
  select
    *,
    count(*) over (partition by month_start, account_age, gender, level, state) as players_of_state
  from aged
),

placed as (
  select
    counted.month_start,
    coalesce(own.account_age, other.account_age) as account_age,
    coalesce(own.gender, other.gender) as gender,
    coalesce(own.level, other.level) as level,
    coalesce(own.state, other.state) as state
  from counted
  left join {{ ref('demographics') }} as own
    on
      counted.month_start = own.month_start
      and counted.account_age = own.account_age
      and counted.gender = own.gender
      and counted.level = own.level
      and counted.state = own.state
  left join {{ ref('demographics') }} as other
    on
      counted.month_start = other.month_start
      and counted.account_age = other.account_age
      and counted.gender = other.gender
      and counted.level = other.level
      and other.state = 'other'
      and counted.players_of_state < {{ var('k_anonymity') }}
)

select
  month_start,
  account_age,
  gender,
  level,
  state,
  count(*) as players
from placed
where month_start in (select shown.month_start from {{ ref('demographics') }} as shown)
group by month_start, account_age, gender, level, state
having count(*) < {{ var('k_anonymity') }}
