{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set kept = 'event_date, event_hour, user_id, level, gender, state, first_name, last_name, registration, ts' %}
{%- set hours = changed_periods() %}

with seen as {{ inlined() }} (
  select *
  from {{ ref('events') }}
  where {{ in_periods(hours) }} and user_id is not null
),

-- Few users change within an hour; only their events have to be sorted.
changed as (
  select
    user_id,
    event_hour
  from seen
  group by user_id, event_hour
  having
    min(level) != max(level)
    or min(gender) != max(gender)
    or min(state) != max(state)
    or min(first_name) != max(first_name)
    or min(last_name) != max(last_name)
    or count(level) not in (0, count(*))
    or count(gender) not in (0, count(*))
    or count(state) not in (0, count(*))
),

compared as (
  select
    *,
    row_number() over user_hour as place,
    lag(level) over user_hour as level_before,
    lag(gender) over user_hour as gender_before,
    lag(state) over user_hour as state_before
  from seen
  where
    exists (
      select 1
      from changed
      where changed.user_id = seen.user_id and changed.event_hour = seen.event_hour
    )
  window user_hour as (
    partition by user_id, event_hour
    order by
      ts asc, session_id asc nulls last, item_in_session asc nulls last, source_table asc,
      kafka_epoch asc, kafka_partition asc, kafka_offset asc
  )
),

numbered as (
  select
    {{ kept }},
    place,
    sum(
      case
        when
          place = 1
          or level is distinct from level_before
          or gender is distinct from gender_before
          or state is distinct from state_before
          then 1
        else 0
      end
    ) over (partition by user_id, event_hour order by place rows between unbounded preceding and current row) as span_number
  from compared
  union all
  select
    {{ kept }},
    1 as place,
    1 as span_number
  from seen
  where not exists (
    select 1
    from changed
    where changed.user_id = seen.user_id and changed.event_hour = seen.event_hour
  )
)

select
  event_date,
  event_hour,
  user_id,
  cast(span_number as bigint) as span_number,
  level,
  gender,
  state,
  {{ last_known('first_name', 'place') }} as first_name,
  {{ last_known('last_name', 'place') }} as last_name,
  min(registration) as registration,
  min(ts) as first_at,
  max(ts) as last_at,
  count(*) as events
from numbered
group by event_date, event_hour, user_id, span_number, level, gender, state
