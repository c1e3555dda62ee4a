"""run_dag.py DAG MOMENT: runs one interval of a DAG as `airflow dags test` does; the interval is the one that ends at MOMENT.

Airflow 3.3's own command ends with an error when a run with a deadline alert succeeds: it looks the alert up by a key that
only a scheduler's database has. So the deadline is left out here.
"""

import datetime
import os
import pathlib
import sys

from airflow.dag_processing.dagbag import BundleDagBag

name, moment = sys.argv[1:]
folder = pathlib.Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
dag = bag.dags[name]
dag.deadline = None
run = dag.test(logical_date=datetime.datetime.fromisoformat(moment))
print(f"{name}: {run.state}")
sys.exit(0 if run.state == "success" else 1)
