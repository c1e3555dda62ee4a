{# What DuckDB and BigQuery spell differently. Times are UTC: TIMESTAMP without a zone in DuckDB, TIMESTAMP in BigQuery. #}

{% macro utc_timestamp(column) %}{{ return(adapter.dispatch('utc_timestamp')(column)) }}{% endmacro %}
{% macro duckdb__utc_timestamp(column) %}cast({{ column }} at time zone 'UTC' as timestamp){% endmacro %}
{% macro bigquery__utc_timestamp(column) %}cast({{ column }} as timestamp){% endmacro %}

{% macro text_type() %}{{ return('string') }}{% endmacro %}

{% macro double_type() %}{{ return('float64' if target.type == 'bigquery' else 'double') }}{% endmacro %}

{% macro boolean_type() %}{{ return('bool' if target.type == 'bigquery' else 'boolean') }}{% endmacro %}

{% macro json_text(document, path) %}{{ return(adapter.dispatch('json_text')(document, path)) }}{% endmacro %}
{% macro duckdb__json_text(document, path) %}json_extract_string({{ document }}, '{{ path }}'){% endmacro %}
{% macro bigquery__json_text(document, path) %}json_value({{ document }}, '{{ path }}'){% endmacro %}

{% macro json_document(document, path) %}{{ return(adapter.dispatch('json_document')(document, path)) }}{% endmacro %}
{% macro duckdb__json_document(document, path) %}cast(json_extract({{ document }}, '{{ path }}') as string){% endmacro %}
{% macro bigquery__json_document(document, path) %}json_query({{ document }}, '{{ path }}'){% endmacro %}

{# One row for each element of a JSON array, as the column `element`: to be cross joined. #}
{% macro json_elements(document) %}{{ return(adapter.dispatch('json_elements')(document)) }}{% endmacro %}
{% macro duckdb__json_elements(document) %}unnest(from_json({{ document }}, '["JSON"]')) as elements (element){% endmacro %}
{% macro bigquery__json_elements(document) %}unnest(json_query_array({{ document }})) as element{% endmacro %}

{# The first group of a pattern, null where it does not match. #}
{% macro first_match(column, pattern) %}{{ return(adapter.dispatch('first_match')(column, pattern)) }}{% endmacro %}
{% macro duckdb__first_match(column, pattern) %}nullif(regexp_extract({{ column }}, '{{ pattern }}', 1), ''){% endmacro %}
{% macro bigquery__first_match(column, pattern) %}regexp_extract({{ column }}, r'{{ pattern }}'){% endmacro %}

{% macro ms_between(earlier, later) %}{{ return(adapter.dispatch('ms_between')(earlier, later)) }}{% endmacro %}
{% macro duckdb__ms_between(earlier, later) %}date_diff('millisecond', {{ earlier }}, {{ later }}){% endmacro %}
{% macro bigquery__ms_between(earlier, later) %}timestamp_diff({{ later }}, {{ earlier }}, millisecond){% endmacro %}

{% macro days_between(earlier, later) %}{{ return(adapter.dispatch('days_between')(earlier, later)) }}{% endmacro %}
{% macro duckdb__days_between(earlier, later) %}date_diff('day', {{ earlier }}, {{ later }}){% endmacro %}
{% macro bigquery__days_between(earlier, later) %}date_diff({{ later }}, {{ earlier }}, day){% endmacro %}

{% macro add_days(date, days) %}{{ return(adapter.dispatch('add_days')(date, days)) }}{% endmacro %}
{% macro duckdb__add_days(date, days) %}cast({{ date }} + to_days(cast({{ days }} as integer)) as date){% endmacro %}
{% macro bigquery__add_days(date, days) %}date_add({{ date }}, interval {{ days }} day){% endmacro %}

{# The value of the first or last row, by `place`, that has one. BigQuery's min_by and max_by give nulls, too; DuckDB's do not. #}
{% macro first_known(column, place) -%}
min_by({{ column }}, case when {{ column }} is not null then {{ place }} end)
{%- endmacro %}
{% macro last_known(column, place) -%}
max_by({{ column }}, case when {{ column }} is not null then {{ place }} end)
{%- endmacro %}

{# For a common table expression that is read more than once: DuckDB would otherwise write its rows down. #}
{% macro inlined() %}{{ return(adapter.dispatch('inlined')()) }}{% endmacro %}
{% macro duckdb__inlined() %}not materialized{% endmacro %}
{% macro bigquery__inlined() %}{% endmacro %}

{% macro add_hours(time, hours) %}{{ return(adapter.dispatch('add_hours')(time, hours)) }}{% endmacro %}
{% macro duckdb__add_hours(time, hours) %}({{ time }} + to_hours({{ hours }})){% endmacro %}
{% macro bigquery__add_hours(time, hours) %}timestamp_add({{ time }}, interval {{ hours }} hour){% endmacro %}

{% macro hour_of(date, hour) %}{{ return(adapter.dispatch('hour_of')(date, hour)) }}{% endmacro %}
{% macro duckdb__hour_of(date, hour) %}(cast({{ date }} as timestamp) + to_hours(cast({{ hour }} as bigint))){% endmacro %}
{% macro bigquery__hour_of(date, hour) %}timestamp_add(timestamp({{ date }}), interval cast({{ hour }} as int64) hour){% endmacro %}

{% macro start_of_hour(time) %}{{ return(adapter.dispatch('start_of_hour')(time)) }}{% endmacro %}
{% macro duckdb__start_of_hour(time) %}date_trunc('hour', {{ time }}){% endmacro %}
{% macro bigquery__start_of_hour(time) %}timestamp_trunc({{ time }}, hour){% endmacro %}

{% macro date_of(time) %}{{ return(adapter.dispatch('date_of')(time)) }}{% endmacro %}
{% macro duckdb__date_of(time) %}cast({{ time }} as date){% endmacro %}
{% macro bigquery__date_of(time) %}date({{ time }}){% endmacro %}

{% macro month_of(date) %}{{ return(adapter.dispatch('month_of')(date)) }}{% endmacro %}
{% macro duckdb__month_of(date) %}cast(date_trunc('month', {{ date }}) as date){% endmacro %}
{% macro bigquery__month_of(date) %}cast(date_trunc({{ date }}, month) as date){% endmacro %}

{# 7-day periods counted from `anchor`, a date before all others. #}
{% macro week_of(date, anchor) -%}
{{ add_days(date, '-mod(' ~ days_between(anchor, date) ~ ', 7)') }}
{%- endmacro %}

{# 1970-01-05 was a Monday. #}
{% macro monday_of(date) %}{{ week_of(date, "date '1970-01-05'") }}{% endmacro %}

{# Sunday is 1, as in BigQuery. #}
{% macro day_of_week(time) %}{{ return(adapter.dispatch('day_of_week')(time)) }}{% endmacro %}
{% macro duckdb__day_of_week(time) %}(extract(dow from {{ time }}) + 1){% endmacro %}
{% macro bigquery__day_of_week(time) %}extract(dayofweek from {{ time }}){% endmacro %}

{# Weeks begin on Sunday; the days before the first Sunday are week 0, as in BigQuery. #}
{% macro week_of_year(time) %}{{ return(adapter.dispatch('week_of_year')(time)) }}{% endmacro %}
{% macro duckdb__week_of_year(time) %}cast(strftime({{ time }}, '%U') as bigint){% endmacro %}
{% macro bigquery__week_of_year(time) %}extract(week from {{ time }}){% endmacro %}

{% macro unix_seconds(time) %}{{ return(adapter.dispatch('unix_seconds')(time)) }}{% endmacro %}
{% macro duckdb__unix_seconds(time) %}cast(epoch_ms({{ time }}) / 1000 as bigint){% endmacro %}
{% macro bigquery__unix_seconds(time) %}unix_seconds({{ time }}){% endmacro %}

{% macro unix_ms(time) %}{{ return(adapter.dispatch('unix_ms')(time)) }}{% endmacro %}
{% macro duckdb__unix_ms(time) %}epoch_ms({{ time }}){% endmacro %}
{% macro bigquery__unix_ms(time) %}unix_millis({{ time }}){% endmacro %}

{# Every hour from one to another, as the column `hour_start`: a relation. #}
{% macro hour_series(earliest, latest) %}{{ return(adapter.dispatch('hour_series')(earliest, latest)) }}{% endmacro %}
{% macro duckdb__hour_series(earliest, latest) -%}
(select unnest(generate_series({{ earliest }}, {{ latest }}, interval 1 hour)) as hour_start)
{%- endmacro %}
{% macro bigquery__hour_series(earliest, latest) -%}
(select hour_start from unnest(generate_timestamp_array({{ earliest }}, {{ latest }}, interval 1 hour)) as hour_start)
{%- endmacro %}

{# A quotient as a floating-point number, null where the divisor is 0. #}
{% macro ratio(dividend, divisor) -%}
cast({{ dividend }} as {{ double_type() }}) / nullif(cast({{ divisor }} as {{ double_type() }}), 0)
{%- endmacro %}

{# A key made of values: 60 bits of an MD5, the same number in both databases. #}
{% macro key_of(columns) -%}
  {%- set parts = [] -%}
  {%- for column in columns -%}
    {%- do parts.append("coalesce(cast(" ~ column ~ " as string), chr(30))") -%}
  {%- endfor -%}
  {%- set text = "concat(" ~ parts | join(", chr(31), ") ~ ")" if parts | length > 1 else parts[0] -%}
  {{ return(adapter.dispatch('key_of_text')(text)) }}
{%- endmacro %}
{% macro duckdb__key_of_text(text) %}cast('0x' || substr(md5({{ text }}), 1, 15) as bigint){% endmacro %}
{% macro bigquery__key_of_text(text) %}cast(concat('0x', substr(to_hex(md5({{ text }})), 1, 15)) as int64){% endmacro %}

{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- if custom_schema_name is none -%}{{ target.schema }}
  {%- elif target.type == 'duckdb' -%}{{ custom_schema_name | trim }}
  {%- else -%}{{ target.schema }}_{{ custom_schema_name | trim }}
  {%- endif -%}
{%- endmacro %}
