"""Every alert is made to fire once by a real fault, against a real engine, broker, Prometheus and Alertmanager.

`make alert-drill` runs all of it; every run takes those that are marked quick. One minute of the rules is one second here.
"""

import contextlib
import pathlib
import signal
import subprocess
import time

import pytest

from harness import Engine, SecureBroker, fake_gcs, free_ports, replay, wait_until
from observing import Load, Watch, alerts, event
from tables import TABLES
from test_alerts import QUICK

#: Alerts that the drill has seen firing.
SEEN = set()
quick = pytest.mark.quick


@contextlib.contextmanager
def watch(folder, engine, *names, deadline=90):
    """Prometheus beside an engine; the fault happens inside, and by the end the alerts have fired."""
    with Watch(folder / "watch", [f"127.0.0.1:{engine.port}"]) as watching:
        yield watching
        watching.fires(*names, deadline=deadline)
        SEEN.update(names)
        severities = {name: alerts()[name]["labels"]["severity"] for name in names}
        for name, severity in severities.items():
            path = {"critical": "/page", "warning": "/ticket"}[severity]
            silenced = lambda: name in watching.inhibited()
            wait_until(lambda: name in watching.hook.heard(path, "firing") or silenced(), f"{name} at {path}", 30)


@pytest.fixture
def lake_in_a_bucket():
    """Google Cloud Storage as a process that can be stopped and gone on with; it ends with its standard input."""
    with subprocess.Popen([fake_gcs()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as store:
        address = store.stdout.readline().strip()
        yield store, {"gcs__endpoint": address, "lake__url": "gs://fake-bucket/lake"}
        store.send_signal(signal.SIGCONT)
        store.stdin.close()


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
        with watch(tmp_path, engine, *names) as watching:
            wait_until(lambda: watching.query("up == 1") and not watching.firing(), "quiet")
            store.send_signal(signal.SIGSTOP)
        store.send_signal(signal.SIGCONT)


def test_staleness_that_lasts_makes_a_ticket(broker, tmp_path, lake_in_a_bucket):
    store, settings = lake_in_a_bucket
    engine = Engine(broker, tmp_path / "engine", **{**QUICK, **settings, "gcs__deadline": "1s"})
    with Load(broker, tmp_path / "load"), engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        with watch(tmp_path, engine, "BeatlyticaFreshnessBurnSlow", deadline=180):
            store.send_signal(signal.SIGSTOP)
        store.send_signal(signal.SIGCONT)


def test_an_uploader_that_hangs_is_started_again_and_again(broker, tmp_path, lake_in_a_bucket):
    store, settings = lake_in_a_bucket
    engine = Engine(
        broker, tmp_path / "engine",
        **{**QUICK, **settings, "gcs__deadline": "60s", "supervisor__stuck_after": "1s", "supervisor__restart_limit": 1000},
    )
    with Load(broker, tmp_path / "load"), engine.start("run"):
        wait_until(lambda: committed(engine) > 0, "uploads", 60)
        with watch(tmp_path, engine, "BeatlyticaActorRestarts"):
            store.send_signal(signal.SIGSTOP)
        store.send_signal(signal.SIGCONT)


@quick
def test_records_that_do_not_decode(broker, tmp_path):
    """A few in a hundred make a ticket; most of a partition stops it."""
    def some(ts, number):
        return event(ts, number)[:-1] if number % 20 == 0 else event(ts, number)

    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=some), engine.start("run"):
        with watch(tmp_path, engine, "BeatlyticaRejectedShare", "BeatlyticaPartitionRefused") as watching:
            watching.fires("BeatlyticaRejectedShare")
            garbage = tmp_path / "garbage.jsonl"
            garbage.write_text("not json\n" * 4000)
            replay(broker, tmp_path, {"auth_events": [garbage]}, 2)


def test_records_that_come_late(broker, tmp_path):
    def late(ts, number):
        return event(ts - (3_600_000 if number % 8 == 0 else 0), number)

    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=late), engine.start("run"):
        with watch(tmp_path, engine, "BeatlyticaLateShare"):
            pass


def test_event_times_that_stand_still(broker, tmp_path):
    began = round(time.time() * 1000)
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", line=lambda _, number: event(began, number)), engine.start("run"):
        with watch(tmp_path, engine, "BeatlyticaWatermarkStuck"):
            pass


@quick
def test_retention_that_passes_the_engine(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    files = {}
    for table in TABLES:
        files[table] = [tmp_path / f"{table}.jsonl"]
        files[table][0].write_text("".join(event(1_700_000_000_000, number) + "\n" for number in range(500)))
    replay(broker, tmp_path, files, 1)
    engine.start("run", "--exit-at-end").succeed(120)
    replay(broker, tmp_path, files, 1)
    broker.delete_records("auth_events", {0: 900})
    with engine.start("run"), watch(tmp_path, engine, "BeatlyticaLedgerGap"):
        wait_until(lambda: committed(engine) > 0, "the start", 60)
    engine.verify()
    gaps = [path for path in engine.lake.glob("ledger/v1/auth_events/**/*.json") if '"kind":"gap"' in path.read_text()]
    assert len(gaps) == 1, "as the runbook finds it"


def test_a_process_that_dies_soon_after_each_start(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with watch(tmp_path, engine, "BeatlyticaProcessRestarts", "BeatlyticaDown") as watching:
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
            process.send(signal.SIGTERM)
            process.succeed(60)
        limit = group / ("memory.max" if unified else "memory.limit_in_bytes")
        limit.write_text(str(round(used / 0.97)))
        with Load(broker, tmp_path / "rest"), engine.start("run", group=group):
            with watch(tmp_path, engine, "BeatlyticaMemoryNearCeiling"):
                wait_until(lambda: committed(engine) > 0, "uploads", 60)
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty", 30)
        group.rmdir()


def test_credentials_that_are_refused(tmp_path):
    with SecureBroker(tmp_path / "kafka") as broker:
        broker.allow("--operation", "All", "--topic", "*")
        broker.allow("--operation", "All", "--group", "*")
        engine = Engine(broker, tmp_path / "engine", **QUICK, kafka__sasl_password="rotated away")
        with engine.start("run"), watch(tmp_path, engine, "BeatlyticaCredentialsFailing"):
            pass


def test_no_alert_was_left_out():
    """Runs last: what the tests above have seen is all there is."""
    assert set(alerts()) <= SEEN, f"never fired: {set(alerts()) - SEEN}"
