"""The whole project on BigQuery's dialect: in an emulator, table by table what DuckDB has; and every statement parses."""

import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

import duckdb
import pytest
import sqlglot
from harness import QuietHandler, free_ports, serve, wait_until
from tables import TABLES

from project import DBT, HISTORY, ROOT, Project, tables

HERE = pathlib.Path(__file__).resolve().parent / "emulator"
PYTHON = ROOT / ".cache" / "bigquery-venv" / "bin" / "python"
LAKE_URL = "gs://emulated/prefix"
PRINT_LAKE_TABLES = ("--quiet", "run-operation", "create_lake_tables", "--args", "{print_only: true}")
#: Runs a script as nobody, who need not sign in at the emulator.
ANONYMOUS = """
import runpy, sys
import google.auth
from google.auth.credentials import AnonymousCredentials
google.auth.default = lambda **_: (AnonymousCredentials(), "emulated")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def at(endpoint):
    """The environment in which dbt takes what answers there for BigQuery."""
    return {
        "BEATLYTICA__LAKE__URL": LAKE_URL, "BEATLYTICA_GCP_PROJECT": "emulated", "EMULATOR": endpoint, "DBT_TARGET": "bigquery",
        "BIGQUERY_EMULATOR_HOST": endpoint,
    }


class BigQuery(Project):
    """The project against an emulator."""

    def __init__(self, folder):
        port = free_ports(1)[0]
        self.endpoint = f"http://127.0.0.1:{port}"
        super().__init__(folder, folder, profiles=HERE, **at(self.endpoint))
        self.log = self.folder / "emulator.log"
        with self.log.open("wb") as output:
            self.emulator = subprocess.Popen(
                [PYTHON, HERE / "serve.py", str(port), "emulated", self.folder / "data"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, "HOME": str(self.folder)},
            )
        wait_until(self.answers, "the emulator's answer", 60)

    def answers(self):
        assert self.emulator.poll() is None, self.log.read_text()[-3000:]
        try:
            urllib.request.urlopen(f"{self.endpoint}/bigquery/v2/projects/emulated/datasets", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def tool(self, name, *arguments, **options):
        """A script of the emulator's environment."""
        command = [PYTHON, HERE / name, self.endpoint, "emulated", *map(str, arguments)]
        return subprocess.run(command, check=True, timeout=300, **options)

    def load(self, lake):
        """The lake's files, in place of the external tables."""
        self.tool("load.py", lake, LAKE_URL, "beatlytica_lake")

    def close(self):
        """Stops the emulator, which leaves its database as a file."""
        self.emulator.terminate()
        self.emulator.wait(60)


def dashboard_queries():
    """What the dashboard Business asks, by panel, with Grafana's variables filled in."""
    board = json.loads((ROOT / "dashboards" / "business.json").read_text())
    variables = {
        "${project}.${dataset}": "emulated.beatlytica_marts", "${rules}": "billboard-2026",
        "$__timeFrom()": "timestamp '2000-01-01'", "$__timeTo()": "timestamp '2100-01-01'",
    }
    found = {}
    for panel in board["panels"]:
        if panel["type"] != "row":
            statement = panel["targets"][0]["rawSql"]
            for name, value in variables.items():
                statement = statement.replace(name, value)
            found[panel["title"]] = statement
    return found


@pytest.fixture(scope="module")
def bigquery(tmp_path_factory, late):
    """Built on the first part of the scenario, then carried on with the second."""
    project = BigQuery(tmp_path_factory.mktemp("bigquery"))
    try:
        project.load(late.first_lake)
        project.run("seed")
        project.run("run")
        project.load(late.engine.lake)
        project.run("build")
        project.lake_tables = project.run(*PRINT_LAKE_TABLES)
        project.export(project.folder / "marts.prom", "-c", ANONYMOUS)
        asked = project.tool("query.py", input=json.dumps(dashboard_queries()), stdout=subprocess.PIPE, text=True)
        project.found = json.loads(asked.stdout)
        project.lint = subprocess.run(
            [sys.executable, "-m", "sqlfluff", "lint", "models", "tests", "--processes", "1", "--disable-progress-bar",
             "--config", HERE / "sqlfluff.cfg"],
            cwd=DBT, env=project.environment, capture_output=True, text=True, check=False, timeout=300,
        )
    finally:
        project.close()
    return project


def comparable(db, relation):
    """Columns of a relation as text that both databases write alike."""
    columns = []
    for name, kind, *_ in db.execute(f"describe {relation}").fetchall():
        if kind == "TIMESTAMP WITH TIME ZONE":
            columns.append(f'("{name}" at time zone \'UTC\')::timestamp as "{name}"')
        elif kind == "DOUBLE":
            columns.append(f'round("{name}", 9) as "{name}"')
        else:
            columns.append(f'"{name}"')
    return columns


def test_every_table_equals_duckdbs(bigquery, late):
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    db.execute(f"attach '{bigquery.folder}/data/bqemulator.duckdb' as emulated (read_only)")
    db.execute(f"attach '{late.rebuilt.database}' as local (read_only)")
    compared = 0
    for schema, table in tables(late.rebuilt.connect()):
        excluded = HISTORY.get(table, [])
        if excluded is None:
            continue
        sides = []
        for relation in (f"local.{schema}.{table}", f"emulated.emulated__beatlytica_{schema}.{table}"):
            columns = [each for each in comparable(db, f"select * from {relation}")
                       if each.strip('"') not in excluded]
            sides.append(f"(select {', '.join(columns)} from {relation})")
        for left, right in (sides, sides[::-1]):
            rows = db.execute(f"select * from ({left} except all {right}) limit 3").fetchall()
            assert not rows, f"{schema}.{table}: {rows}"
        compared += 1
    assert compared >= 40


def test_the_figures_for_prometheus_equal_duckdbs(bigquery, late):
    late.rebuilt.export(late.rebuilt.folder / "marts.prom")
    figures = [(project.folder / "marts.prom").read_text().splitlines() for project in (bigquery, late.rebuilt)]
    written = "beatlytica_marts_exported_timestamp_seconds "
    bigquerys, duckdbs = ([line for line in lines if not line.startswith(written)] for lines in figures)
    assert bigquerys == duckdbs and len(duckdbs) == len(figures[1]) - 1


def test_every_panel_of_the_dashboard_finds_rows(bigquery):
    assert bigquery.found and all(bigquery.found.values()), bigquery.found
    for title, statement in dashboard_queries().items():
        [parsed] = sqlglot.parse(statement, read="bigquery")
        assert not [node.name for node in parsed.find_all(sqlglot.exp.Anonymous)], title


def test_sql_is_in_style(bigquery):
    assert bigquery.lint.returncode == 0, bigquery.lint.stdout[-3000:] + bigquery.lint.stderr[-2000:]


def test_every_statement_is_bigquerys(bigquery):
    """The emulator takes some functions of DuckDB's; a parser of BigQuery's dialect, and one round through it, does not."""
    compiled = sorted((bigquery.folder / "target" / "compiled").rglob("*.sql"))
    assert len(compiled) > 100
    for path in compiled:
        text = path.read_text()
        for statement in filter(None, sqlglot.parse(text, read="bigquery")):
            unknown = [node.name for node in statement.find_all(sqlglot.exp.Anonymous)]
            assert not set(map(str.lower, unknown)) - BIGQUERY_FUNCTIONS, f"{path.name}: {unknown}"
            sqlglot.parse_one(statement.sql("bigquery"), read="bigquery")


#: Columns that decide an order and that a record may lack.
LACKED = {"session_id", "item_in_session", "artist", "song", "artistName", "title", "name"}


def test_what_may_be_null_is_ordered_last_in_both(bigquery):
    """BigQuery takes nulls first where nothing is said, DuckDB last: the same plays would have other places."""
    ordered, without_nulls = 0, ("plays", "listening_ends_at_the_next_event")
    for path in (bigquery.folder / "target" / "compiled").rglob("*.sql"):
        for statement in filter(None, sqlglot.parse(path.read_text(), read="bigquery")):
            for term in statement.find_all(sqlglot.exp.Ordered):
                if path.stem not in without_nulls and isinstance(term.this, sqlglot.exp.Column) and term.this.name in LACKED:
                    ordered += 1
                    assert not term.args["nulls_first"], f"{path.name}: {term.sql('bigquery')}"
    assert ordered >= 10


# What BigQuery has and sqlglot knows only by its name.
BIGQUERY_FUNCTIONS = set()


def test_partition_filters_are_there(bigquery):
    """Tables that require a filter on their partitions get one in every statement that reads them; the emulator does not ask."""
    manifest = bigquery.manifest()
    required = {
        node["name"]: node["config"]["partition_by"]["field"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"].get("require_partition_filter")
    }
    assert {"events", "plays", "user_spans", "session_hours", "user_days"} <= set(required)
    for path in (bigquery.folder / "target" / "compiled").rglob("*.sql"):
        if "core.yml" in path.parts:
            # Such a filter that leaves every day is there only when asked for.
            assert "1970-01-01" not in path.read_text(), f"{path.name} tests the whole history"
        for statement in filter(None, sqlglot.parse(path.read_text(), read="bigquery")):
            for table in statement.find_all(sqlglot.exp.Table):
                if table.name not in required:
                    continue
                select = table.find_ancestor(sqlglot.exp.Select)
                where = select.args.get("where")
                columns = {column.name for column in where.find_all(sqlglot.exp.Column)} if where else set()
                viewed = path.stem in ("fact_streams", "wide_stream")
                assert viewed or required[table.name] in columns, f"{path.name} reads {table.name} whole"


@pytest.mark.parametrize("found", [True, False])
def test_the_dataset_of_the_external_tables_is_made_only_where_there_is_none(tmp_path, found):
    """A deployment's is Terraform's, and its account may make none. The emulator lists the tables of a dataset that is not there."""
    asked = []

    class Handler(QuietHandler):
        def do_GET(self):
            asked.append(self.path.partition("?")[0])
            answer = {"tables": []} if found else {"error": {"code": 404, "message": "Not found: Dataset"}}
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    with serve(Handler) as server:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            printed = Project(tmp_path, tmp_path, profiles=HERE, **at(endpoint)).run(*PRINT_LAKE_TABLES)
        finally:
            server.shutdown()
    assert asked == ["/bigquery/v2/projects/emulated/datasets/beatlytica_lake/tables"]
    assert printed.startswith("begin\ncreate or replace external table" if found else "create schema `emulated`.`beatlytica_lake`")
    assert printed.count("create schema") == (not found) and printed.count("external table `emulated`.`beatlytica_lake`.") == 7


#: What BigQuery answers where an external table by folders would have no object, and how a script goes on behind it.
WITHOUT_FILES = re.compile(
    r"begin\n(create or replace external table .*?\n\));\nexception when error then\n.*?"
    r"lower\(@@error\.message\) not like '%(without any associated files)%' then\n    raise;\n  end if;\nend;\n", re.DOTALL,
)


def test_a_table_of_the_lake_that_no_event_has_reached_is_empty(tmp_path):
    """BigQuery makes no external table without an object, so there is none; the others are read."""
    made = [table for table in TABLES if table != "auth_events"]

    class Handler(QuietHandler):
        def do_GET(self):
            resources = {
                table: {"tableReference": {"projectId": "emulated", "datasetId": "beatlytica_lake", "tableId": table}, "type": "EXTERNAL"}
                for table in made
            }
            asked = re.search(r"/datasets/(\w+)/(?:tables|routines)(?:/(\w+))?(?:\?|$)", self.path)
            answer = {"tables": list(resources.values()) if asked and asked[1] == "beatlytica_lake" else []}
            if asked and asked[2]:
                answer = resources.get(asked[2], {"error": {"code": 404, "message": "Not found"}})
            self.send_response(404 if "error" in answer else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    with serve(Handler) as server:
        project = Project(tmp_path, tmp_path, profiles=HERE, **at(f"http://127.0.0.1:{server.server_port}"))
        try:
            project.run("compile", "--select", "stg_listen_events", "stg_auth_events")
            judged = project.run("--quiet", "run-operation", "print_sources_with_files").split()
        finally:
            server.shutdown()
    assert judged == ["source:beatlytica.lake.listen_events", "source:beatlytica.lake.page_view_events"]
    compiled = {path.stem: path.read_text() for path in (tmp_path / "target" / "compiled").rglob("stg_*.sql")}
    parsed = {name: sqlglot.parse_one(text, read="bigquery") for name, text in compiled.items()}
    read = {name: {table.name for table in tree.find_all(sqlglot.exp.Table)} for name, tree in parsed.items()}
    assert read == {"stg_listen_events": {"listen_events"}, "stg_auth_events": {"lake_objects"}}
    assert "_file_name" not in compiled["stg_auth_events"], "a view's columns may not have this name"
    ends = {tuple(tree.named_selects[-4:]) for tree in parsed.values()}
    assert ends == {("event_date", "event_hour", "hour_of_day", "lake_object")}


# Types of the lake's files as BigQuery reads them.
EXTERNAL = {
    "BIGINT": "INT64", "INTEGER": "INT64", "DOUBLE": "FLOAT64", "VARCHAR": "STRING", "BOOLEAN": "BOOL",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}


def test_the_external_tables_have_the_columns_of_the_lakes_files(bigquery, late):
    """The emulator has no external tables: the statements are parsed, but for the clause that the parser does not know."""
    clause = re.compile(r"with partition columns \(([^)]*)\)\n")
    partitions = {}
    refused = WITHOUT_FILES.findall(bigquery.lake_tables)
    # That of the ledger has no folders, and nothing can be done without it.
    assert len(refused) == 6 and {words for _, words in refused} == {"without any associated files"}
    for statement in filter(str.strip, WITHOUT_FILES.sub(r"\1;\n", bigquery.lake_tables).split(";\n")):
        found = clause.search(statement)
        parsed = sqlglot.parse_one(clause.sub("", statement), read="bigquery")
        assert isinstance(parsed, sqlglot.exp.Create)
        table = parsed.find(sqlglot.exp.Table)
        assert (table.catalog, table.db) == ("emulated", "beatlytica_lake")
        options = {each.name: each.args.get("value") for each in parsed.find_all(sqlglot.exp.Property) if each.name}
        uris = options["uris"].sql("bigquery")
        columns = {each.name: each.args["kind"].sql("bigquery") for each in parsed.find_all(sqlglot.exp.ColumnDef)}
        if table.name == "ledger":
            assert columns == {"line": "STRING"} and uris == f"['{LAKE_URL}/ledger/v1/*']"
            continue
        partitions[table.name] = found.group(1)
        assert uris == f"['{LAKE_URL}/lake/v1/{table.name}/*']"
        assert options["hive_partition_uri_prefix"].name == f"{LAKE_URL}/lake/v1/{table.name}"
        files = f"{late.engine.lake}/lake/v1/{table.name}/**/*.parquet"
        reader = f"read_parquet('{files}', hive_partitioning = false, union_by_name = true)"
        described = duckdb.sql(f"describe select * from {reader}").fetchall()
        assert columns == {name: EXTERNAL[kind] for name, kind, *_ in described}, table.name
    hourly = "event_date date, event_hour int64"
    assert partitions == {**dict.fromkeys(TABLES, hourly), "song_counts": "event_date date", "user_activity": "event_date date"}
