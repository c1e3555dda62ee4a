{# Rules that more than one model applies. #}

{#
  Which copy of an event a record is: 1 for the first, by where it stands in Kafka. Copies agree in listener, session, place in
  the session and time (and in the columns given besides); records without session or place are no copies of each other.
#}
{% macro copy_number(besides=[]) -%}
  case
    when session_id is null or item_in_session is null then 1
    else row_number() over (
      partition by {{ (besides + ['user_id', 'session_id', 'item_in_session', 'ts']) | join(', ') }}
      order by kafka_epoch, kafka_partition, kafka_offset
    )
  end
{%- endmacro %}

{#
  Places on a chart over time. `ranks`: a relation with rule_set, the period's first day, a key and a rank; `days`: the
  period's length.
#}
{% macro chart_history(ranks, period, key, days) -%}
with placed as (
  select
    *,
    lag({{ period }}) over (partition by rule_set, {{ key }} order by {{ period }}) as period_before,
    lag(position) over (partition by rule_set, {{ key }} order by {{ period }}) as position_before,
    row_number() over (partition by rule_set, {{ key }} order by {{ period }}) as times_on_chart,
    min(position) over (
      partition by rule_set, {{ key }} order by {{ period }} rows between unbounded preceding and current row
    ) as peak_position
  from {{ ranks }}
),

compared as (
  select
    *,
    coalesce({{ days_between('period_before', period) }} = {{ days }}, false) as was_on_chart_before
  from placed
),

runs as (
  select
    *,
    sum(case when was_on_chart_before then 0 else 1 end) over (
      partition by rule_set, {{ key }} order by {{ period }} rows between unbounded preceding and current row
    ) as run_number
  from compared
)

select
  *,
  case when was_on_chart_before then position_before end as last_position,
  row_number() over (partition by rule_set, {{ key }}, run_number order by {{ period }}) as streak,
  times_on_chart = 1 as is_debut,
  times_on_chart > 1 and not was_on_chart_before as is_re_entry
from runs
{%- endmacro %}

{# Distinct users of each period by level, gender and state. `spans`: the rows of user_spans to look at. #}
{% macro active_users(period, where) -%}
{%- for dimension in ['all', 'level', 'gender', 'state'] %}
select
  {{ period }} as period_start,
  '{{ dimension }}' as dimension,
  {{ "'all'" if dimension == 'all' else "coalesce(" ~ dimension ~ ", 'unknown')" }} as member,
  count(distinct user_id) as users
from {{ ref('user_spans') }}
where {{ where }}
group by period_start, dimension, member
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
{%- endmacro %}

{# A place's key: city, state, zip and millionths of a degree, whole numbers because databases write others differently. #}
{% macro location_key(alias) -%}
{{ key_of([
  alias ~ '.city', alias ~ '.state', alias ~ '.zip',
  'cast(round(' ~ alias ~ '.lat * 1000000) as bigint)', 'cast(round(' ~ alias ~ '.lon * 1000000) as bigint)',
]) }}
{%- endmacro %}

{#
  A chart: songs (or artists) of each rule set and period by points, then charted plays, then the earlier last play, then the
  names. `units`: a relation with one row for each rule set, period and key.
#}
{% macro ranked(units, period, key, names) -%}
select
  rule_set,
  {{ period }},
  {{ key }},
  cast(position as bigint) as position,
  points,
  charted_plays,
  last_played_at
from (
  select
    units.*,
    row_number() over (
      partition by units.rule_set, units.{{ period }}
      order by units.points desc, units.charted_plays desc, units.last_played_at asc, {{ names | join(', ') }}
    ) as position,
    (select max(rules.positions) from {{ ref('chart_rules') }} as rules where rules.rule_set = units.rule_set) as positions
  from {{ units }} as units
  inner join {{ ref('dim_songs' if key == 'song_key' else 'dim_artists') }} as names
    on units.{{ key }} = names.{{ 'songKey' if key == 'song_key' else 'artistKey' }}
) as placed
where position <= positions
{%- endmacro %}
