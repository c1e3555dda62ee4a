{# Rules that more than one model applies. #}

{#
  Common table expressions that end with `numbered`: the rows of `records`, which copy of an event each is: 1 for the first, by where it
  stands in Kafka. Copies agree in listener, session, place in the session and time (and in the columns given, those of `same` never
  null); records without session or place are no copies of each other.

  Only what may be a copy is sorted: a window over everything would write a long history's records to disk, all their columns. So
  `records` is read several times, and should be {{ inlined() }}.
#}
{% macro numbered_copies(same=[], besides=[]) -%}
{%- set key = same + ['session_id', 'item_in_session', 'ts'] %}
repeated as (
  select {{ key | join(', ') }}
  from records
  where session_id is not null and item_in_session is not null
  group by {{ key | join(', ') }}
  having count(*) > 1
),

numbered as (
  select
    *,
    cast(1 as bigint) as copy_number
  from records
  where not exists (select 1 from repeated where {{ equal_in(key) }})
  union all
  select
    *,
    row_number() over (
      partition by {{ (key + besides + ['user_id']) | join(', ') }}
      order by kafka_epoch, kafka_partition, kafka_offset
    ) as copy_number
  from records
  where exists (select 1 from repeated where {{ equal_in(key) }})
)
{%- endmacro %}

{% macro equal_in(columns) -%}
  {%- for column in columns %}repeated.{{ column }} = records.{{ column }}{% if not loop.last %} and {% endif %}{% endfor -%}
{%- endmacro %}

{#
  Ends the run at settings that no play can go by. Without a rule set nothing would count, and nothing would say so; a longer song would reach
  into hours that a run does not read.
#}
{% macro check_play_rules() %}
  {% set rules = ref('chart_rules') %}
  {% if execute and var('max_song_ms') > 3600000 %}
    {% do exceptions.raise_compiler_error("max_song_ms is " ~ var('max_song_ms') ~ ": a song can be taken to be 3600000 at most, an hour") %}
  {% endif %}
  {#- In a unit test it is a common table expression. -#}
  {% if execute and not rules.is_cte and load_relation(rules) is not none %}
    {% set found = run_query("select count(*) from " ~ rules ~ " where rule_set = '" ~ var('headline_rules') ~ "'") %}
    {% if found.rows[0][0] == 0 %}
      {% do exceptions.raise_compiler_error(
        "headline_rules is " ~ var('headline_rules') ~ ", which is no rule set of config/charts (the seed chart_rules)") %}
    {% endif %}
  {% endif %}
{% endmacro %}

{# How old an account is, in bands. #}
{% macro account_age(days) -%}
case
  when {{ days }} is null then 'unknown'
  when {{ days }} < 30 then 'under 30 days'
  when {{ days }} < 90 then '30 to 89 days'
  when {{ days }} < 365 then '90 to 364 days'
  else 'from 365 days'
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

{#
  A chart as people read it: places with names and history. `names`: columns of the songs' or artists' dimension and what they are
  called here; `times`: what the number of periods on the chart is called.
#}
{% macro chart(ranks, period, key, days, names, times) -%}
with history as (
  {{ chart_history(ranks, period, key, days) | indent(2) }}
)

select
  history.rule_set,
  history.{{ period }},
  history.position as chart_rank,
  {%- for column, name in names %}
  names.{{ column }} as {{ name }},
  {%- endfor %}
  history.{{ key }},
  history.points,
  history.charted_plays,
  history.last_position as last_rank,
  cast(history.peak_position as bigint) as peak_rank,
  cast(history.times_on_chart as bigint) as {{ times }},
  cast(history.streak as bigint) as streak,
  history.is_debut,
  history.is_re_entry,
  history.last_played_at
from history
inner join {{ named(key) }} as names on history.{{ key }} = names.{{ name_key(key) }}
{%- endmacro %}

{# The dimension that has the names for a key, and the key's column in it. #}
{% macro named(key) %}{{ return(ref('dim_songs' if key == 'song_key' else 'dim_artists')) }}{% endmacro %}
{% macro name_key(key) %}{{ return('songKey' if key == 'song_key' else 'artistKey') }}{% endmacro %}

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

{#
  Active users of longer periods, and their stickiness: a day's average number of them, as a share of the period's. `period`: the
  start of the period that holds event_date; `kind`: what it is called in meta.replaces; `column`: what it is called in the mart.
#}
{% macro active_users_of_periods(period, kind, column) -%}
{%- set days = days_in_periods(changed_periods(), kind) -%}
with active as (
  {{ active_users(period, days) | indent(2) }}
),

days as (
  select
    {{ period }} as period_start,
    event_date,
    dimension,
    member,
    users
  from {{ ref('active_users_daily') }}
  where {{ days }}
),

lengths as (
  select
    period_start,
    count(distinct event_date) as days
  from days
  group by period_start
),

daily as (
  select
    period_start,
    dimension,
    member,
    sum(users) as user_days
  from days
  group by period_start, dimension, member
)

select
  active.period_start as {{ column }},
  active.dimension,
  active.member,
  active.users,
  {{ ratio('daily.user_days', 'lengths.days * active.users') }} as stickiness
from active
inner join daily
  on
    active.period_start = daily.period_start
    and active.dimension = daily.dimension
    and active.member = daily.member
inner join lengths on active.period_start = lengths.period_start
{%- endmacro %}

{# Millionths of a degree: whole numbers, because databases write others differently. None where it is no place on Earth. #}
{% macro millionths(degrees, limit) -%}
case when {{ degrees }} between -{{ limit }} and {{ limit }} then cast(round({{ degrees }} * 1000000) as bigint) end
{%- endmacro %}

{# A place's key: city, state, zip and point. #}
{% macro location_key(alias) -%}
{{ key_of([
  alias ~ '.city', alias ~ '.state', alias ~ '.zip',
  millionths(alias ~ '.lat', 90), millionths(alias ~ '.lon', 180),
]) }}
{%- endmacro %}

{#
  A chart: songs (or artists) of each rule set and period by points, then charted plays, then the earlier last play, then the
  names. `units`: a relation with one row for each rule set, period and key. What may be null is ordered last in so many words, here as
  elsewhere: BigQuery takes it first by itself, DuckDB last.
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
      order by
        units.points desc, units.charted_plays desc, units.last_played_at asc, {{ names | join(' asc nulls last, ') }} asc nulls last
    ) as position,
    (select max(rules.positions) from {{ ref('chart_rules') }} as rules where rules.rule_set = units.rule_set) as positions
  from {{ units }} as units
  inner join {{ named(key) }} as names on units.{{ key }} = names.{{ name_key(key) }}
) as placed
where position <= positions
{%- endmacro %}
