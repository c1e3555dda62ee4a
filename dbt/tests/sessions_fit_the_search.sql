-- A session that lasts longer than max_session_hours is not found whole: raise the variable and run with --full-refresh.
select *
from {{ ref('fact_sessions') }}
where length_ms > {{ var('max_session_hours') }} * 3600000
