{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['user_id'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with seen as (
  select
    *,
    row_number() over user_hour as place,
    lag(level) over user_hour as level_before,
    lag(gender) over user_hour as gender_before,
    lag(state) over user_hour as state_before
  from {{ ref('events') }}
  where {{ in_periods(hours) }} and user_id is not null
  window user_hour as (
    partition by user_id, event_hour
    order by ts, session_id, item_in_session, source_table, kafka_epoch, kafka_partition, kafka_offset
  )
),

numbered as (
  select
    *,
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
  from seen
)

select
  event_date,
  event_hour,
  user_id,
  cast(span_number as bigint) as span_number,
  level,
  gender,
  state,
  max(first_name) as first_name,
  max(last_name) as last_name,
  min(registration) as registration,
  min(ts) as first_at,
  max(ts) as last_at,
  count(*) as events
from numbered
group by event_date, event_hour, user_id, span_number, level, gender, state
