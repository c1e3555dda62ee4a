-- One version of a user ends where the next begins, and exactly one is current. Of two levels at one moment the first lasts
-- no time.
with followed as (
  select
    userId,
    validFrom,
    validTo,
    currentRow,
    lead(validFrom) over (partition by userId order by validFrom, validTo) as next_from
  from {{ ref('dim_users') }}
)

select *
from followed
where
  validTo < validFrom
  or (next_from is not null and (validTo != next_from or currentRow = 1))
  or (next_from is null and currentRow != 1)
