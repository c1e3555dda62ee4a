"""Every alert is made to fire once by a real fault, against a real engine, broker, Prometheus and Alertmanager.

`make alert-drill` runs all of it and writes docs/alert-drill.md anew; every run takes those that are marked quick. One minute
of the rules is one second here.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import truth
from bucket import Fake
from harness import ROOT, Engine, QuietHandler, SecureBroker, free_ports, replay, serve, wait_until
from observing import Load, Watch, alerts, event, records
from test_alerts import QUICK

#: Alert -> the fault that made it fire, and how many seconds later it fired.
SEEN = {}
quick = pytest.mark.quick


@contextlib.contextmanager
def watch(folder, port, fault, *names, deadline=90):
    """Prometheus beside what serves metrics at a port; `fault` happens inside, and by the end the alerts have fired."""
    with Watch(folder / "watch", [f"127.0.0.1:{port}"]) as watching:
        watching.began = time.time()
        yield watching
        watching.fires(*names, deadline=deadline)
        fired = wait_until(lambda: set(names) <= watching.first_fired().keys() and watching.first_fired(), "the times", 10)
        SEEN.update({name: (fault, fired[name] - watching.began) for name in names})
        for name in names:
            path = {"critical": "/page", "warning": "/ticket"}[alerts()[name]["labels"]["severity"]]
            told = lambda: name in watching.hook.heard(path, "firing") | watching.inhibited()
            wait_until(told, f"{name} at {path}", 30)


@pytest.fixture
def lake_in_a_bucket():
    """Google Cloud Storage as a process that can be stopped and gone on with."""
    with Fake() as fake:
        yield fake.child, fake.settings
        fake.child.send_signal(signal.SIGCONT)


def committed(engine):
    """How far everything is in the lake, by the engine's own word."""
    answer = engine.get("/api/v1/status") or {"partitions": []}
    return sum(row["head"] or 0 for row in answer["partitions"])


@quick
def test_a_store_that_hangs_stops_the_lake(broker, tmp_path, lake_in_a_bucket):
    store, settings = lake_in_a_bucket
    engine = Engine(broker, tmp_path / "engine", **{**QUICK, **settings, "gcs__deadline": "1s"})
    names = ("BeatlyticaUploadsFailing", "BeatlyticaNotMoving", "BeatlyticaFreshnessBurnFast", "BeatlyticaFreshnessBurnMedium")
    with Load(broker, tmp_path / "load"), engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        with watch(tmp_path, engine.port, "the bucket's server hangs (SIGSTOP)", *names) as watching:
            wait_until(lambda: watching.query("up == 1") and not watching.firing(), "quiet")
            watching.began = time.time()
            store.send_signal(signal.SIGSTOP)
        store.send_signal(signal.SIGCONT)


def test_staleness_that_lasts_makes_a_ticket(broker, tmp_path, lake_in_a_bucket):
    store, settings = lake_in_a_bucket
    engine = Engine(broker, tmp_path / "engine", **{**QUICK, **settings, "gcs__deadline": "1s"})
    with Load(broker, tmp_path / "load"), engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        with watch(tmp_path, engine.port, "the bucket's server hangs, and goes on hanging", "BeatlyticaFreshnessBurnSlow", deadline=180):
            store.send_signal(signal.SIGSTOP)
        store.send_signal(signal.SIGCONT)


def test_an_uploader_that_hangs_is_started_again_and_again(broker, tmp_path):
    settings = {**QUICK, "supervisor__stuck_after": "1s", "supervisor__restart_limit": 1000}
    engine = Engine(broker, tmp_path / "engine", **settings)
    with Load(broker, tmp_path / "load"), engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        fault = "uploads wait for the broker (SIGSTOP) beyond `supervisor.stuck_after`"
        with watch(tmp_path, engine.port, fault, "BeatlyticaActorRestarts") as watching, broker.hanging():
            watching.fires("BeatlyticaActorRestarts", deadline=90)


@quick
def test_records_that_do_not_decode(broker, tmp_path):
    """A few in a hundred make a ticket; most of a partition stops it."""
    def some(ts, number):
        return event(ts, number)[:-1] if number % 20 == 0 else event(ts, number)

    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=some), engine.start("run"):
        names = ("BeatlyticaRejectedShare", "BeatlyticaPartitionRefused")
        fault = "one record in twenty is cut short, then a partition gets nothing but garbage"
        with watch(tmp_path, engine.port, fault, *names) as watching:
            watching.fires("BeatlyticaRejectedShare")
            garbage = tmp_path / "garbage.jsonl"
            garbage.write_text("not json\n" * 4000)
            replay(broker, tmp_path, {"auth_events": [garbage]}, 2)


def test_records_that_come_late(broker, tmp_path):
    def late(ts, number):
        return event(ts - (3_600_000 if number % 8 == 0 else 0), number)

    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=late), engine.start("run"):
        with watch(tmp_path, engine.port, "one record in eight is an hour late", "BeatlyticaLateShare"):
            pass


def test_event_times_that_stand_still(broker, tmp_path):
    began = round(time.time() * 1000)
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=lambda _, number: event(began, number)), engine.start("run"):
        with watch(tmp_path, engine.port, "all records carry one event time", "BeatlyticaWatermarkStuck"):
            pass


def test_a_broker_that_is_gone_takes_the_partitions_with_it(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", **QUICK, kafka__session_timeout="6s")
    replay(broker, tmp_path, records(tmp_path), 1)
    with engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        with watch(tmp_path, engine.port, "the broker is killed and does not come back", "BeatlyticaNoPartitions") as watching:
            wait_until(lambda: watching.query("up == 1") and not watching.firing(), "quiet")
            watching.began = time.time()
            broker.kill()


@quick
def test_retention_that_passes_the_engine(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    files = records(tmp_path, 500)
    replay(broker, tmp_path, files, 1)
    engine.start("run", "--exit-at-end").succeed(120)
    replay(broker, tmp_path, files, 1)
    broker.delete_records("auth_events", {0: 900})
    fault = "retention deletes records that no engine has read (`DeleteRecords`)"
    with engine.start("run"), watch(tmp_path, engine.port, fault, "BeatlyticaLedgerGap"):
        wait_until(lambda: committed(engine) > 0, "the start", 60)
    assert re.findall(r"^gap: auth_events/e001/p00000 \[500, 900\)", engine.verify(), re.MULTILINE), "as the runbook finds it"


def test_a_process_that_dies_soon_after_each_start(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    fault = "the engine is killed (SIGKILL) soon after each start"
    with watch(tmp_path, engine.port, fault, "BeatlyticaProcessRestarts", "BeatlyticaDown") as watching:
        def dies():
            with engine.start("run") as process:
                wait_until(lambda: watching.query("up == 1"), "a scrape", 30)
                process.send(signal.SIGKILL)
            wait_until(lambda: watching.query("up == 0"), "a scrape that fails", 30)
            return "BeatlyticaProcessRestarts" in watching.firing()

        wait_until(dies, "enough deaths", 60)


def test_memory_near_the_limit_of_its_control_group(broker, tmp_path):
    """A real limit: the group's memory is what the process uses, and a little."""
    group = pathlib.Path("/sys/fs/cgroup/memory") / f"beatlytica-drill-{free_ports(1)[0]}"
    unified = not group.parent.is_dir()
    if unified:
        group = pathlib.Path("/sys/fs/cgroup") / group.name
    group.mkdir()
    try:
        engine = Engine(broker, tmp_path / "engine", **QUICK)
        with Load(broker, tmp_path / "load"), engine.start("run") as process:
            wait_until(lambda: engine.entries() > 8, "uploads", 60)
            status = pathlib.Path(f"/proc/{process.child.pid}/status").read_text()
            used = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024
            process.stop()
        limit = group / ("memory.max" if unified else "memory.limit_in_bytes")
        limit.write_text(str(round(used / 0.97)))
        with Load(broker, tmp_path / "rest"), engine.start("run", group=group):
            with watch(tmp_path, engine.port, "a control group with hardly more memory than the engine uses", "BeatlyticaMemoryNearCeiling"):
                wait_until(lambda: committed(engine) > 0, "uploads", 60)
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty", 30)
        group.rmdir()


def test_credentials_that_are_refused(tmp_path):
    with SecureBroker(tmp_path / "kafka") as broker:
        broker.allow("--operation", "All", "--topic", "*")
        broker.allow("--operation", "All", "--group", "*")
        engine = Engine(broker, tmp_path / "engine", **QUICK, kafka__sasl_password="rotated away")
        fault = "the broker does not accept the password (SCRAM)"
        with engine.start("run"), watch(tmp_path, engine.port, fault, "BeatlyticaCredentialsFailing"):
            pass


@contextlib.contextmanager
def exported(path):
    """A file of figures, served as the node exporter does; gives the port."""
    class Handler(QuietHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes())

    server = serve(Handler)
    yield server.server_port
    server.shutdown()


def marts(engine, folder):
    """The marts built from an engine's lake as they stand, and what they say about themselves."""
    python = ROOT / ".cache" / "dbt-venv" / "bin" / "python"
    environment = {
        **os.environ, **engine.environment, "BEATLYTICA_MARTS": str(folder / "beatlytica.duckdb"), "DBT_TARGET": "duckdb",
        "DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs"), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    project = ROOT / "dbt"
    dbt = [
        python.with_name("dbt"), "build", "--full-refresh", "--resource-type", "seed", "--resource-type", "model",
        "--project-dir", project, "--profiles-dir", project,
    ]
    export = [python, project / "scripts" / "export_metrics.py", folder / "marts.prom"]
    for command in (dbt, export):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return folder / "marts.prom"


def test_counts_that_were_changed_behind_the_engines_back(broker, tmp_path):
    replay(broker, tmp_path, records(tmp_path, 500), 1)
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    engine.start("run", "--exit-at-end").succeed(120)
    figures = marts(engine, tmp_path)
    with exported(figures) as port:
        fault = "a count object in the lake is changed behind the engine's back"
        with watch(tmp_path, port, fault, "BeatlyticaCountsDiffer") as watching:
            agree = lambda: len(watching.query("beatlytica_reconciliation_differing_groups == 0")) == 2
            wait_until(lambda: agree() and not watching.firing(), "counts that agree", 30)
            watching.began = time.time()
            changed = next(engine.lake.glob("lake/v1/song_counts/**/*.parquet"))
            rows = f"copy (select * replace (plays + 1 as plays) from '{changed}') to '{tmp_path}/changed.parquet'"
            truth.query(rows)
            changed.write_bytes((tmp_path / "changed.parquet").read_bytes())
            marts(engine, tmp_path)
        with watch(tmp_path / "later", port, "no hourly run writes the marts' figures any more", "BeatlyticaMartsStale", deadline=240):
            pass
    engine.verify(code=3)


def test_no_alert_was_left_out(request):
    """Runs last: what the tests above have seen is all there is. It is written down where the option says."""
    assert set(alerts()) <= set(SEEN), f"never fired: {set(alerts()) - set(SEEN)}"
    record = request.config.getoption("--record")
    if record:
        pathlib.Path(record).write_text(page())


def page():
    """The record of a drill."""
    rows = []
    for name, alert in sorted(alerts().items()):
        fault, seconds = SEEN[name]
        rows.append(f"| [{name}](runbooks/{name}.md) | {alert['labels']['severity']} | {fault} | {seconds:.0f} |")
    return "\n".join([
        "# Alert drill", "",
        "What `make alert-drill` saw when it last wrote this page: every alert, the fault that was made, and how many seconds after it",
        "Prometheus fired. Real broker, engine, Prometheus and Alertmanager; every duration in the rules is divided by 60, so a minute",
        "takes a second. Alertmanager delivered each to its receiver, or held it back because another one explains it.",
        "The time counts from the fault, or, where the fault is in the records from the start, from Prometheus' first look.", "",
        "| alert | severity | fault | seconds |", "|---|---|---|---|", *rows, "",
    ])
