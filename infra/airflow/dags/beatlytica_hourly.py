"""The hourly run: waits until the lake has the hour, has dbt build what is new, a task a model, and gives Prometheus its figures."""

import datetime
import os
import pathlib
import sys

from airflow.sdk import DAG, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference, PokeReturnValue, SyncCallback, task
from cosmos.operators.local import DbtRunOperationLocalOperator, DbtTestLocalOperator

# Composer keeps these files in a folder below the one that Airflow looks for modules in.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from beatlytica_batch import alerts, markers, project  # noqa: E402

# How long after its end an hour is waited for. What comes later is taken by the next run: dbt goes by the ledger.
PATIENCE = datetime.timedelta(minutes=20)
DEADLINE = datetime.timedelta(minutes=50)

with DAG(
    "beatlytica_hourly",
    description="Waits for an hour of the lake, then builds the marts that it changes.",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=project.START,
    # A run takes all that is new, so missed hours need no runs of their own; running them again changes nothing.
    catchup=False,
    max_active_runs=1,
    default_args=project.DEFAULTS,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=DEADLINE,
        callback=SyncCallback(alerts.deadline_missed, kwargs={"after": f"{DEADLINE.seconds // 60} minutes"}),
    ),
    tags=["beatlytica"],
    doc_md="docs/airflow.md in the repository tells what to do when a task fails.",
):

    @task.sensor(poke_interval=60, timeout=PATIENCE.total_seconds() * 2, mode="reschedule")
    def hour_is_complete(data_interval_start=None, data_interval_end=None):
        """Waits for the completeness markers of all partitions; past the limit says who is missing, and lets the run go on."""
        if data_interval_start is None:
            # Triggered by hand without a date: no hour to wait for.
            return PokeReturnValue(is_done=True, xcom_value={"hour": None, "waiting_for": []})
        lake = markers.open_lake(os.environ.get("BEATLYTICA__LAKE__URL"))
        missing = markers.waiting_for(lake, data_interval_start)
        result = {"hour": markers.hour_name(data_interval_start), "waiting_for": missing}
        if not missing:
            return PokeReturnValue(is_done=True, xcom_value=result)
        late = datetime.datetime.now(datetime.UTC) - data_interval_end
        if late < PATIENCE:
            return PokeReturnValue(is_done=False)
        alerts.say(
            f"beatlytica_hourly: hour {result['hour']} is not complete; going on without "
            f"{len(missing)} partitions: {', '.join(missing[:8])}"
        )
        return PokeReturnValue(is_done=True, xcom_value=result)

    across = DbtTestLocalOperator(
        task_id="tests_across_models",
        project_dir=project.project_folder(),
        profile_config=project.profile(),
        dbt_executable_path=project.dbt_program(),
        invocation_mode=project.InvocationMode.SUBPROCESS,
        select=project.ACROSS,
        exclude=[project.NIGHTLY],
        **project.operator_arguments(),
    )

    @task(outlets=[project.MARTS])
    def publish():
        """Tells the DAGs that are scheduled on the marts that there are new ones."""

    # Also behind tests that failed, for that counts differ is one of them; but where nothing was built there is nothing to say.
    export = project.command(
        "export",
        f"""
        if [ -z "${{BEATLYTICA_METRICS_FILE:-}}" ]; then echo "BEATLYTICA_METRICS_FILE names no file, so nobody reads the figures"; {project.SKIP}; fi
        python="$(dirname "$(command -v "$DBT")")/python"
        "$python" "$PROJECT/scripts/export_metrics.py" "$BEATLYTICA_METRICS_FILE"
        """,
        trigger_rule="all_done_min_one_success",
    )

    ready = hour_is_complete()
    if project.target() == "bigquery":
        # Each hour, for an upgrade may bring columns, and a table comes with its first object. DuckDB reads the lake's files without
        # tables over them.
        ready >>= DbtRunOperationLocalOperator(
            task_id="lake_tables",
            macro_name="create_lake_tables",
            project_dir=project.project_folder(),
            profile_config=project.profile(),
            dbt_executable_path=project.dbt_program(),
            invocation_mode=project.InvocationMode.SUBPROCESS,
            **project.operator_arguments(),
        )
    models = project.models("marts", exclude=[project.NIGHTLY])
    ready >> models >> across >> publish()
    models >> export
