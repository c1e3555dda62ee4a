"""A lake that format version 1 wrote is gone on with; what a newer version wrote is refused with words."""

import json
import shutil

import truth
from harness import ROOT, Process, replay, wait_until
from tables import TABLES

GOLDEN = ROOT / "tests" / "fixtures" / "golden-lake-v1" / "lake"


def entries(lake, topic):
    """The topic's decisions by path, in order."""
    paths = sorted(lake.glob(f"ledger/v1/{topic}/e001/p00000/*.json"))
    return {path: json.loads(path.read_text()) for path in paths if not path.name.endswith(".done.json")}


def head(lake, topic):
    return list(entries(lake, topic).values())[-1]["end"]


def resume(broker, folder, lake):
    """A log that begins where each chain of the lake ends, as retention leaves it, with an hour of new events behind."""
    filler = {}
    for topic in TABLES:
        filler[topic] = [folder / f"filler-{topic}"]
        filler[topic][0].write_text('{"ts":1}\n' * head(lake, topic))
    replay(broker, folder, filler, 1)
    for topic in TABLES:
        broker.delete_records(topic, {0: head(lake, topic)})
    events = folder / "events"
    arguments = ["simulate", "-o", str(events), "-n", "700", "-r", "9", "-s", "2024-05-06T21:30:00", "-e", "2024-05-06T22:30:00"]
    Process(arguments, {}, folder / "simulate.log").succeed(60)
    files = {path.name.split(".")[0]: [path] for path in events.iterdir()}
    replay(broker, folder, files, 1)
    return {topic: sum(1 for path in paths for _ in path.open()) for topic, paths in files.items()}


def count(lake, table):
    return truth.query(f"select count(*) from read_parquet('{lake}/lake/v1/{table}/**/*.parquet')")[0][0]


def test_a_lake_of_version_1_is_gone_on_with(broker, engine, tmp_path):
    engine = engine(broker, "golden")
    shutil.copytree(GOLDEN, engine.lake, dirs_exist_ok=True)
    engine.verify()
    before = {topic: count(engine.lake, topic) for topic in TABLES}
    decided = {topic: set(entries(engine.lake, topic)) for topic in TABLES}
    written = {path: path.read_bytes() for path in engine.lake.rglob("*") if path.is_file()}
    new = resume(broker, tmp_path, engine.lake)
    assert sum(new.values()) > 100, new

    with engine.start("run") as run:
        def answer():
            assert run.poll() is None, run.tail()
            status = engine.get("/api/v1/status")
            done = status and len(status["partitions"]) == len(TABLES) and status["lag"] == 0
            return done and engine.get("/api/v1/active-users?window=24h")

        answer = wait_until(answer, "all is read", 180)
        run.stop()
    # The windows hold the old lake's listeners and the new ones.
    start, end = (answer["window"][edge].rstrip("Z") for edge in ("start", "end"))
    users = f"read_parquet('{engine.lake}/lake/v1/user_activity/**/*.parquet')"
    within = f"pane_start >= timestamptz '{start}Z' and pane_start < timestamptz '{end}Z'"
    expected = truth.query(f"select count(distinct user_id) from {users} where {within}")
    assert answer["users"] == expected[0][0] and answer["partitions"] == {"covered": 4, "total": 4}
    assert {topic: count(engine.lake, topic) for topic in TABLES} == {
        topic: before[topic] + new.get(topic, 0) for topic in TABLES
    }
    for topic in TABLES:
        assert (len(entries(engine.lake, topic)) > len(decided[topic])) == bool(new.get(topic))
    assert all(path.read_bytes() == body for path, body in written.items() if "/state/" not in str(path))
    printed = engine.verify("--kafka")
    assert f"{sum(map(len, decided.values()))} no longer held" in printed, printed


def test_what_a_newer_version_wrote_is_refused(broker, engine, tmp_path):
    engine = engine(broker, "newer", kafka__metadata_interval="1s")
    shutil.copytree(GOLDEN, engine.lake, dirs_exist_ok=True)
    resume(broker, tmp_path, engine.lake)
    path, entry = list(entries(engine.lake, "listen_events").items())[-1]
    sound = path.read_text()
    path.unlink()
    path.write_text(json.dumps({**entry, "format": 2, "new": "member"}))

    def refused(words):
        with engine.start("run", "--exit-at-end") as run:
            ended = run.wait(90)
            printed = run.tail()
            run.log.unlink()
        assert ended.code == 1 and words in printed, printed

    refused(f"{path.relative_to(engine.lake)} has ledger format 2, this program reads up to 1: run a newer beatlytica")
    assert f"{path.name} has ledger format 2" in engine.verify(code=3)
    path.write_text(sound)
    layout = engine.lake / "ledger/v2/listen_events/e001/epoch.json"
    layout.parent.mkdir(parents=True)
    layout.write_text("{}")
    words = "ledger/v2/listen_events/e001/epoch.json was written by a newer beatlytica"
    refused(words)
    assert words in engine.verify(code=1)
