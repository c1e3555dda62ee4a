{# Where the lake is and how its files become relations: files in place on DuckDB, external tables on BigQuery. #}

{# The lake's root without a trailing slash: a folder for DuckDB, gs://bucket/prefix for BigQuery. #}
{% macro lake_root() -%}
  {{ return(env_var('BEATLYTICA__LAKE__URL', '').replace('file://', '').rstrip('/')) }}
{%- endmacro %}

{% macro check_lake_url() %}
  {% if execute and lake_root() == '' %}
    {% do exceptions.raise_compiler_error(
      "BEATLYTICA__LAKE__URL is not set: name the lake, e.g. file:///data/lake (DuckDB) or gs://bucket/prefix (BigQuery)") %}
  {% endif %}
  {#- sources.yml can decode nothing, and where DuckDB writes a path in another way, names of files are cut at the wrong place. -#}
  {% if execute and target.type == 'duckdb' and modules.re.search("/[.]{0,2}(/|$)|[%*?'\\[\\]]", lake_root()) %}
    {% do exceptions.raise_compiler_error(
      "BEATLYTICA__LAKE__URL names the folder " ~ lake_root() ~ ": dbt takes it as it is written, so it can hold no %, *, ?, ', [ or ], and "
      ~ "no //, /./ or /../. Write a space as a space, not as %20; give a folder with one of the others a link without it") %}
  {% endif %}
{% endmacro %}

{# A file's name as the ledger gives it, below the lake's root. #}
{% macro object_name(file_name) -%}
substr({{ file_name }}, {{ lake_root() | length + 2 }})
{%- endmacro %}

{# Columns of the lake's tables: name and type, in the lake's order. #}
{% macro lake_columns(table) %}
  {% set device = [('city', 'string'), ('zip', 'string'), ('state', 'string'), ('user_agent', 'string'),
                   ('lon', 'double'), ('lat', 'double')] %}
  {% set user = [('user_id', 'bigint'), ('last_name', 'string'), ('first_name', 'string'), ('gender', 'string'),
                 ('registration', 'timestamp'), ('tag', 'string')] %}
  {% set track = [('artist', 'string'), ('song', 'string'), ('duration', 'double')] %}
  {% set raw_track = [('song_raw', 'string'), ('artist_raw', 'string')] %}
  {% set time = [('ts', 'timestamp'), ('session_id', 'bigint')] %}
  {% set auth = [('auth', 'string')] %}
  {% set level = [('level', 'string'), ('item_in_session', 'bigint')] %}
  {% set origin = [('kafka_epoch', 'bigint'), ('kafka_partition', 'bigint'), ('kafka_offset', 'bigint'),
                   ('kafka_timestamp', 'timestamp')] %}
  {% set extra = [('extra', 'string')] %}
  {% set columns = {
    'listen_events': track + time + auth + level + device + user + raw_track + origin + extra,
    'page_view_events': time + [('page', 'string')] + auth + [('method', 'string'), ('status', 'bigint')] + level
                        + device + user + track + raw_track + origin + extra,
    'auth_events': time + level + device + user + [('success', 'boolean')] + origin + extra,
    'status_change_events': time + auth + level + device + user + origin + extra,
    'song_counts': [('pane_start', 'timestamp'), ('artist', 'string'), ('song', 'string'), ('level', 'string'),
                    ('plays', 'bigint')],
    'user_activity': [('pane_start', 'timestamp'), ('user_id', 'bigint'), ('level', 'string'), ('gender', 'string'),
                      ('state', 'string')],
  } %}
  {{ return(columns[table]) }}
{% endmacro %}

{#
  The typed rows of a lake table, each with the object that holds it. `hourly`: its folders name the event hour. What of the lake there is
  is looked at behind the ledger, so that no batch has objects which are not.
#}
{% macro lake_table(table, hourly=true) %}
{% if execute and not has_lake_files(table, hourly) %}{{ return(lake_table_without_files(table, hourly)) }}{% endif -%}
-- depends_on: {{ ref('lake_objects') }}
select
  {%- for name, type in lake_columns(table) %}
  {% if type == 'timestamp' -%}
  {{ utc_timestamp(name) }} as {{ name }},
  {%- else -%}
  cast({{ name }} as {{ double_type() if type == 'double' else type }}) as {{ name }},
  {%- endif -%}
  {%- endfor %}
  event_date,
  {%- if hourly %}
  {{ hour_of('event_date', 'event_hour') }} as event_hour,
  cast(event_hour as bigint) as hour_of_day,
  {%- endif %}
  {{ object_name(file_name_column()) }} as lake_object
from {{ source('lake', table) }}
{%- endmacro %}

{#
  The same of a table that no event has reached yet, which is no error. Reading it is one once it has an object: a model that is run
  without this view would else take a batch and leave out its rows.
#}
{% macro lake_table_without_files(table, hourly) -%}
select
  {%- for name, type in lake_columns(table) %}
  cast(null as {{ double_type() if type == 'double' else type }}) as {{ name }},
  {%- endfor %}
  event_date,
  {%- if hourly %}
  event_hour,
  cast(extract(hour from event_hour) as bigint) as hour_of_day,
  {%- endif %}
  object_name as lake_object
from {{ ref('lake_objects') }}
where
  case
    when object_name like 'lake/v1/{{ table }}/%'
      then cast(error(concat('build the view of {{ table }} anew: it has none of ', object_name)) as {{ boolean_type() }})
    else false
  end
{%- endmacro %}

{% macro file_name_column() %}{{ return('_file_name' if target.type == 'bigquery' else 'filename') }}{% endmacro %}

{# Neither database reads files by a pattern that none fits: DuckDB refuses it, BigQuery makes no external table. #}
{% macro has_lake_files(table, hourly) %}{{ return(adapter.dispatch('has_lake_files')(table, hourly)) }}{% endmacro %}

{% macro bigquery__has_lake_files(table, hourly) %}
  {% set files = source('lake', table) %}
  {{ return(adapter.get_relation(files.database, files.schema, files.identifier) is not none) }}
{% endmacro %}

{% macro duckdb__has_lake_files(table, hourly) %}
  {% set pattern = lake_root() ~ '/lake/v1/' ~ table ~ ('/*/*/*.parquet' if hourly else '/*/*.parquet') %}
  {{ return(run_query("select count(*) from (select file from glob('" ~ pattern ~ "') limit 1)").rows[0][0] > 0) }}
{% endmacro %}

{#
  Names the sources whose freshness can be judged, as dbt selects them: a table that no event has reached yet has no file to read.

      dbt --quiet run-operation print_sources_with_files
#}
{% macro print_sources_with_files() %}
  {% for node in graph.sources.values() | sort(attribute='name') if node.loaded_at_field and has_lake_files(node.name, true) %}
    {{ print('source:' ~ node.package_name ~ '.' ~ node.source_name ~ '.' ~ node.name) }}
  {% endfor %}
{% endmacro %}

{#
  Where each chain ends in `lake_ranges`. A range is decided only after the receipt of the one before: what is new lies behind.
#}
{% macro chain_ends() %}
  {% set ends = {} %}
  {% if execute and is_incremental() %}
    {% set query = 'select topic, kafka_epoch, kafka_partition, max(end_offset) from ' ~ this ~ ' group by 1, 2, 3 order by 1, 2, 3' %}
    {% for row in run_query(query).rows %}
      {% do ends.update({row[0] ~ '/e' ~ '%03d' | format(row[1]) ~ '/p' ~ '%05d' | format(row[2]): row[3]}) %}
    {% endfor %}
  {% endif %}
  {{ return(ends) }}
{% endmacro %}

{#
  Ends the run where `lake_ranges` is of another lake than the one that is read: a run reads only what lies behind its ends, and so would show
  the first lake, or mix both. Each chain's first range tells: where it ends, and the checksum of its first object.
#}
{% macro check_whose_ranges() %}
  {% if execute and is_incremental() %}
    {% set known = run_query(
      "select replace(entry, '.json', '.done.json'), cast(end_offset as string), " ~ json_text('objects', '$[0].crc32c')
      ~ " from " ~ this ~ " where start_offset = 0 and kind != 'close' order by 1") %}
    {% set files = [] %}
    {% for row in known.rows %}{% do files.append(lake_root() ~ '/' ~ row[0]) %}{% endfor %}
    {% set found = {} %}
    {% if files %}
      {% set query %}
        select {{ object_name(file_name_column()) }}, {{ json_text('line', '$.end') }}, {{ json_text('line', '$.objects[0].crc32c') }}
        from {{ source('lake', 'ledger') }}
        where {{ file_name_column() }} in ('{{ files | join("', '") }}')
      {% endset %}
      {% for row in run_query(query).rows %}{% do found.update({row[0]: [row[1], row[2]]}) %}{% endfor %}
    {% endif %}
    {% for row in known.rows if found.get(row[0]) != [row[1], row[2]] %}
      {% do exceptions.raise_compiler_error(
        "these marts are of another lake than " ~ lake_root() ~ ": its " ~ row[0] ~ " is not the one that they hold. Give each lake marts of "
        ~ "its own (make marts MARTS=..., BEATLYTICA_MARTS, BEATLYTICA_DATASET), or build all of them anew (dbt build --full-refresh; DuckDB: "
        ~ "delete the file)") %}
    {% endfor %}
  {% endif %}
{% endmacro %}

{# Decisions with their receipts, one row an entry. `seen`: highest end already known of each chain, to read only what follows. #}
{% macro ledger_entries(seen={}) %}
with files as (
  select
    line,
    {{ object_name(file_name_column()) }} as object_name
  from {{ source('lake', 'ledger') }}
  where true
  {%- for chain, known in seen.items() %}
    and (
      {{ file_name_column() }} not like '{{ lake_root() }}/ledger/v1/{{ chain }}/%'
      or {{ file_name_column() }} >= '{{ lake_root() }}/ledger/v1/{{ chain }}/{{ "%020d" | format(known) }}'
    )
  {%- endfor %}
),

decisions as (
  select
    object_name as entry,
    {{ json_text('line', '$.topic') }} as topic,
    {{ json_text('line', '$.table') }} as table_name,
    cast({{ json_text('line', '$.epoch') }} as bigint) as kafka_epoch,
    cast({{ json_text('line', '$.partition') }} as bigint) as kafka_partition,
    cast({{ json_text('line', '$.start') }} as bigint) as start_offset,
    cast({{ json_text('line', '$.end') }} as bigint) as end_offset,
    {{ json_text('line', '$.kind') }} as kind,
    cast({{ json_text('line', '$.records') }} as bigint) as records,
    cast({{ json_text('line', '$.watermark') }} as bigint) as watermark_ms,
    cast({{ json_text('line', '$.schema_version') }} as bigint) as schema_version,
    {{ json_text('line', '$.code_version') }} as code_version
  from files
  where object_name not like '%.done.json' and object_name not like '%/epoch.json'
),

receipts as (
  select
    replace(object_name, '.done.json', '.json') as entry,
    cast({{ json_text('line', '$.lost') }} as bigint) as lost,
    {{ json_document('line', '$.objects') }} as objects
  from files
  where object_name like '%.done.json'
)

select
  decisions.entry,
  decisions.topic,
  decisions.table_name,
  decisions.kafka_epoch,
  decisions.kafka_partition,
  decisions.start_offset,
  decisions.end_offset,
  decisions.kind,
  decisions.records,
  decisions.watermark_ms,
  decisions.schema_version,
  decisions.code_version,
  receipts.entry is not null as is_receipted,
  receipts.lost,
  receipts.objects
from decisions
left join receipts on decisions.entry = receipts.entry
{%- endmacro %}
