-- Each chain begins at offset 0 and goes on without a hole; a closing entry is empty.
with chained as (
  select
    entry,
    kind,
    start_offset,
    lag(end_offset, 1, 0) over (
      partition by topic, kafka_epoch, kafka_partition order by start_offset, end_offset
    ) as end_before
  from {{ ref('lake_ranges') }}
)

select *
from chained
where start_offset != end_before
