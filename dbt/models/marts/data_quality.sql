with by_day as (
  select
    source_table,
    event_date,
    sum(records) as records,
    sum(duplicates) as duplicates,
    sum(without_user) as without_user,
    sum(without_session) as without_session,
    sum(without_level) as without_level
  from {{ ref('event_hours') }}
  group by source_table, event_date
),

rejected as (
  select
    topic,
    event_date,
    sum(row_count) as row_count
  from {{ ref('lake_objects') }}
  where kind = 'rejected' and event_date >= date '1970-01-01'
  group by topic, event_date
),

repeats as (
  select
    event_date,
    count(case when is_repeat then 1 end) as repeats
  from {{ ref('fact_auth') }}
  group by event_date
),

beyond as (
  select
    topic,
    sum(case when {{ in_calendar() }} then 0 else row_count end) as beyond_calendar
  from {{ ref('lake_objects') }}
  where kind = 'data'
  group by topic
),

ranges as (
  select
    topic,
    sum(case when kind = 'gap' then end_offset - start_offset else 0 end) as gap_offsets,
    sum(lost) as lost,
    sum(case when kind = 'data' then end_offset - start_offset - records else 0 end) as holes
  from {{ ref('lake_ranges') }}
  group by topic
),

measures as (
  {%- for measure in ['records', 'duplicates', 'without_user', 'without_session', 'without_level'] %}
  select
    source_table as topic,
    event_date,
    '{{ measure }}' as measure,
    {{ measure }} as amount
  from by_day
  union all
  {%- endfor %}
  select
    topic,
    event_date,
    'rejected' as measure,
    row_count as amount
  from rejected
  union all
  select
    'auth_events' as topic,
    event_date,
    'repeated_sign_ins' as measure,
    repeats as amount
  from repeats
  {%- for measure, counts in [
    ('gap_offsets', 'ranges'), ('lost', 'ranges'), ('holes', 'ranges'), ('beyond_calendar', 'beyond'),
  ] %}
  union all
  select
    topic,
    cast(null as date) as event_date,
    '{{ measure }}' as measure,
    {{ measure }} as amount
  from {{ counts }}
  {%- endfor %}
)

select
  topic,
  event_date,
  measure,
  cast(amount as bigint) as amount
from measures
