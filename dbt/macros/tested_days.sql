{#
  What tests read of tables that grow by days: `where: event_date __in_tested_days__` leaves the days that the newest batches
  touched (variable tested_batches), `where: week_start __in_tested_weeks__` those on which a week or a session of them may
  have begun.
#}

{# Days of the newest batches, and the days before where an hour reaches back; none for every day. #}
{% macro tested_days() %}
  {% if not execute or var('tested_batches') == 'all' %}{{ return(none) }}{% endif %}
  {#- By its name, for dbt parses some tests without a look at what their macros ask for. -#}
  {% set node = graph.nodes['model.beatlytica.lake_objects'] %}
  {% set objects = adapter.get_relation(node.database, node.schema, node.alias) %}
  {% if objects is none %}{{ return(none) }}{% endif %}
  {#- Kept for the process: a model's tests would else each ask the same. -#}
  {% if 'tested_days' not in graph %}
    {% set query %}
      with touched as (
        select event_hour
        from {{ objects }}
        where batch > (select max(batch) from {{ objects }}) - {{ var('tested_batches') }} and event_hour is not null
          and {{ in_calendar() }}
      )

      select cast({{ date_of('event_hour') }} as string) as day from touched
      union distinct
      select cast({{ date_of(add_hours('event_hour', -1)) }} as string) as day from touched
    {% endset %}
    {% set found = run_query(query | replace('union distinct', 'union') if target.type == 'duckdb' else query) %}
    {% do graph.update({'tested_days': found.columns[0].values() | list}) %}
  {% endif %}
  {{ return(graph['tested_days'] or none) }}
{% endmacro %}

{# A condition but for its column: one of the tested days, or of so many before each. #}
{% macro in_tested_days(before=0) %}
  {% set days = tested_days() %}
  {% if days is none %}{{ return(">= date '1970-01-01'") }}{% endif %}
  {% set reached = [] %}
  {% for day in days %}
    {% for back in range(before + 1) %}
      {% do reached.append(modules.datetime.date.fromisoformat(day) - modules.datetime.timedelta(days=back)) %}
    {% endfor %}
  {% endfor %}
  {{ return("in (date '" ~ reached | unique | sort | join("', date '") ~ "')") }}
{% endmacro %}

{# dbt's own macro, with the placeholders filled in. #}
{% macro get_where_subquery(relation) %}
  {% set where = config.get('where') %}
  {% if not where %}{{ return(relation) }}{% endif %}
  {% set filled = where | replace('__in_tested_days__', in_tested_days()) | replace('__in_tested_weeks__', in_tested_days(before=6)) %}
  {{ return('(select * from ' ~ relation ~ ' where ' ~ filled ~ ') as tested') }}
{% endmacro %}
