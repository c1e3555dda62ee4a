"""The dbt project as Airflow's tasks: where it is, how it is run, and what all DAGs agree on."""

import datetime
import os
import pathlib
import shutil

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior, TestIndirectSelection

from beatlytica_batch.alerts import task_failed

# The marts as of the last hourly run, and those of the nightly one: what other DAGs can be scheduled on.
MARTS = Asset(name="beatlytica_marts", uri="x-beatlytica://marts/hourly")
NIGHTLY_MARTS = Asset(name="beatlytica_nightly_marts", uri="x-beatlytica://marts/nightly")

# One slot: DuckDB lets one process write, and on BigQuery two runs at once could put an older hour over a newer one.
POOL = "beatlytica_marts"
NIGHTLY = "tag:nightly"
# Tests of several models: they wait until all models are built.
ACROSS = ["test_type:singular", "test_name:relationships"]
# Exit code 99 marks a task as skipped.
SKIP = "exit 99"
COMPOSER_DATA = pathlib.Path("/home/airflow/gcs/data/dbt")
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)

DEFAULTS = {
    "retries": 3,
    "retry_delay": datetime.timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": datetime.timedelta(minutes=10),
    "execution_timeout": datetime.timedelta(hours=2),
    "on_failure_callback": task_failed,
}


def project_folder():
    """The dbt project: BEATLYTICA_DBT_PROJECT, or where Composer or the repository has it."""
    named = os.environ.get("BEATLYTICA_DBT_PROJECT")
    if named:
        return pathlib.Path(named)
    return COMPOSER_DATA if COMPOSER_DATA.is_dir() else pathlib.Path(__file__).resolve().parents[4] / "dbt"


def dbt_program():
    """dbt's command: BEATLYTICA_DBT, or what the path has."""
    return os.environ.get("BEATLYTICA_DBT") or shutil.which("dbt") or "dbt"


def target():
    """The database that dbt builds in, as in profiles.yml."""
    return os.environ.get("DBT_TARGET") or "duckdb"


def database():
    """The DuckDB file that holds the marts."""
    return os.environ.get("BEATLYTICA_MARTS") or str(project_folder() / "target" / "beatlytica.duckdb")


def profile():
    """The profile in the project, as it stands."""
    return ProfileConfig(profile_name="beatlytica", target_name=target(), profiles_yml_filepath=project_folder() / "profiles.yml")


def environment():
    """What dbt is given beside Airflow's own environment."""
    # Tasks run in a copy of the project, in which a relative path would be lost.
    return {"BEATLYTICA_MARTS": database(), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def operator_arguments():
    """Arguments of every task that runs dbt through cosmos."""
    return {
        "pool": POOL, "env": environment(), "append_env": True, "install_deps": False, "emit_datasets": False,
        # A process builds one model at most, so on BigQuery, too, its tests may run side by side.
        "dbt_cmd_flags": ["--threads", "2"],
    }


def models(group_id, select=(), exclude=()):
    """A task for each seed and model, which builds it and runs its own tests."""
    manifest = os.environ.get("BEATLYTICA_DBT_MANIFEST")
    return DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            project_folder(), project_name="beatlytica", manifest_path=manifest, install_dbt_deps=False,
            env_vars=None if manifest else environment(),
        ),
        profile_config=profile(),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.LOCAL,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=dbt_program(),
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST if manifest else LoadMode.DBT_LS,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=dbt_program(),
            select=list(select),
            exclude=[*exclude, "resource_type:unit_test"],
            test_behavior=TestBehavior.BUILD,
            emit_datasets=False,
        ),
        operator_args=operator_arguments(),
    )


def command(task_id, script, **arguments):
    """A task that runs a shell script; values come by the environment, never as text in the script."""
    found = {
        **environment(),
        "DBT": dbt_program(),
        "PROJECT": str(project_folder()),
        "DBT_TARGET": target(),
    }
    return BashOperator(
        task_id=task_id, bash_command=f"set -euo pipefail\n{script}\n", env=found, append_env=True,
        skip_on_exit_code=99, **{"pool": POOL, **arguments},
    )
