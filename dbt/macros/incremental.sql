{#
  What is new, and how a table takes it. docs/marts.md tells the protocol.

  A batch is what one run of lake_ranges found new in the ledger. lake_applied keeps, for each model, the last batch that
  it holds. A model replaces whole periods: those that the batches after its own mark touch. Rows and mark change in one
  transaction, so a run that dies leaves both as they were.

  A model says under `meta.replaces` what it replaces:
    period: hour, day, month, monday_week, chart_week, key (rows of the keys that its query gives), or nothing (rows are
      only added, and the model keeps no mark)
    column: the column that holds the period or key
    partition: the date column that a query must bound (BigQuery: the partition column)
    back, forward: hours round a touched hour that change with it
#}

{% macro applied_batch(model_name) %}
  {% set found = run_query("select max(through_batch) from " ~ ref('lake_applied') ~ " where model = '" ~ model_name ~ "'") %}
  {{ return(found.rows[0][0]) }}
{% endmacro %}

{# The last batches of all that a model reads. A view holds what it reads itself. #}
{% macro batches_read(reader) %}
  {% set batches = [] %}
  {% for id in reader.depends_on.nodes %}
    {% set node = graph.nodes.get(id) %}
    {% if node and node.config.materialized == 'view' %}
      {% do batches.extend(batches_read(node)) %}
    {% elif node and node.config.materialized == 'incremental' and node.config.meta.replaces.period != 'nothing' %}
      {% do batches.append(applied_batch(node.name) or 0) %}
    {% endif %}
  {% endfor %}
  {{ return(batches) }}
{% endmacro %}

{# The last batch that everything this model reads already holds. #}
{% macro available_batch() %}
  {% set batches = batches_read(model) %}
  {% if batches == [] %}
    {% do batches.append(run_query("select coalesce(max(batch), 0) from " ~ ref('lake_ranges')).rows[0][0]) %}
  {% endif %}
  {{ return(batches | min) }}
{% endmacro %}

{# The start of the period that holds `time`. #}
{% macro period_of(period, time) -%}
  {%- set date = date_of(time) -%}
  {%- if period == 'hour' -%}{{ time }}
  {%- elif period == 'day' -%}{{ date }}
  {%- elif period == 'month' -%}{{ month_of(date) }}
  {%- elif period == 'monday_week' -%}{{ monday_of(date) }}
  {%- elif period == 'chart_week' -%}{{ week_of(date, "(select max(week_anchor) from " ~ ref('chart_rules') ~ ")") }}
  {%- endif -%}
{%- endmacro %}

{#
  Starts of the touched periods, as text; none when the whole table is built. That is so, too, where more hours are touched than can
  be listed: BigQuery takes no statement over a million characters, and a model lists its hours up to a dozen times. What is counted
  is the same for every list of a model, or one would be of all and another not.
#}
{% macro changed_periods(period=none, back=none, forward=none) %}
  {% if not execute %}
    {#- So that dbt sees them when it parses. -#}
    {% set dependencies = [ref('lake_applied'), ref('lake_objects')] %}
    {{ return(none) }}
  {% endif %}
  {% if not is_incremental() %}{{ return(none) }}{% endif %}
  {% set applied = applied_batch(this.name) %}
  {% if applied is none %}{{ return(none) }}{% endif %}
  {% set spec = config.get('meta')['replaces'] %}
  {% set period = period or ('hour' if spec.period == 'key' else spec.period) %}
  {% set back = spec.get('back', 0) if back is none else back %}
  {% set forward = spec.get('forward', 0) if forward is none else forward %}
  {% set query %}
    with touched as (
      select distinct event_hour
      from {{ ref('lake_objects') }}
      where batch > {{ applied }} and batch <= {{ available_batch() }} and event_hour is not null
        and {{ in_calendar() }}
    ),

    counted as (
      select count(*) as hours from touched
    ),

    listed as (
      select touched.event_hour
      from touched
      cross join counted
      where counted.hours <= {{ var('max_listed_hours') }}
    ),

    reached as (
      {%- for shift in range(-back, forward + 1) %}
      select {{ add_hours('event_hour', shift) }} as event_hour from listed
      {%- if not loop.last %} union distinct {% endif %}
      {%- endfor %}
    )

    select distinct cast({{ period_of(period, 'event_hour') }} as string) as period_start from reached
    union all
    select 'all' as period_start from counted where hours > {{ var('max_listed_hours') }}
    order by 1
  {% endset %}
  {% set found = run_query(query | replace('union distinct', 'union') if target.type == 'duckdb' else query) %}
  {% set width = 19 if period == 'hour' else 10 %}
  {% set periods = [] %}
  {% for row in found.rows %}{% do periods.append(row[0][:width]) %}{% endfor %}
  {{ return(none if periods == ['all'] else periods) }}
{% endmacro %}

{#
  A condition for the days of the marts' calendar. Clocks are wrong at times: an event's time may be 1970 or 9999. Whoever reads
  the lake leaves those out, and so do all that read them.
#}
{% macro in_calendar() -%}
event_date >= date '{{ var("calendar_from") }}' and event_date < date '{{ var("calendar_until") }}'
{%- endmacro %}

{# A condition for the rows of these periods in a table whose partitions are dates. #}
{% macro in_periods(periods, period=none, column=none, partition=none) %}
  {% if not execute %}{{ return('true') }}{% endif %}
  {% set partition = partition or 'event_date' %}
  {% if periods is none %}{{ return(partition ~ " >= date '1970-01-01'") }}{% endif %}
  {% if periods == [] %}{{ return('false and ' ~ partition ~ " >= date '1970-01-01'") }}{% endif %}
  {% set spec = config.get('meta')['replaces'] %}
  {% if (period or ('hour' if spec.period == 'key' else spec.period)) == 'hour' %}
    {% set dates = [] %}
    {% for each in periods %}{% if each[:10] not in dates %}{% do dates.append(each[:10]) %}{% endif %}{% endfor %}
    {{ return(partition ~ " in (date '" ~ dates | join("', date '") ~ "') and " ~ (column or 'event_hour')
              ~ " in (timestamp '" ~ periods | join("', timestamp '") ~ "')") }}
  {% endif %}
  {{ return((column or partition) ~ " in (date '" ~ periods | join("', date '") ~ "')") }}
{% endmacro %}

{# The same for the lake's tables by hour, whose folders are dates and hours of the day: only those are read. #}
{% macro in_lake_hours(hours) %}
  {% if not hours %}{{ return(in_periods(hours)) }}{% endif %}
  {% set of_day = [] %}
  {% for each in hours %}{% do of_day.append(each[11:13] | int) %}{% endfor %}
  {{ return(in_periods(hours) ~ ' and hour_of_day in (' ~ of_day | unique | sort | join(', ') ~ ')') }}
{% endmacro %}

{# A condition for rows by day that lie in these longer periods. #}
{% macro days_in_periods(periods, period, column='event_date') %}
  {% if periods is none %}{{ return(column ~ " >= date '1970-01-01'") }}{% endif %}
  {% if periods == [] %}{{ return('false and ' ~ column ~ " >= date '1970-01-01'") }}{% endif %}
  {% set spans = [] %}
  {% for start in periods %}
    {% set first = modules.datetime.date.fromisoformat(start) %}
    {% if period == 'month' %}
      {% set after = (first + modules.datetime.timedelta(days=31)).replace(day=1) %}
    {% else %}
      {% set after = first + modules.datetime.timedelta(days=7) %}
    {% endif %}
    {% do spans.append("(" ~ column ~ " >= date '" ~ first ~ "' and " ~ column ~ " < date '" ~ after ~ "')") %}
  {% endfor %}
  {{ return('(' ~ spans | join(' or ') ~ ')') }}
{% endmacro %}

{# A condition for the keys that `relation` has in these hours. #}
{% macro touched(key, relation, hours) %}
  {% if hours is none %}{{ return('true') }}{% endif %}
  {{ return(key ~ ' in (select touched.' ~ key ~ ' from ' ~ relation ~ ' as touched where ' ~ in_periods(hours) ~ ')') }}
{% endmacro %}

{#
  A condition for the days that hold the whole of the sessions in these hours, however long they last: these days, and those of
  what the target has of the sessions already.
#}
{% macro days_of_sessions(hours, sessions) %}
  {% if not hours %}{{ return(in_periods(hours)) }}{% endif %}
  {% set query %}
    select
      cast(min(started_on) as string),
      cast(max({{ date_of('ended_at') }}) as string)
    from {{ this }}
    where {{ touched('session_id', sessions, hours) }}
  {% endset %}
  {% set days = [(hours | min)[:10], (hours | max)[:10]] %}
  {% for day in run_query(query).rows[0] if day is not none %}{% do days.append(day) %}{% endfor %}
  {{ return("event_date >= date '" ~ days | min ~ "' and event_date <= date '" ~ days | max ~ "'") }}
{% endmacro %}

{# The rows of the target that this run replaces. #}
{% macro replaced_rows(source_relation) %}
  {% set spec = config.get('meta')['replaces'] %}
  {% if spec.period == 'nothing' %}{{ return('false') }}{% endif %}
  {% if spec.period == 'key' %}
    {{ return(spec.column ~ ' in (select ' ~ spec.column ~ ' from ' ~ source_relation ~ ')') }}
  {% endif %}
  {{ return(in_periods(changed_periods(), spec.period, spec.column, spec.get('partition', spec.column))) }}
{% endmacro %}

{# Sets this model's mark: statements. #}
{% macro mark_applied(batch) %}
delete from {{ ref('lake_applied') }} where model = '{{ this.name }}';
insert into {{ ref('lake_applied') }} (model, through_batch) values ('{{ this.name }}', {{ batch }});
{% endmacro %}

{# BigQuery's partitions by day, and that a query must bound them. DuckDB has none. #}
{% macro by_day(column='event_date') %}
  {{ return({'field': column, 'data_type': 'date'} if target.type == 'bigquery' else none) }}
{% endmacro %}

{# After a table was built whole; an increment has set its mark with its rows. #}
{% macro mark_built() %}
  {% if execute and not is_incremental() %}{{ mark_applied(available_batch()) }}{% endif %}
{% endmacro %}

{# The strategy `replace` on DuckDB, within the transaction of dbt's materialization. #}
{% macro get_incremental_replace_sql(arguments) %}
  {% set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) %}
delete from {{ arguments['target_relation'] }} where {{ replaced_rows(arguments['temp_relation']) }};
insert into {{ arguments['target_relation'] }} ({{ columns }})
select {{ columns }} from {{ arguments['temp_relation'] }};
{% if config.get('meta')['replaces'].period != 'nothing' %}{{ mark_applied(available_batch()) }}{% endif %}
{% endmacro %}

{# The same on BigQuery: dbt-bigquery has no strategies of one's own, so two of its macros are overridden. #}
{% macro dbt_bigquery_validate_get_incremental_strategy(config) %}
  {{ return(config.get('incremental_strategy')) }}
{% endmacro %}

{% macro bq_generate_incremental_build_sql(
    strategy, tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists,
    copy_partitions, incremental_predicates) %}
  {% set columns = get_quoted_csv(dest_columns | map(attribute='name')) %}
begin transaction;
delete from {{ target_relation }} where {{ replaced_rows(tmp_relation) }};
insert into {{ target_relation }} ({{ columns }})
select {{ columns }} from {{ tmp_relation }};
{% if config.get('meta')['replaces'].period != 'nothing' %}{{ mark_applied(available_batch()) }}{% endif %}
commit transaction;
{% endmacro %}
