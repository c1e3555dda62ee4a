-- fact_streams holds every play once: records without the producers' copies.
with expected as (
  select
    event_hour,
    records - duplicates as plays
  from {{ ref('event_hours') }}
  where source_table = 'listen_events'
)

select
  expected.event_hour,
  expected.plays,
  hours.plays as found
from expected
full outer join {{ ref('play_hours') }} as hours on expected.event_hour = hours.event_hour
where coalesce(expected.plays, 0) != coalesce(hours.plays, 0)
