"""What keeps lake and marts in order: the slow marts each night, the proof each week."""

import datetime
import pathlib
import sys

from airflow.sdk import DAG, CronDataIntervalTimetable, task

# Composer keeps these files in a folder below the one that Airflow looks for modules in.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from beatlytica_batch import project  # noqa: E402

COMMON = {
    "start_date": project.START,
    "catchup": False,
    "max_active_runs": 1,
    "default_args": project.DEFAULTS,
    "tags": ["beatlytica"],
}

# dbt writes into a folder of the task's own: the project may be read-only, and other runs use its target folder.
SCRATCH = 'export DBT_TARGET_PATH="$PWD/target" DBT_LOG_PATH="$PWD/logs"'
DBT = '"$DBT" --no-use-colors'
WHERE = '--project-dir "$PROJECT" --profiles-dir "$PROJECT"'

with DAG(
    "beatlytica_nightly",
    schedule=CronDataIntervalTimetable("30 2 * * *", timezone="UTC"),
    description="Marts that read a whole year, the sources' freshness, and dbt's documentation.",
    **COMMON,
):

    @task(outlets=[project.NIGHTLY_MARTS])
    def publish():
        """Tells the DAGs that are scheduled on the nightly marts that there are new ones."""

    nightly = project.models("marts", select=[project.NIGHTLY])
    documents = project.command(
        "docs",
        f"""
        {SCRATCH}
        {DBT} docs generate --static {WHERE}
        site="${{BEATLYTICA_DBT_DOCS:-${{AIRFLOW_HOME:-$HOME/airflow}}/dbt-docs}}"
        mkdir -p "$site"
        cp target/static_index.html "$site/index.html"
        """,
    )
    nightly >> publish()
    nightly >> documents
    # Of the tables that events have reached: of the others there is no file, which dbt takes for an error.
    project.command(
        "freshness",
        f"""
        {SCRATCH}
        found=$({DBT} --quiet run-operation print_sources_with_files {WHERE})
        if [ -z "$found" ]; then echo "no table of the lake has an event yet"; {project.SKIP}; fi
        # One word a source.
        {DBT} source freshness --select $found {WHERE}
        """,
    )

with DAG(
    "beatlytica_weekly",
    schedule=CronDataIntervalTimetable("0 4 * * 1", timezone="UTC"),
    description="Proves that the lake is what its ledger says, and tests the marts on every day there is.",
    **COMMON,
):
    # Its turn may come between two models of an hourly run, which then differ. Half an hour later that run is through; what is wrong
    # still is.
    project.command(
        "tests_of_all_days", f"{SCRATCH}\n{DBT} test --exclude-resource-type unit_test --vars 'tested_batches: all' {WHERE}",
        retries=2, retry_delay=datetime.timedelta(minutes=30), retry_exponential_backoff=False,
    )
    # What this finds does not go away by looking again.
    project.command(
        "verify",
        f"""
        if [ -z "${{BEATLYTICA_BIN:-}}" ]; then
          echo "BEATLYTICA_BIN names no engine, so the lake is not verified here: run 'beatlytica verify' where the engine is"
          {project.SKIP}
        fi
        "$BEATLYTICA_BIN" verify
        """,
        pool="default_pool",
        retries=0,
    )
