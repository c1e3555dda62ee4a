"""Airflow in an environment, a home and a time of its own, and a small lake that the engine wrote."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAGS = ROOT / "infra" / "airflow" / "dags"
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "dbt"), str(DAGS)]

from beatlytica_batch import markers  # noqa: E402
from harness import Broker, Engine, QuietHandler, binary, replay, serve, wait_until  # noqa: E402

import part  # noqa: E402
from clock import Clock  # noqa: E402
from project import DBT  # noqa: E402

PARTITIONS = 2
DAY = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="run all models through Airflow, not a part of them")


class Channel:
    """A chat's webhook that keeps what it is told."""

    def __enter__(self):
        self.texts = texts = []

        class Handler(QuietHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(204)
                self.end_headers()

        self.server = serve(Handler)
        self.connection = json.dumps({"conn_type": "http", "host": f"http://127.0.0.1:{self.server.server_port}/hook"})
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Airflow:
    """Airflow's commands, on the repository's DAGs; its clock stands shortly before six on the lake's day."""

    def __init__(self, folder, lake, channel, project):
        self.folder, self.lake, self.channel, self.project = folder, lake, channel, project
        self.program = pathlib.Path(os.environ["AIRFLOW_VENV"]).absolute() / "bin"
        self.database = folder / "beatlytica.duckdb"
        self.clock = Clock(folder, DAY.replace(hour=5, minute=50))
        dbt = str(pathlib.Path(sys.executable).parent / "dbt")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BEATLYTICA_", "AIRFLOW_"))}
        self.environment = {
            **inherited,
            "PATH": f"{self.program}:{inherited['PATH']}",
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
            "AIRFLOW_CONN_BEATLYTICA_ALERTS": channel.connection,
            "BEATLYTICA_DBT": dbt,
            "BEATLYTICA_DBT_PROJECT": str(project),
            "BEATLYTICA__LAKE__URL": self.lake.as_uri(),
            "BEATLYTICA_MARTS": str(self.database),
            "BEATLYTICA_BIN": binary(),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        self.environment |= {"BEATLYTICA_DBT_MANIFEST": str(self.manifest_of(project)), **self.clock.environment}
        self.run("airflow", "db", "migrate")
        self.run("airflow", "dags", "reserialize")

    def manifest_of(self, project):
        """dbt's manifest of a project, made anew."""
        target = self.folder / f"target-of-{project.parent.name}"
        subprocess.run(
            [self.environment["BEATLYTICA_DBT"], "--quiet", "parse", "--project-dir", project, "--profiles-dir", project],
            env={**self.environment, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(self.folder / "logs")}, check=True,
        )
        return target / "manifest.json"

    def run(self, program, *arguments, code=0, **environment):
        """Runs a command of Airflow's environment, which must end with `code`; gives what it printed."""
        ended = subprocess.run(
            [self.program / program, *arguments], env={**self.environment, **environment}, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200,
        )
        assert ended.returncode == code, f"{program} {arguments}: exit code {ended.returncode}\n{ended.stdout[-6000:]}"
        return ended.stdout


class Lake:
    """Six hours and a half of a few listeners. `arrive` brings what is late and what is newer than six o'clock."""

    def __init__(self, broker, folder):
        self.broker, self.folder = broker, folder
        model = ["--users", "60", "--start", "2024-05-06T00:00:00Z", "--end", "2024-05-06T06:40:00Z"]
        subprocess.run([binary(), "simulate", *model, "--output", folder / "input"], check=True)
        self.engine = Engine(broker, folder / "engine", windows__idle_after="1s", lake__upload_interval="1s")
        self.early, self.late, self.sent = {}, {}, 0
        six = int(DAY.replace(hour=6).timestamp() * 1000)
        for topic in markers.TOPICS:
            lines = (folder / "input" / f"{topic}.jsonl").read_text().splitlines(keepends=True)
            records = [(json.loads(line), line) for line in lines]
            is_early = [record["ts"] < six and record["sessionId"] % 5 != 0 for record, _ in records]
            for part_of, name, wanted in ((self.early, "early", True), (self.late, "late", False)):
                path = folder / f"{topic}-{name}.jsonl"
                path.write_text("".join(line for (_, line), early in zip(records, is_early, strict=True) if early == wanted))
                part_of[topic] = [path]
        self.take(self.early, hour=4)

    def take(self, files, hour):
        """Has the engine write these files, until it has marked an hour as complete."""
        replay(self.broker, self.folder, files, PARTITIONS)
        self.sent += sum(len(path.read_text().splitlines()) for paths in files.values() for path in paths)
        lake = markers.LocalLake(self.engine.lake)
        # A partition that the ledger does not know yet is not waited for.
        done = lambda: self.written() == self.sent and not markers.waiting_for(lake, DAY.replace(hour=hour))
        with self.engine.start("run") as running:
            wait_until(lambda: running.poll() or done(), "markers")
            running.send(signal.SIGTERM)
            running.succeed(60)

    def written(self):
        """Records behind receipts."""
        return sum(self.engine.head_of(topic, partition) for topic in markers.TOPICS for partition in range(PARTITIONS))

    def arrive(self):
        self.take(self.late, hour=5)


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    with Broker(folder / "kafka") as broker:
        yield Lake(broker, folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def project(request, tmp_path_factory):
    """The dbt project that Airflow runs."""
    return DBT if request.config.getoption("--whole") else part.write(tmp_path_factory.mktemp("project") / "dbt")


@pytest.fixture(scope="session")
def airflow(tmp_path_factory, lake, project):
    with Channel() as channel:
        yield Airflow(tmp_path_factory.mktemp("airflow"), lake.engine.lake, channel, project)
