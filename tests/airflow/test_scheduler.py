"""An hour run by hand, then Airflow as it runs in service: on time, with late data and a killed task, and past its deadline.

The clock of Airflow is set by the test (tests/e2e/clock.py); the scheduler, its tasks, dbt and the lake are real.
"""

import datetime
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import urllib.request

import duckdb
import pytest
from harness import free_ports, wait_until

from conftest import DAY
from project import Project, differences

HOURLY = "beatlytica_hourly"
# A task takes about five seconds on a quiet machine; a run of the whole project has fifty.
PATIENCE = 1200


class Service:
    """`airflow standalone` on ports of its own: scheduler, DAG processor, triggerer, API server, tasks as processes."""

    def __init__(self, airflow):
        self.airflow = airflow
        self.log = airflow.folder / "standalone.log"
        api, tasks, triggers = free_ports(3)
        self.health = f"http://127.0.0.1:{api}/api/v2/monitor/health"
        self.environment = {
            **airflow.environment,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(tasks),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggers),
            "AIRFLOW__CORE__PARALLELISM": "2",
        }

    def __enter__(self):
        with self.log.open("wb") as output:
            self.child = subprocess.Popen(
                [self.airflow.program / "airflow", "standalone"], env=self.environment, cwd=self.airflow.folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(60)
        finally:
            # Its group is its own session's: what it left behind must not outlive the test.
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def is_healthy(self):
        """Whether the API server answers, which tasks need, and the scheduler is at work."""
        try:
            with urllib.request.urlopen(self.health, timeout=10) as answer:
                return json.load(answer)["scheduler"]["status"] == "healthy"
        except OSError:
            return False

    def query(self, text, *values):
        """Rows of Airflow's own database."""
        with sqlite3.connect(f"file:{self.airflow.folder}/home/airflow.db?mode=ro", uri=True, timeout=30) as db:
            return db.execute(text, values).fetchall()

    def wait(self, condition, what, deadline=PATIENCE):
        """Waits for a condition, as long as the service lives."""
        def holds():
            assert self.child.poll() is None, self.log.read_text()[-5000:]
            return condition()

        try:
            return wait_until(holds, what, deadline, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.states()}\n{self.log.read_text()[-3000:]}") from None

    def states(self):
        """What the tasks of the newest run are at."""
        return self.query(
            "select task_id, state, try_number from task_instance where run_id = (select run_id from dag_run order by id desc limit 1)"
        )

    def run_of(self, hour):
        """The scheduled run for the hour that begins so: (state, queued at, attempts of its task for `events`)."""
        found = self.query(
            "select state, queued_at, run_id from dag_run where dag_id = ? and run_type = 'scheduled' and data_interval_start like ?",
            HOURLY, f"{DAY:%Y-%m-%d} {hour:02}:%",
        )
        assert len(found) <= 1
        return found[0] if found else None

    def task(self, hour, name):
        """State and number of attempts of a task."""
        run = self.run_of(hour)
        found = run and self.query("select state, try_number from task_instance where run_id = ? and task_id = ?", run[2], name)
        return found[0] if found else (None, 0)

    def given_back(self, hour, name):
        """Whether the scheduler knows that the task's last process has ended: not before that may the clock be moved."""
        run = self.run_of(hour)[2]
        pattern = rf"Received executor event .*task_id='{re.escape(name)}', run_id='{re.escape(run)}'"
        return re.search(pattern, self.log.read_text(errors="replace"))

    def ended(self, hour):
        """The state of an hour's run once it has ended."""
        self.wait(lambda: (self.run_of(hour) or [None])[0] in ("success", "failed"), f"the end of the run for hour {hour}")
        return self.run_of(hour)[0]


def holders(database):
    """Processes that have the file open."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(link) == str(database) for link in (process / "fd").iterdir()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def by_hand(airflow):
    """The hour from four to five, run as `airflow dags test` does: all that the lake holds by then."""
    airflow.run("python", pathlib.Path(__file__).with_name("run_dag.py"), HOURLY, DAY.replace(hour=5).isoformat())


def test_an_hour_run_by_hand_equals_dbts_own_build(airflow, project, by_hand, tmp_path):
    expected = Project(airflow.lake, tmp_path / "expected", source=project)
    expected.run("build", "--exclude", "tag:nightly")
    assert differences(airflow, expected) == {}
    with duckdb.connect() as db:
        files = f"{airflow.lake}/lake/v1/*_events/*/*/*.parquet"
        arrived = db.execute(f"select count(*) from read_parquet('{files}', union_by_name = true)").fetchone()[0]
    assert expected.connect().execute("select count(*) from core.events").fetchone()[0] == arrived > 0
    assert airflow.channel.texts == []


def test_the_lake_is_verified(airflow, by_hand):
    airflow.run("python", pathlib.Path(__file__).with_name("run_dag.py"), "beatlytica_weekly", DAY.replace(hour=4).isoformat())


@pytest.fixture(scope="module")
def service(airflow, by_hand):
    """Airflow in service, which takes the run by hand for the last that it has made."""
    with sqlite3.connect(airflow.folder / "home" / "airflow.db") as db:
        db.execute(
            "update dag_run set run_type = 'scheduled', run_id = 'scheduled__by-hand', logical_date = data_interval_start where dag_id = ?",
            [HOURLY],
        )
    airflow.run("airflow", "pools", "set", "beatlytica_marts", "1", "One process at a time builds the marts")
    airflow.run("airflow", "dags", "unpause", HOURLY)
    airflow.clock.set(DAY.replace(hour=5, minute=58))
    with Service(airflow) as running:
        yield running


@pytest.fixture(scope="module")
def on_time(airflow, lake, service):
    """Late and new data arrive, it turns six; `events` is killed while it is at work."""
    lake.arrive()
    service.wait(
        lambda: service.is_healthy() and service.query(
            "select 1 from dag where dag_id = ? and next_dagrun_create_after like ?", HOURLY, f"{DAY:%Y-%m-%d} 06:00%"
        ),
        "the scheduler and the hour it waits for", 180,
    )
    service.early = service.run_of(5)
    airflow.clock.set(DAY.replace(hour=5, minute=59, second=58))
    task = "marts.events_model_build"
    service.wait(lambda: service.task(5, task)[0] == "running" and holders(airflow.database), f"{task} at work")
    for process in holders(airflow.database):
        os.kill(process, signal.SIGKILL)
    service.wait(lambda: service.task(5, task)[0] == "up_for_retry" and service.given_back(5, task), "the wait for the next attempt")
    airflow.clock.forward(minutes=2)
    service.state = service.ended(5)
    service.attempts = service.task(5, task)[1]
    return service


def test_the_scheduler_runs_the_hour_when_it_is_over(on_time):
    assert on_time.early is None
    state, queued, _ = on_time.run_of(5)
    queued = datetime.datetime.fromisoformat(queued).replace(tzinfo=datetime.UTC)
    assert state == "success"
    assert datetime.timedelta() <= queued - DAY.replace(hour=6) < datetime.timedelta(minutes=1)


def test_late_data_and_a_task_that_was_killed_leave_what_a_full_refresh_has(airflow, project, on_time, tmp_path):
    assert on_time.attempts == 2
    expected = Project(airflow.lake, tmp_path / "expected", source=project)
    expected.run("build", "--exclude", "tag:nightly")
    assert differences(airflow, expected) == {}
    assert airflow.channel.texts == []


def test_an_incomplete_hour_is_told_and_so_is_a_run_past_its_deadline(airflow, on_time):
    sensor = "hour_is_complete"
    airflow.run("airflow", "pools", "set", "beatlytica_marts", "0", "Closed")
    airflow.clock.set(DAY.replace(hour=6, minute=59, second=58))
    on_time.wait(lambda: on_time.task(6, sensor)[0] == "up_for_reschedule" and on_time.given_back(6, sensor), "the wait for the hour")
    assert airflow.channel.texts == []
    airflow.clock.set(DAY.replace(hour=7, minute=21))
    on_time.wait(lambda: airflow.channel.texts, "the message that the hour is not complete", 120)
    assert re.search("hour 2024-05-06T06 is not complete; going on without [1-8] partitions: ", airflow.channel.texts[0])
    on_time.wait(lambda: on_time.task(6, sensor)[0] == "success", "the run going on", 120)
    airflow.clock.set(DAY.replace(hour=7, minute=51))
    on_time.wait(lambda: len(airflow.channel.texts) > 1, "the message that the run is late", 120)
    assert "is not through 50 minutes after it was queued" in airflow.channel.texts[1]
