-- Rows of data and rejected objects, and what is lost, are the decided records.
with held as (
  select
    range_entry,
    sum(row_count) as row_count
  from {{ ref('lake_objects') }}
  where kind in ('data', 'rejected') and event_date >= date '1970-01-01'
  group by range_entry
)

select
  ranges.entry,
  ranges.records,
  ranges.lost,
  held.row_count
from {{ ref('lake_ranges') }} as ranges
left join held on ranges.entry = held.range_entry
where ranges.records != ranges.lost + coalesce(held.row_count, 0)
