{{ config(meta={'replaces': {'period': 'nothing'}}) }}

select
  cast(null as string) as model,
  cast(null as bigint) as through_batch
from (select 1 as nothing) as empty
where false
