"""Loads a lake's files into the emulator: the stand-in for the external tables, which it does not have.

    load.py ENDPOINT PROJECT LAKE_FOLDER ROOT DATASET

Runs in the emulator's own environment. Each table becomes a native one with the columns of the files, those of their folders'
names, and `_file_name`, which BigQuery gives for external tables by itself. ROOT stands for the lake's gs:// URL.
"""

import pathlib
import sys
import tempfile

import duckdb
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

HOURLY = ("listen_events", "page_view_events", "auth_events", "status_change_events")
DAILY = ("song_counts", "user_activity")

TYPES = {
    "VARCHAR": "STRING", "BIGINT": "INTEGER", "INTEGER": "INTEGER", "DOUBLE": "FLOAT", "BOOLEAN": "BOOLEAN",
    "DATE": "DATE", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}


def rows_of(db, lake, table, root):
    """A table's rows as a query."""
    pattern = f"{lake}/lake/v1/{table}/" + ("*/*/*.parquet" if table in HOURLY else "*/*.parquet")
    name = f"'{root}' || substr(filename, {len(str(lake)) + 1}) as _file_name"
    return f"select * exclude (filename), {name} from read_parquet('{pattern}', hive_partitioning = true, filename = true)"


def main():
    endpoint, project, lake, root, dataset = sys.argv[1:]
    lake = pathlib.Path(lake)
    client = bigquery.Client(
        project=project, credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=endpoint)
    )
    client.create_dataset(dataset, exists_ok=True)
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    queries = {table: rows_of(db, lake, table, root) for table in (*HOURLY, *DAILY)}
    queries["ledger"] = (
        f"select cast(json as varchar) as line, '{root}' || substr(filename, {len(str(lake)) + 1}) as _file_name "
        f"from read_json_objects('{lake}/ledger/v1/*/*/p*/*.json', format = 'unstructured', filename = true)"
    )
    for table, query in queries.items():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "rows.parquet"
            db.execute(f"copy ({query}) to '{path}' (format parquet)")
            columns = db.execute(f"describe {query}").fetchall()
            fields = [bigquery.SchemaField(name, TYPES[kind]) for name, kind, *_ in columns]
            name = f"{project}.{dataset}.{table}"
            client.delete_table(name, not_found_ok=True)
            client.create_table(bigquery.Table(name, schema=fields))
            settings = bigquery.LoadJobConfig(source_format="PARQUET", schema=fields)
            with path.open("rb") as rows:
                client.load_table_from_file(rows, name, job_config=settings).result(timeout=120)


if __name__ == "__main__":
    main()
