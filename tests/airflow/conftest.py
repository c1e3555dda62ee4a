"""Airflow in an environment and a home of its own, and a small lake that the engine wrote."""

import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAGS = ROOT / "infra" / "airflow" / "dags"
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(DAGS)]

from harness import Broker, Engine, binary, replay, wait_until  # noqa: E402

TOPICS = ("listen_events", "page_view_events", "auth_events", "status_change_events")
PARTITIONS = 2


class Channel:
    """A chat's webhook that keeps what it is told."""

    def __enter__(self):
        self.texts = texts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.connection = json.dumps({"conn_type": "http", "host": f"http://127.0.0.1:{self.server.server_port}/hook"})
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Airflow:
    """Airflow's commands, on the repository's DAGs."""

    def __init__(self, folder, dbt, lake, channel):
        self.folder, self.lake, self.channel = folder, pathlib.Path(lake), channel
        self.program = pathlib.Path(os.environ["AIRFLOW_VENV"]).absolute() / "bin"
        self.database = folder / "marts.duckdb"
        self.dbt = dbt
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BEATLYTICA_", "AIRFLOW_"))}
        self.environment = {
            **inherited,
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
            "AIRFLOW_CONN_BEATLYTICA_ALERTS": channel.connection,
            "BEATLYTICA_DBT": str(dbt),
            "BEATLYTICA__LAKE__URL": self.lake.as_uri(),
            "BEATLYTICA_MARTS": str(self.database),
            "BEATLYTICA_BIN": binary(),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        target = folder / "target"
        subprocess.run(
            [dbt, "--quiet", "parse", "--project-dir", ROOT / "dbt", "--profiles-dir", ROOT / "dbt"],
            env={**self.environment, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(folder / "logs")}, check=True,
        )
        self.manifest = target / "manifest.json"
        self.environment["BEATLYTICA_DBT_MANIFEST"] = str(self.manifest)
        self.run("airflow", "db", "migrate")
        self.run("airflow", "dags", "reserialize")

    def run(self, program, *arguments, code=0, **environment):
        """Runs a command of Airflow's environment, which must end with `code`; gives what it printed."""
        ended = subprocess.run(
            [self.program / program, *arguments], env={**self.environment, **environment}, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )
        assert ended.returncode == code, f"{program} {arguments}: exit code {ended.returncode}\n{ended.stdout[-6000:]}"
        return ended.stdout


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """Twelve hours of a few listeners; the engine has marked the first hours as complete."""
    folder = tmp_path_factory.mktemp("lake")
    model = ["--users", "60", "--start", "2024-05-06T00:00:00Z", "--end", "2024-05-06T12:00:00Z"]
    subprocess.run([binary(), "simulate", *model, "--output", folder / "input"], check=True)
    with Broker(folder / "kafka") as broker:
        replay(broker, folder, {topic: [folder / "input" / f"{topic}.jsonl"] for topic in TOPICS}, PARTITIONS)
        engine = Engine(broker, folder / "engine", windows__idle_after="1s", lake__upload_interval="1s")
        with engine.start("run") as running:
            partitions = len(TOPICS) * PARTITIONS
            wait_until(
                lambda: len({path.parent for path in engine.lake.glob("complete/v1/*/*/*/*.json")}) == partitions, "markers"
            )
            running.send(signal.SIGTERM)
            running.succeed(60)
    yield engine.lake
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow(tmp_path_factory, lake):
    with Channel() as channel:
        yield Airflow(tmp_path_factory.mktemp("airflow"), pathlib.Path(sys.executable).parent / "dbt", lake, channel)
