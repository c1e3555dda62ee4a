"""`verify --kafka` on sound and on damaged ground, with a real broker."""

import json
import os
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
    refused = lake.start("run", "--exit-at-end")
    assert refused.wait(120).code == 1 and "epoch open --topic auth_events" in refused.tail()
    for said in ("auth_events: epoch 2;", "nothing was opened"):
        opened = lake.start("epoch", "open", "--topic", "auth_events")
        opened.succeed(60)
        assert said in opened.tail(), opened.tail()
    lake.start("run", "--exit-at-end").succeed(120)
    lake.verify("--kafka")


def test_what_is_missing_is_written_again(broker, engine, parts, tmp_path):
    """Objects and a receipt go; `--repair` brings back the same bytes, and touches nothing else."""
    replay(broker, tmp_path, parts, 2)
    lake = engine(broker, "repaired", lake__max_batch_bytes="1MiB")
    lake.start("run", "--exit-at-end").succeed(120)
    everything = {path: path.read_bytes() for path in lake.lake.rglob("*") if path.is_file()}
    named = json.loads(entries(lake, "listen_events")[0].read_text())["objects"]
    missing = [lake.lake / name for name in named]
    # The last decision of another partition loses its receipt and an object: as after a crash.
    last = entries(lake, "listen_events")[-1]
    missing += [last.with_suffix(".done.json"), lake.lake / json.loads(last.read_text())["objects"][0]]
    for path in missing:
        path.unlink()
    assert "is missing" in lake.verify(code=3)
    printed = lake.verify("--repair", "--kafka")
    assert f"{len(named)} objects written" in printed and "not repaired" not in printed, printed
    assert {path: path.read_bytes() for path in lake.lake.rglob("*") if path.is_file()} == everything

    # Retention took the records: what is gone is said, and nothing is written.
    first = entries(lake, "listen_events")[0]
    broker.delete_records("listen_events", {json.loads(first.read_text())["partition"]: 1})
    missing[0].unlink()
    printed = lake.verify("--repair", code=3)
    assert f"not repaired: {first.relative_to(lake.lake)}: the log holds offsets [1, " in printed, printed
    assert not missing[0].exists()


def test_only_what_is_recent_is_read(broker, engine, parts, tmp_path):
    replay(broker, tmp_path, parts, 2)
    lake = engine(broker, "since", lake__max_batch_bytes="1MiB")
    lake.start("run", "--exit-at-end").succeed(120)
    total = len(entries(lake, "listen_events")) + len(entries(lake, "auth_events"))
    for path in lake.lake.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    name = json.loads(entries(lake, "listen_events")[0].read_text())["objects"][0]
    (lake.lake / name).unlink()
    assert "0 objects" in lake.verify("--since", "2h")
    assert f"{total} older entries" in lake.verify("--since", "1970-01-02")
    assert f"{name} is missing" in lake.verify("--since", "1970-01-01T00:00:00Z", code=3)
