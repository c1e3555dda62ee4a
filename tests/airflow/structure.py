"""Prints what Airflow reads from the folder of DAGs, as JSON. Runs in Airflow's environment."""

import json
import os
import pathlib

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

folder = pathlib.Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
bag = DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder")


def described(task):
    return {
        "upstream": sorted(task.upstream_task_ids),
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "retry_backoff": bool(task.retry_exponential_backoff),
        "trigger_rule": task.trigger_rule,
        "alerts": bool(task.on_failure_callback),
        "outlets": [outlet.name for outlet in task.outlets],
        "macro": getattr(task, "macro_name", None),
        "command": getattr(task, "bash_command", None),
        "flags": getattr(task, "dbt_cmd_flags", None),
        "select": getattr(task, "select", None),
        "exclude": getattr(task, "exclude", None),
    }


answer = {"errors": {pathlib.Path(path).name: error for path, error in bag.import_errors.items()}, "dags": {}}
for dag in bag.dags.values():
    DagSerialization.to_dict(dag)
    answer["dags"][dag.dag_id] = {
        "timetable": type(dag.timetable).__name__,
        "schedule": getattr(dag.timetable, "expression", None),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "deadlines": [alert.callback.path for alert in dag.deadline or []],
        "tasks": {task.task_id: described(task) for task in dag.tasks},
    }
print("\n" + json.dumps(answer))
