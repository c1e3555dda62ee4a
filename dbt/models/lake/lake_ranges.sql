{{ config(meta={'replaces': {'period': 'nothing'}}) }}

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
)

select
  entries.entry,
  entries.topic,
  entries.table_name,
  entries.kafka_epoch,
  entries.kafka_partition,
  entries.start_offset,
  entries.end_offset,
  entries.kind,
  entries.records,
  entries.lost,
  entries.watermark_ms,
  entries.schema_version,
  entries.code_version,
  entries.objects,
  (select max(known.batch) + 1 from known) as batch
from entries
where entries.is_receipted and entries.entry not in (select known.entry from known)
