{{ config(meta={'replaces': {'period': 'nothing'}}) }}
{%- do check_whose_ranges() %}

with entries as (
  {{ ledger_entries(chain_ends()) | indent(2) }}
),

known as (
  -- Batches go on counting when this table is built anew: everything is then new to every model.
  select
    '' as entry,
    coalesce(max(through_batch), 0) as batch
  from {{ ref('lake_applied') }}
  {%- if is_incremental() %}
  union all
  select
    entry,
    batch
  from {{ this }}
  {%- endif %}
),

ends as (
  {%- if is_incremental() %}
  select
    topic,
    kafka_epoch,
    kafka_partition,
    max(end_offset) as end_offset
  from {{ this }}
  group by topic, kafka_epoch, kafka_partition
  {%- else %}
  select
    topic,
    kafka_epoch,
    kafka_partition,
    0 as end_offset
  from entries
  where false
  {%- endif %}
),

chained as (
  select
    entries.*,
    entries.start_offset = coalesce(
      lag(entries.end_offset) over (
        partition by entries.topic, entries.kafka_epoch, entries.kafka_partition
        order by entries.start_offset, entries.end_offset
      ),
      ends.end_offset,
      0
    ) as follows
  from entries
  left join ends
    on
      entries.topic = ends.topic
      and entries.kafka_epoch = ends.kafka_epoch
      and entries.kafka_partition = ends.kafka_partition
  where entries.is_receipted and entries.entry not in (select known.entry from known)
),

-- A listing is of no one moment: it may lack a receipt and have the range that was decided after it. What is taken behind a
-- hole would leave the hole for good, for the next run reads from the chain's end on.
reached as (
  select
    *,
    sum(case when follows then 0 else 1 end) over (
      partition by topic, kafka_epoch, kafka_partition
      order by start_offset, end_offset rows between unbounded preceding and current row
    ) as holes
  from chained
)

select
  entry,
  topic,
  table_name,
  kafka_epoch,
  kafka_partition,
  start_offset,
  end_offset,
  kind,
  records,
  lost,
  watermark_ms,
  schema_version,
  code_version,
  objects,
  (select max(known.batch) + 1 from known) as batch
from reached
where holes = 0
