{{ config(
  meta={'replaces': {'period': 'key', 'column': 'userId'}},
  cluster_by=['userId'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with spans as (
  select
    *,
    row_number() over user_time as place,
    lag(level) over user_time as level_before
  from {{ ref('user_spans') }}
  where
    event_date >= date '1970-01-01'
    and {{ touched('user_id', ref('user_spans'), hours) }}
  window user_time as (partition by user_id order by event_hour, span_number)
),

numbered as (
  select
    *,
    sum(case when place = 1 or level is distinct from level_before then 1 else 0 end) over (
      partition by user_id order by place rows between unbounded preceding and current row
    ) as version_number
  from spans
),

versions as (
  select
    user_id,
    version_number,
    level,
    min(first_at) as valid_from,
    {{ last_known('first_name', 'place') }} as first_name,
    {{ last_known('last_name', 'place') }} as last_name,
    {{ last_known('gender', 'place') }} as gender,
    {{ last_known('state', 'place') }} as state,
    min(registration) as registration
  from numbered
  group by user_id, version_number, level
),

bounded as (
  select
    *,
    lead(valid_from) over (partition by user_id order by version_number) as valid_to
  from versions
)

select
  {{ key_of(['user_id', 'version_number']) }} as userKey,
  user_id as userId,
  first_name as firstName,
  last_name as lastName,
  gender,
  level,
  registration,
  state,
  {{ date_of('valid_from') }} as rowActivationDate,
  coalesce({{ date_of('valid_to') }}, date '9999-12-31') as rowExpirationDate,
  case when valid_to is null then 1 else 0 end as currentRow,
  valid_from as validFrom,
  coalesce(valid_to, timestamp '9999-12-31 00:00:00') as validTo
from bounded
