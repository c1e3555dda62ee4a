"""The project's own order: rules current, style, documentation, what it exports, and that the documents' queries run."""

import ast
import json
import re
import shutil
import subprocess
import sys
import time

import duckdb
import pytest
import yaml

from project import DBT, ROOT, Project

RULES = DBT / "scripts" / "chart_rules.py"


def rules(*arguments, script=RULES):
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_the_seed_is_what_the_chart_rules_say():
    checked = rules("--check")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("paid = 5", "paid = 5.5", "points.paid is 5.5"),
        ('week_starts_on = "friday"', 'week_starts_on = "freitag"', "week_starts_on is 'freitag'"),
        ('week_starts_on = "friday"', 'week_starts_on = "monday"', "differ in week_starts_on"),
        ("positions = 200", "places = 200", "unknown keys ['places'], missing keys ['positions']"),
        ("paid = 5", "paid = 4", "not what config/charts says"),
    ],
)
def test_rules_that_are_wrong_or_not_in_the_seed_are_refused(tmp_path, old, new, said):
    for path in [*(ROOT / "config" / "charts").glob("*.toml"), RULES, DBT / "seeds" / "chart_rules.csv"]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text()
        copy.write_text(text.replace(old, new) if path.name == "billboard-2026.toml" else text)
    checked = rules("--check", script=tmp_path / RULES.relative_to(ROOT))
    assert checked.returncode == 1
    assert said in checked.stderr


def test_bigquery_builds_one_model_at_a_time():
    """Each changes its row of lake_applied in a transaction; of two at once on a table BigQuery cancels one. The emulator does not."""
    outputs = yaml.safe_load((DBT / "profiles.yml").read_text())["beatlytica"]["outputs"]
    assert outputs["bigquery"]["threads"] == 1


def test_sql_is_in_style(late):
    linted = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "models", "tests", "--processes", "1", "--disable-progress-bar"],
        cwd=DBT, env={**late.rebuilt.environment, "BEATLYTICA_MARTS": str(late.rebuilt.database)}, capture_output=True, text=True, check=False, timeout=300,
    )
    assert linted.returncode == 0, linted.stdout[-3000:] + linted.stderr[-2000:]


def test_documentation_covers_every_model_and_column(late):
    late.rebuilt.run("docs", "generate")
    manifest = late.rebuilt.manifest()
    catalog = json.loads((late.rebuilt.folder / "target" / "catalog.json").read_text())["nodes"]
    for name, node in manifest["nodes"].items():
        if node["resource_type"] not in ("model", "seed"):
            continue
        described = {column for column, entry in node["columns"].items() if entry["description"]}
        assert node["description"], name
        assert set(catalog[name]["columns"]) == described, name


def test_every_model_of_tables_has_a_tested_key(late):
    manifest = late.rebuilt.manifest()
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["name"].startswith("unique")
    }
    for name, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and not node["path"].startswith("staging"):
            assert name in tested, name


def test_a_lakes_address_that_dbt_would_take_for_another_is_refused(tmp_path):
    project = Project(tmp_path, tmp_path / "marts", BEATLYTICA__LAKE__URL="file:///data/my%20lake")
    assert "names the folder /data/my%20lake" in project.run("run", "--select", "lake_applied", code=2)
    # A start of dbt takes ten seconds: the others are held against what it looks for.
    refused = re.compile(ast.literal_eval(re.search(r'modules\.re\.search\((".*"), lake_root', (DBT / "macros" / "lake.sql").read_text())[1]))
    assert all(refused.search(f"/data/{name}") for name in ("my%20lake", "a//lake", "a/./lake", "a/../lake", "it's", "lake[1]", "lake/.."))
    assert not any(refused.search(f"/data/{name}") for name in ("lake", "my lake", "a.lake/..b"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [("headline_rules: billboard", "headline_rules is billboard, which is no rule set"), ("max_song_ms: 3600001", "max_song_ms is 3600001")],
)
def test_settings_that_no_play_can_go_by_are_refused(late, setting, said):
    """Nothing would count, or an increment would leave out what it reads: neither says so by itself."""
    project = late.behind(f"wrong-{setting.partition(':')[0]}")
    assert said in project.run("compile", "--select", "plays", "--vars", setting, code=2)


def test_freshness_is_judged_of_tables_that_have_files(late, tmp_path):
    """dbt takes one without a file for an error; the nightly run asks for the others."""
    (tmp_path / "lake" / "v1").mkdir(parents=True)
    for table in ("listen_events", "page_view_events"):
        (tmp_path / "lake" / "v1" / table).symlink_to(late.engine.lake / "lake" / "v1" / table)
    project = Project(tmp_path, tmp_path / "marts")
    found = project.run("--quiet", "run-operation", "print_sources_with_files").split()
    assert found == ["source:beatlytica.lake.listen_events", "source:beatlytica.lake.page_view_events"]
    project.run("source", "freshness", "--select", *found)


def test_a_lakes_folder_may_have_a_space_in_its_name(late, tmp_path):
    (tmp_path / "my lake").symlink_to(late.engine.lake)
    project = Project(tmp_path, tmp_path / "marts", BEATLYTICA__LAKE__URL=f"file://{tmp_path}/my lake/")
    project.run("run", "--select", "lake", "stg_listen_events")
    with project.connect() as db:
        assert db.execute("select count(*) from staging.stg_listen_events semi join lake.lake_objects on lake_object = object_name").fetchone()[0] > 0


@pytest.fixture(scope="module")
def for_bigquery(tmp_path_factory):
    """dbt's description of the project on BigQuery, its datasets under a name of one's own."""
    folder = tmp_path_factory.mktemp("for-bigquery")
    project = Project(folder, folder, DBT_TARGET="bigquery", BEATLYTICA_GCP_PROJECT="p", BEATLYTICA_DATASET="music_2")
    project.run("parse")
    return project.manifest()


def test_what_holds_every_day_of_the_lake_has_no_partitions_by_day(for_bigquery):
    """BigQuery writes 4,000 at once and keeps 10,000: the calendar bounds the other tables, and a list of hours what a run changes."""
    models = {node["name"]: node for node in for_bigquery["nodes"].values() if node["resource_type"] == "model"}
    assert models["events"]["config"]["partition_by"]["field"] == "event_date"
    assert "partition_by" not in models["lake_objects"]["config"]
    hours = yaml.safe_load((DBT / "dbt_project.yml").read_text())["vars"]["max_listed_hours"]
    for name, node in models.items():
        spec = node["config"].get("meta", {}).get("replaces", {})
        assert hours * (1 + spec.get("back", 0) + spec.get("forward", 0)) <= 4000, name


def test_every_relation_lies_in_a_dataset_that_terraform_makes(for_bigquery):
    """Under a name of one's own, too: dbt may make no dataset."""
    made_by_dbt = (node for node in for_bigquery["nodes"].values() if node["resource_type"] in ("model", "seed"))
    relations = [*for_bigquery["sources"].values(), *made_by_dbt]
    terraform = (ROOT / "terraform" / "modules" / "bigquery" / "main.tf").read_text()
    made = {"music_2" + end for end in re.findall(r'^    "\$\{local\.prefix\}(\w+)" += "', terraform, re.MULTILINE)}
    assert {relation["schema"] for relation in relations} == made


def export(marts, database, file):
    """Lines of the file of figures, after the script ran on a database."""
    marts.export(file, database=database)
    return file.read_text().splitlines()


def test_metrics_for_prometheus(late, tmp_path):
    lines = export(late.rebuilt, late.rebuilt.database, tmp_path / "marts.prom")
    assert 'beatlytica_reconciliation_difference{table="song_counts"} 0' in lines
    [exported] = [line.split()[1] for line in lines if line.startswith("beatlytica_marts_exported_timestamp_seconds ")]
    assert abs(int(exported) - time.time()) < 60
    assert f'beatlytica_marts_records{{topic="listen_events",measure="duplicates"}} {late.copies["listen_events"]}' in lines
    assert all(re.fullmatch(r'# (HELP|TYPE) .+|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? -?\d+', line) for line in lines)


def test_figures_are_exported_when_counts_differ_and_kept_when_they_were_not_recounted(late, tmp_path):
    database, file = shutil.copy(late.rebuilt.database, tmp_path / "changed.duckdb"), tmp_path / "marts.prom"
    with duckdb.connect(str(database)) as db:
        db.execute("update marts.reconciliation set differing_groups = 3 where event_hour = (select max(event_hour) from marts.reconciliation)")
    differing = export(late.rebuilt, database, file)
    assert 'beatlytica_reconciliation_differing_groups{table="song_counts"} 3' in differing
    # The next run fails between the ledger and the recount.
    with duckdb.connect(str(database)) as db:
        db.execute("insert into lake.lake_ranges (entry, batch) select 'new', max(batch) + 1 from lake.lake_ranges")
        db.execute("update marts.reconciliation set differing_groups = 0")
    assert export(late.rebuilt, database, file) == differing
    with duckdb.connect(str(database)) as db:
        db.execute("drop table marts.reconciliation")
        db.execute("delete from lake.lake_applied where model = 'reconciliation'")
    assert export(late.rebuilt, database, file) == differing


def test_figures_are_exported_from_where_dbt_builds_by_itself(late, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "beatlytica.duckdb").symlink_to(late.rebuilt.database)
    environment = {name: value for name, value in late.rebuilt.environment.items() if name != "BEATLYTICA_MARTS"}
    subprocess.run([sys.executable, DBT / "scripts" / "export_metrics.py", "marts.prom"], env=environment, cwd=tmp_path, check=True, timeout=120)
    assert "beatlytica_marts_records" in (tmp_path / "marts.prom").read_text()


def blocks(language):
    """Code blocks of docs/query.md."""
    text = (ROOT / "docs" / "query.md").read_text()
    return re.findall(rf"## (\w+)\n(?:(?!\n## ).)*?```{language}\n(.*?)```", text, re.DOTALL)


def test_the_documented_duckdb_queries_run(late):
    code = dict(blocks("sql"))["DuckDB"].replace(".demo/lake/", f"{late.engine.lake}/")
    db = duckdb.connect()
    answered = [db.execute(statement).fetchall() for statement in filter(str.strip, code.split(";"))]
    assert [len(rows) for rows in answered[1:]] == [10, 10, 24]
    # Ranked by plays, both ways: the counts and the events agree.
    assert [row[2] for row in answered[1]] == [row[2] for row in answered[2]]


def test_the_documented_polars_query_runs(late):
    code = dict(blocks("python"))["Polars"].replace(".demo/lake/", f"{late.engine.lake}/")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "shape: (10, 4)" in printed
