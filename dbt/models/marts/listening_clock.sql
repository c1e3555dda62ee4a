{{ config(partition_by=by_day('month_start')) }}

select
  {{ month_of('event_date') }} as month_start,
  cast({{ day_of_week('event_hour') }} as bigint) as day_of_week,
  cast(extract(hour from event_hour) as bigint) as hour_of_day,
  cast(sum(plays) as bigint) as plays,
  cast(sum(counted_plays) as bigint) as counted_plays,
  cast(sum(listened_ms) as bigint) as listened_ms
from {{ ref('play_hours') }}
group by 1, 2, 3
