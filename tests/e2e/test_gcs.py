"""The engine on Google Cloud Storage's interface: a fake of it, as a process, that fails now and then."""

import datetime
import json
import re
import signal

import pytest

import truth
from bucket import Fake, copy
from clock import Clock
from harness import replay, wait_until

LISTENS, AUTHS = 30_000, 2_000


@pytest.fixture
def troubled():
    """A fake that refuses or cuts 30 of 1000 requests."""
    with Fake("127.0.0.1:0", "30", "7") as fake:
        yield fake


def test_a_bucket_takes_what_a_folder_takes(broker, troubled, engine, tmp_path):
    parts = truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)
    replay(broker, tmp_path, parts, 2)
    gcs = engine(
        broker, "gcs", lake__url="gs://fake-bucket/some/prefix", gcs__endpoint=troubled.endpoint, lake__max_batch_bytes="1MiB"
    )
    gcs.start("run", "--exit-at-end").succeed(180)
    printed = gcs.verify("--kafka")
    rows = re.search(r"(\d+) rows", printed)
    assert rows and int(rows[1]) == LISTENS + AUTHS, printed
    assert f"{LISTENS + AUTHS} records" in printed, printed
    # Nothing is left to do for a second run, which need not wait either: the first has left the group.
    before = printed.splitlines()[-2]
    gcs.start("run", "--exit-at-end").succeed(30)
    assert gcs.verify().splitlines()[-1] == before


def test_a_second_signal_stops_at_once(broker, engine, tmp_path):
    """The first one drains, which takes as long as the bucket does; nothing is lost by the second."""
    parts = truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)
    replay(broker, tmp_path, parts, 2)
    with Fake() as fake:
        # By its name the broker knows it again, and does not wait for the session of the one before to end.
        gcs = engine(broker, "signals", kafka__properties__group_instance_id="one", **fake.settings)
        with gcs.start("run") as process:
            read = lambda: sum(each["position"] or 0 for each in (gcs.get("/api/v1/status") or {"partitions": []})["partitions"])
            wait_until(lambda: read() > 0, "records to be read", 60)
            fake.tell("delay 20000")
            process.send(signal.SIGTERM)
            wait_until(lambda: "draining" in process.tail(), "the drain", 10)
            assert process.poll() is None
            process.send(signal.SIGTERM)
            assert process.wait(5).code == 1 and "second signal" in process.tail(), process.tail()
        fake.tell("delay 0")
        gcs.start("run", "--exit-at-end").succeed(180)
        printed = gcs.verify("--kafka")
        assert f"{LISTENS + AUTHS} records" in printed, printed


def test_since_goes_by_the_buckets_times(broker, engine, tmp_path):
    """The bucket's clock tells what is new, not this machine's: half of the lake is a day old by it."""
    parts = truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)
    folder = tmp_path / "clock"
    folder.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    (tmp_path / "nothing.jsonl").touch()
    clock = Clock(folder, now - datetime.timedelta(days=1))
    with Fake(environment=clock.environment) as fake:
        gcs = engine(broker, "since", **fake.settings)
        later = {"auth_events": parts.pop("auth_events")}
        replay(broker, tmp_path, {**parts, "auth_events": [(tmp_path / "nothing.jsonl")]}, 2)
        gcs.start("run", "--exit-at-end").succeed(180)
        clock.set(now)
        replay(broker, tmp_path, later, 2)
        gcs.start("run", "--exit-at-end").succeed(180)
        copy(fake.endpoint, "lake/", tmp_path / "copied")
        entries = lambda topic: sorted((tmp_path / "copied").glob(f"ledger/v1/{topic}/e001/p*/*[0-9].json"))
        assert f"{len(entries('listen_events'))} older entries" in gcs.verify("--since", "2h")
        assert "older" not in gcs.verify("--since", "26h")
        old, new = (json.loads(entries(topic)[0].read_text())["objects"][0] for topic in ("listen_events", "auth_events"))
        fake.delete(f"lake/{old}")
        gcs.verify("--since", "2h")
        assert f"{old} is missing" in gcs.verify("--since", "26h", code=3)
        fake.delete(f"lake/{new}")
        printed = gcs.verify("--since", "2h", code=3)
        assert f"{new} is missing" in printed and old not in printed, printed
