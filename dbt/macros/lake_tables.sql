{#
  The external tables over a lake on Google Cloud Storage, made or brought up to date:

      dbt run-operation create_lake_tables --target bigquery
      dbt run-operation create_lake_tables --target bigquery --args '{print_only: true}'
#}
{% macro create_lake_tables(print_only=false) %}
  {% do check_lake_url() %}
  {% set dataset = target.schema ~ '_lake' %}
  {% set statements = lake_table_statements(lake_root(), target.project, dataset) %}
  {# Terraform makes a deployment's datasets: dbt has no right to, not even to a statement that would find one there. #}
  {% if not adapter.check_schema_exists(target.project, dataset) %}
    {% do statements.insert(0, "create schema `" ~ target.project ~ "`.`" ~ dataset ~ "` options (location = '" ~ target.location ~ "')") %}
  {% endif %}
  {% for statement in statements %}
    {% if print_only %}{{ print(statement ~ ';') }}{% else %}{% do run_query(statement) %}{% endif %}
  {% endfor %}
{% endmacro %}

{% macro lake_table_statements(root, project, dataset) %}
  {% set statements = [] %}
  {% for table in ['listen_events', 'page_view_events', 'auth_events', 'status_change_events', 'song_counts', 'user_activity'] %}
    {% set hourly = table not in ['song_counts', 'user_activity'] %}
    {% set columns = [] %}
    {% for name, type in lake_columns(table) %}
      {% do columns.append(name ~ ' ' ~ {'double': 'float64', 'bigint': 'int64', 'boolean': 'bool'}.get(type, type)) %}
    {% endfor %}
    {% set statement %}
begin
create or replace external table `{{ project }}`.`{{ dataset }}`.`{{ table }}` (
  {{ columns | join(',\n  ') }}
)
with partition columns (event_date date{{ ', event_hour int64' if hourly }})
options (
  format = 'PARQUET',
  uris = ['{{ root }}/lake/v1/{{ table }}/*'],
  hive_partition_uri_prefix = '{{ root }}/lake/v1/{{ table }}',
  require_hive_partition_filter = true
);
exception when error then
  -- Folders without an object, which the table will have with its first event: the models take it for empty.
  if lower(@@error.message) not like '%without any associated files%' then
    raise;
  end if;
end
    {% endset %}
    {% do statements.append(statement | trim) %}
  {% endfor %}
  {# One column, a line: a separator and no quote that JSON could hold. #}
  {% set ledger %}
create or replace external table `{{ project }}`.`{{ dataset }}`.`ledger` (line string)
options (
  format = 'CSV',
  uris = ['{{ root }}/ledger/v1/*'],
  field_delimiter = '\x01',
  quote = ''
)
  {% endset %}
  {% do statements.append(ledger | trim) %}
  {{ return(statements) }}
{% endmacro %}
