"""Real input through a real broker into a local lake, undisturbed and disturbed."""

import random
import signal

import lake
from harness import wait_until


def test_every_record_arrives_once(db, loaded, engine):
    """`run --exit-at-end` over all four topics: all rows, all columns, both count tables, and `verify` agrees."""
    whole = engine(loaded, "whole")
    ended = whole.start("run", "--exit-at-end").succeed()
    print(f"wall {ended.wall:.1f} s, CPU {ended.cpu:.1f} s, peak RSS {ended.peak_rss >> 20} MiB")
    lake.check_all(db, whole.lake)
    whole.verify("--kafka")
    # A second run finds nothing to do and changes nothing.
    before = whole.entries()
    whole.start("run", "--exit-at-end").succeed(120)
    assert whole.entries() == before


def test_kills_lose_and_repeat_nothing(db, loaded, engine):
    """SIGKILL five times and SIGTERM twice on the way, each after some more of the ledger was written."""
    killed = engine(loaded, "killed", lake__upload_interval="1s", lake__max_batch_bytes="1MiB",
                    memory__budget="16MiB", lake__snapshot_interval="2s", kafka__session_timeout="6s")
    dice = random.Random(20240506)
    signals = [signal.SIGKILL] * 5 + [signal.SIGTERM] * 2
    dice.shuffle(signals)
    for number in signals:
        before = killed.entries()
        more = dice.randint(4, 24)
        with killed.start("run") as process:
            wait_until(
                lambda: killed.entries() >= before + more or process.poll(), f"{more} more ledger entries", 120, 0.005
            )
            assert process.poll() is None, f"ended by itself\n{process.tail()}"
            process.send(number)
            ended = process.wait(60)
        expected = 0 if number == signal.SIGTERM else -signal.SIGKILL
        assert ended.code == expected, f"exit code {ended.code}\n{process.tail()}"
    killed.start("run", "--exit-at-end").succeed()
    lake.check_all(db, killed.lake)
    killed.verify("--kafka")
