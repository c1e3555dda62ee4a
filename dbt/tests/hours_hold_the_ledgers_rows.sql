-- Every hour of the calendar holds as many records of every table as the receipts say.
with receipted as (
  select
    event_hour,
    table_name as source_table,
    sum(row_count) as row_count
  from {{ ref('lake_objects') }}
  where kind = 'data' and {{ in_calendar() }}
  group by event_hour, table_name
)

select
  coalesce(receipted.event_hour, hours.event_hour) as event_hour,
  coalesce(receipted.source_table, hours.source_table) as source_table,
  receipted.row_count,
  hours.records
from receipted
full outer join {{ ref('event_hours') }} as hours
  on receipted.event_hour = hours.event_hour and receipted.source_table = hours.source_table
where coalesce(receipted.row_count, 0) != coalesce(hours.records, 0)
