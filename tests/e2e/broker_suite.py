"""What the engine asks of any broker: with BEATLYTICA_TEST_BROKER=redpanda of Redpanda, else of Apache Kafka."""

import json
import os
import re
import signal

import pytest

from harness import Broker, replay, wait_until
from redpanda import Redpanda
from tables import TABLES

RECORDS = 40_000


@pytest.fixture
def broker(tmp_path):
    kind = {"redpanda": Redpanda, "kafka": Broker}[os.environ.get("BEATLYTICA_TEST_BROKER", "kafka")]
    with kind(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def files(tmp_path):
    """Plays, a second apart; the other topics are there and empty."""
    nothing = tmp_path / "nothing.jsonl"
    nothing.touch()
    path = tmp_path / "listens.jsonl"
    with path.open("w") as output:
        for number in range(RECORDS):
            listener = number % 997
            output.write(json.dumps({
                "artist": f"Artist {number % 89}", "song": f"Song {number % 1009}", "duration": 200.5, "ts": 1_700_000_000_000 + number * 1000,
                "sessionId": listener, "auth": "Logged In", "level": "paid" if listener % 3 else "free", "itemInSession": number // 997,
                "city": "Springfield", "zip": "01101", "state": "MA", "userAgent": "test", "lon": -72.5, "lat": 42.1, "userId": listener,
                "lastName": "L", "firstName": "F", "gender": "F", "registration": 1_600_000_000_000,
            }) + "\n")
    return {**{table: [nothing] for table in TABLES}, "listen_events": [path]}


def test_nothing_is_lost_or_twice_when_it_is_killed(broker, engine, files, tmp_path):
    replay(broker, tmp_path, files, 4)
    lake = engine(broker, "killed", lake__max_batch_bytes="1MiB")
    for kills in range(3):
        with lake.start("run") as process:
            wait_until(lambda: lake.entries() > kills * 2, "an entry of the ledger", 60, every=0.02)
            process.send(signal.SIGKILL)
            assert process.wait(30).code == -signal.SIGKILL
    lake.start("run", "--exit-at-end").succeed(180)
    printed = lake.verify("--kafka")
    assert f"{RECORDS} records" in printed and re.search(rf"\b{RECORDS} rows", printed), printed


def test_a_topic_created_anew_is_found(broker, engine, files, tmp_path):
    replay(broker, tmp_path, files, 2)
    lake = engine(broker, "recreated")
    lake.start("run", "--exit-at-end").succeed(180)
    broker.delete_topic("listen_events")
    replay(broker, tmp_path, {"listen_events": files["listen_events"]}, 2)
    assert "was created anew" in lake.verify("--kafka", code=3)
