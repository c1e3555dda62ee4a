"""What keeps lake and marts in order: figures after each hourly run, the slow marts each night, the proof each week."""

import pathlib
import sys

from airflow.providers.standard.operators.bash import BashOperator
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
# Exit code 99 marks a task as skipped.
SKIP = "exit 99"


def command(task_id, script, **arguments):
    """A task that runs a shell script; values come by the environment, never as text in the script."""
    found = {
        **project.environment(),
        "DBT": project.dbt_program(),
        "PROJECT": str(project.project_folder()),
        "DBT_TARGET": project.target(),
    }
    return BashOperator(
        task_id=task_id, bash_command=f"set -euo pipefail\n{script}\n", env=found, append_env=True,
        skip_on_exit_code=99, **{"pool": project.POOL, **arguments},
    )


# dbt writes into a folder of the task's own: the project may be read-only, and other runs use its target folder.
SCRATCH = 'export DBT_TARGET_PATH="$PWD/target" DBT_LOG_PATH="$PWD/logs"'
DBT = '"$DBT" --no-use-colors'
WHERE = '--project-dir "$PROJECT" --profiles-dir "$PROJECT"'

with DAG("beatlytica_metrics", schedule=[project.MARTS], description="Figures of the marts for Prometheus.", **COMMON):
    command(
        "export",
        f"""
        if [ -z "${{BEATLYTICA_METRICS_FILE:-}}" ]; then echo "BEATLYTICA_METRICS_FILE names no file, so nobody reads the figures"; {SKIP}; fi
        python="$(dirname "$(command -v "$DBT")")/python"
        "$python" "$PROJECT/scripts/export_metrics.py" "$BEATLYTICA_METRICS_FILE"
        """,
    )

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
    documents = command(
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
    command("freshness", f"{SCRATCH}\n{DBT} source freshness {WHERE}")

with DAG(
    "beatlytica_weekly",
    schedule=CronDataIntervalTimetable("0 4 * * 1", timezone="UTC"),
    description="Proves that the lake is what its ledger says.",
    **COMMON,
):
    command(
        "verify",
        f"""
        if [ -z "${{BEATLYTICA_BIN:-}}" ]; then
          echo "BEATLYTICA_BIN names no engine, so the lake is not verified here: run 'beatlytica verify' where the engine is"
          {SKIP}
        fi
        "$BEATLYTICA_BIN" verify
        """,
        pool="default_pool",
        # What it finds does not go away by looking again.
        retries=0,
    )
