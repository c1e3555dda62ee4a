"""The DAGs: that Airflow reads them, and what they hold."""

import json
import pathlib
import re

import pytest

from project import DBT


@pytest.fixture(scope="session")
def manifest(airflow):
    """dbt's own account of the whole project."""
    return airflow.manifest_of(DBT)


def structure_of(airflow, manifest, **environment):
    printed = airflow.run(
        "python", pathlib.Path(__file__).with_name("structure.py"),
        BEATLYTICA_DBT_PROJECT=str(DBT), BEATLYTICA_DBT_MANIFEST=str(manifest), **environment,
    )
    return json.loads(printed.splitlines()[-1])


@pytest.fixture(scope="session")
def structure(airflow, manifest):
    return structure_of(airflow, manifest)


@pytest.fixture(scope="session")
def nodes(manifest):
    return json.loads(manifest.read_text())


def built(nodes, nightly):
    """Seeds and models of the hourly or the nightly run, by dbt's account."""
    return {
        key: node
        for key, node in nodes["nodes"].items()
        if node["resource_type"] in ("model", "seed") and ("nightly" in node["tags"]) == nightly
    }


def task_of(node):
    return f"marts.{node['name']}_{node['resource_type']}_build"


def test_airflow_reads_every_file(structure):
    assert structure["errors"] == {}
    assert set(structure["dags"]) == {"beatlytica_hourly", "beatlytica_nightly", "beatlytica_weekly"}


@pytest.mark.parametrize(("dag", "nightly"), [("beatlytica_hourly", False), ("beatlytica_nightly", True)])
def test_a_task_for_each_model_behind_what_it_reads(structure, nodes, dag, nightly):
    tasks = structure["dags"][dag]["tasks"]
    expected = built(nodes, nightly)
    assert {name for name in tasks if name.startswith("marts.")} == {task_of(node) for node in expected.values()}
    # Two threads are one model's tests; two models at once would undo each other on BigQuery.
    assert all(tasks[task_of(node)]["flags"] == ["--threads", "2"] for node in expected.values())
    for node in expected.values():
        # A seed reads nothing, and the manifest has no list then.
        reads = {task_of(expected[key]) for key in node["depends_on"].get("nodes", []) if key in expected}
        assert reads <= set(tasks[task_of(node)]["upstream"]), node["name"]


def test_nothing_is_built_before_the_hour_is_there(structure, nodes):
    tasks = structure["dags"]["beatlytica_hourly"]["tasks"]
    for name, task in tasks.items():
        assert task["upstream"] or name == "hour_is_complete"
    assert tasks["publish"]["upstream"] == ["tests_across_models"] and tasks["publish"]["outlets"] == ["beatlytica_marts"]


def test_figures_are_exported_behind_a_failed_test_too(structure, nodes):
    """A difference fails the task of `reconciliation`: what waits for its success would never tell of it."""
    tasks = structure["dags"]["beatlytica_hourly"]["tasks"]
    export = tasks["export"]
    assert export["trigger_rule"] == "all_done_min_one_success"
    assert "marts.reconciliation_model_build" in export["upstream"]
    assert all(name.startswith("marts.") for name in export["upstream"])
    # The run itself has failed all the same: of its last tasks, `publish` has.
    assert not any("export" in task["upstream"] for task in tasks.values())
    assert {task["trigger_rule"] for name, task in tasks.items() if name != "export"} == {"all_success"}


def test_bigquery_has_its_tables_over_the_lake_before_any_model(airflow, manifest, structure):
    """Nothing else makes them, nor gives them an upgrade's columns; DuckDB reads the files, and the task is not there."""
    tasks = structure_of(airflow, manifest, DBT_TARGET="bigquery")["dags"]["beatlytica_hourly"]["tasks"]
    made = tasks.pop("lake_tables")
    assert (made["macro"], made["upstream"], made["pool"]) == ("create_lake_tables", ["hour_is_complete"], "beatlytica_marts")
    assert [name for name, task in tasks.items() if not task["upstream"]] == ["hour_is_complete"]
    assert not [name for name, task in tasks.items() if "hour_is_complete" in task["upstream"]]
    assert set(tasks) == set(structure["dags"]["beatlytica_hourly"]["tasks"])


def test_one_process_writes_at_a_time(structure):
    for name, dag in structure["dags"].items():
        assert dag["max_active_runs"] == 1 and not dag["catchup"], name
        for task_id, task in dag["tasks"].items():
            runs_dbt = task_id.startswith(("marts.", "tests_")) or task_id in ("docs", "freshness", "export")
            assert (task["pool"] == "beatlytica_marts") == runs_dbt, f"{name}.{task_id}"
            assert task["pool_slots"] == 1 and task["alerts"], f"{name}.{task_id}"
            assert task["retries"] == {"verify": 0, "tests_of_all_days": 2}.get(task_id, 3), f"{name}.{task_id}"


def test_runs_follow_data_intervals_and_have_a_deadline(structure):
    dags = structure["dags"]
    intervals = {name: dag["schedule"] for name, dag in dags.items() if dag["timetable"] == "CronDataIntervalTimetable"}
    assert intervals == {"beatlytica_hourly": "0 * * * *", "beatlytica_nightly": "30 2 * * *", "beatlytica_weekly": "0 4 * * 1"}
    assert dags["beatlytica_hourly"]["deadlines"] == ["beatlytica_batch.alerts.deadline_missed"]


def test_days_that_hourly_runs_leave_out_are_tested_each_week(structure):
    task = structure["dags"]["beatlytica_weekly"]["tasks"]["tests_of_all_days"]
    assert re.search(r" test .*--vars 'tested_batches: all'", task["command"])
    # Long enough for an hourly run that was half through to end.
    assert (task["retry_delay"], task["retry_backoff"]) == (1800, False)


def test_freshness_is_asked_of_tables_with_files_only(structure):
    command = structure["dags"]["beatlytica_nightly"]["tasks"]["freshness"]["command"]
    assert re.search(r"found=\$\(.* run-operation print_sources_with_files .*\)\n.*source freshness --select \$found ", command, re.DOTALL)


def test_every_test_of_the_hourly_models_is_run_by_some_task(nodes):
    """A model's task runs the tests of it alone; the others must be of the kinds that `tests_across_models` selects."""
    tests = [node for node in nodes["nodes"].values() if node["resource_type"] == "test"]
    assert len(tests) > 100
    for node in tests:
        parents = {key for key in node["depends_on"]["nodes"] if not key.startswith("source.")}
        if len(parents) != 1:
            generic = node.get("test_metadata")
            assert generic is None or generic["name"] == "relationships", node["name"]
