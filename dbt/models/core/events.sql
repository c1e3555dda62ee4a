{{ config(
  meta={'replaces': {'period': 'hour', 'column': 'event_hour', 'partition': 'event_date'}},
  partition_by=by_day(), require_partition_filter=true, cluster_by=['event_hour', 'source_table'],
  post_hook="{{ mark_built() }}"
) }}
{%- set hours = changed_periods() %}

with receipted as (
  select object_name
  from {{ ref('lake_objects') }}
  where kind = 'data' and {{ in_calendar() }} and {{ in_periods(hours) }}
),

records as {{ inlined() }} (
  {%- for table, special in [
    ('listen_events', {'auth': 'auth'}),
    ('page_view_events', {'auth': 'auth', 'page': 'page', 'status': 'status'}),
    ('auth_events', {'success': 'success'}),
    ('status_change_events', {'auth': 'auth'}),
  ] %}
  select
    '{{ table }}' as source_table,
    ts,
    event_date,
    event_hour,
    session_id,
    item_in_session,
    user_id,
    level,
    gender,
    state,
    first_name,
    last_name,
    registration,
    {{ special.get('auth', 'cast(null as string)') }} as auth,
    {{ special.get('page', 'cast(null as string)') }} as page,
    {{ special.get('status', 'cast(null as bigint)') }} as status,
    {{ special.get('success', 'cast(null as boolean)') }} as success,
    kafka_epoch,
    kafka_partition,
    kafka_offset
  from {{ ref('stg_' ~ table) }}
  where {{ in_lake_hours(hours) }} and lake_object in (select receipted.object_name from receipted)
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- endfor %}
),

{{ numbered_copies(same=['source_table'], besides=['page']) }}

select *
from numbered
