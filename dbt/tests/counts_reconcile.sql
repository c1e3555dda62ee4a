-- The engine's streaming counts are what a recount of its events gives.
select *
from {{ ref('reconciliation') }}
where difference != 0 or differing_groups != 0
