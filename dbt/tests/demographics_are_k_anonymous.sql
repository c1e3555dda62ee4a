select *
from {{ ref('demographics') }}
where listeners < {{ var('k_anonymity') }}
