{{ config(
  meta={'replaces': {'period': 'key', 'column': 'range_entry'}},
  cluster_by=['event_date', 'table_name', 'kind'],
  post_hook="{{ mark_built() }}"
) }}

{#- Not partitioned by day: it holds days beyond the calendar, too, and BigQuery has at most 10,000 partitions. -#}
-- depends_on: {{ ref('lake_applied') }}
with ranges as (
  select * from {{ ref('lake_ranges') }}
  {%- if execute and is_incremental() %}
  where batch > {{ applied_batch(this.name) or 0 }}
  {%- endif %}
),

objects as (
  select
    ranges.entry as range_entry,
    ranges.topic,
    ranges.table_name,
    ranges.kafka_epoch,
    ranges.kafka_partition,
    ranges.start_offset,
    ranges.end_offset,
    ranges.batch,
    {{ json_text('element', '$.name') }} as object_name,
    cast({{ json_text('element', '$.rows') }} as bigint) as row_count,
    cast({{ json_text('element', '$.bytes') }} as bigint) as byte_count
  from ranges
  cross join {{ json_elements('ranges.objects') }}
),

placed as (
  select
    *,
    case
      when object_name like 'lake/v1/song_counts/%' then 'song_counts'
      when object_name like 'lake/v1/user_activity/%' then 'user_activity'
      when object_name like 'lake/v1/_rejected/%' then 'rejected'
      else 'data'
    end as kind,
    cast({{ first_match('object_name', '/(?:event|ingest)_date=([0-9-]+)/') }} as date) as event_date,
    cast({{ first_match('object_name', '/event_hour=([0-9]+)/') }} as bigint) as hour_of_day
  from objects
)

select
  object_name,
  range_entry,
  topic,
  table_name,
  kafka_epoch,
  kafka_partition,
  start_offset,
  end_offset,
  kind,
  event_date,
  case when hour_of_day is not null then {{ hour_of('event_date', 'hour_of_day') }} end as event_hour,
  row_count,
  byte_count,
  batch
from placed
