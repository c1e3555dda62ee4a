{{ config(tags=['nightly'], partition_by=by_day('cohort_week')) }}

with first_versions as (
  select
    userId as user_id,
    min(validFrom) as first_seen_at,
    min(case when level = 'paid' then validFrom end) as first_paid_at
  from {{ ref('dim_users') }}
  group by userId
),

aged as (
  select
    {{ monday_of(date_of('first_seen_at')) }} as cohort_week,
    first_seen_at,
    first_paid_at,
    {{ ms_between('first_seen_at', 'first_paid_at') }} as ms_to_paid
  from first_versions
)

select
  cohort_week,
  count(*) as users,
  count(case when first_paid_at = first_seen_at then 1 end) as users_first_seen_paid,
  count(case when first_paid_at is null or first_paid_at > first_seen_at then 1 end) as users_first_seen_free,
  count(case when first_paid_at > first_seen_at then 1 end) as converted,
  count(case when first_paid_at > first_seen_at and ms_to_paid <= 604800000 then 1 end) as converted_within_7_days,
  count(case when first_paid_at > first_seen_at and ms_to_paid <= 2419200000 then 1 end) as converted_within_28_days,
  {{ ratio(
    'count(case when first_paid_at > first_seen_at then 1 end)',
    'count(case when first_paid_at is null or first_paid_at > first_seen_at then 1 end)',
  ) }} as conversion
from aged
group by cohort_week
