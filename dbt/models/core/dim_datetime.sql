{{ config(materialized='table') }}

with bounds as (
  select
    min(event_hour) as earliest,
    max(event_hour) as latest
  from {{ ref('lake_objects') }}
  where {{ in_calendar() }}
),

hours as (
  select series.hour_start
  from {{ hour_series('(select earliest from bounds)', '(select latest from bounds)') }} as series
)

select
  {{ unix_seconds('hour_start') }} as dateKey,
  hour_start as date,
  cast({{ day_of_week('hour_start') }} as bigint) as dayOfWeek,
  cast(extract(day from hour_start) as bigint) as dayOfMonth,
  cast({{ week_of_year('hour_start') }} as bigint) as weekOfYear,
  cast(extract(month from hour_start) as bigint) as month,
  cast(extract(year from hour_start) as bigint) as year,
  cast(extract(hour from hour_start) as bigint) as hour,
  {{ day_of_week('hour_start') }} in (1, 7) as weekendFlag
from hours
