"""`verify --kafka` on sound and on damaged ground, with a real broker."""

import json
import re

import pytest

import truth
from harness import replay

LISTENS, AUTHS = 30_000, 2_000


@pytest.fixture
def parts(tmp_path):
    """A small part of the input."""
    return truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)


def entries(engine, topic):
    """Paths of a topic's ledger entries, in order of partition and offset."""
    found = engine.lake.glob(f"ledger/v1/{topic}/e001/p*/*.json")
    return sorted(path for path in found if not path.name.endswith(".done.json"))


def compared(printed):
    """Entries compared whole, in part and not at all, and records, as `verify --kafka` tells."""
    found = re.search(r"(\d+) entries whole, (\d+) in part, (\d+) no longer held; (\d+) records", printed)
    assert found, printed
    return [int(number) for number in found.groups()]


def test_the_log_is_compared_as_far_as_it_is_held(broker, engine, parts, tmp_path):
    replay(broker, tmp_path, parts, 2)
    lake = engine(broker, "compared", lake__max_batch_bytes="1MiB")
    lake.start("run", "--exit-at-end").succeed(120)
    total = len(entries(lake, "listen_events")) + len(entries(lake, "auth_events"))
    assert total > 4, "too few entries to tell anything"
    assert compared(lake.verify("--kafka")) == [total, 0, 0, LISTENS + AUTHS]

    # Retention takes the first entry of a partition and half of its second.
    first, second = (json.loads(path.read_text()) for path in entries(lake, "listen_events")[:2])
    cut = (second["start"] + second["end"]) // 2
    broker.delete_records("listen_events", {first["partition"]: cut})
    assert compared(lake.verify("--kafka")) == [total - 2, 1, 1, LISTENS + AUTHS - cut]

    # Another checksum in the ledger, all else as it was.
    path = entries(lake, "auth_events")[0]
    sound = path.read_text()
    entry = json.loads(sound)
    entry["checksum"] = f"{int(entry['checksum'], 16) ^ 1:016x}"
    path.unlink()
    path.write_text(json.dumps(entry))
    printed = lake.verify("--kafka", code=3)
    assert f"the entry decided {entry['records']} with {entry['checksum']}" in printed, printed
    path.unlink()
    path.write_text(sound)
    lake.verify("--kafka")


def test_a_topic_created_anew_is_found(broker, engine, parts, tmp_path):
    """The same records again, under the same name: the ledger alone cannot know."""
    replay(broker, tmp_path, parts, 2)
    lake = engine(broker, "recreated")
    lake.start("run", "--exit-at-end").succeed(120)
    broker.delete_topic("auth_events")
    replay(broker, tmp_path, {"auth_events": parts["auth_events"]}, 2)
    lake.verify()
    printed = lake.verify("--kafka", code=3)
    assert "topic auth_events was created anew: epoch 1 has topic id" in printed, printed
    # The other topic is compared all the same.
    assert compared(printed)[3] == LISTENS
