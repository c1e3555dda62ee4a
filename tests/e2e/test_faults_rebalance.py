"""Rebalances, of idle partitions and without end, and offsets out of range: each partition is read on."""

import contextlib
import signal
import time

from confluent_kafka import TopicPartition

from faults import PATIENCE, Flow, Lake
from harness import wait_until


def test_members_come_and_go(cluster, tmp_path):
    """Twenty times in quick succession, by leaving and by dying, while events flow: each record is in the lake once."""
    cluster.create("storm", 6)
    cluster.send("storm", range(500))
    quick = {"kafka__session_timeout": "3s", "kafka__properties__heartbeat_interval_ms": "100"}
    steady = Lake(cluster, tmp_path / "steady", "storm", **quick)
    shared = {"url": steady.lake, "kafka__group_id": steady.group, **quick}
    guests = [Lake(cluster, tmp_path / f"guest-{number}", "storm", **shared) for number in range(3)]
    flow, codes = Flow(cluster, "storm", 500), []
    with steady.start("run") as process, flow, contextlib.ExitStack() as running:
        steady.catches_up()
        present = []

        def leave(by):
            leaving = present.pop(0)
            leaving.send(by)
            codes.append(leaving.wait(PATIENCE).code)

        for turn in range(20):
            guest = guests[turn % len(guests)]
            present.append(running.enter_context(guest.start("run")))
            # Some are in the midst of joining when the next one comes or goes.
            part = "partitions" if turn % 2 else "state"
            wait_until(lambda: (guest.get("/api/v1/status") or {}).get(part), part, PATIENCE)
            if len(present) == len(guests):
                leave(signal.SIGKILL if turn % 7 == 6 else signal.SIGTERM)
        while present:
            leave(signal.SIGTERM)
        flow.stop()
        steady.catches_up()
        rebalances = steady.metric(r"beatlytica_rebalances_total\{.*\}")
        assert rebalances >= 10, f"{rebalances} rebalances of the one that stayed"
        assert flow.sent >= 1000, f"{flow.sent} events while members came and went"
        assert steady.metric(r"beatlytica_actor_restarts_total\{.*\}") == 0, process.tail()
        process.stop(PATIENCE)
    assert set(codes) == {0, -signal.SIGKILL}, codes
    print(f"{rebalances:.0f} rebalances of the one that stayed, {flow.sent} events")
    steady.judge()


def test_partitions_that_are_idle_outlive_a_rebalance(cluster, tmp_path):
    """librdkafka takes the end of the log for a message: after a rebalance it asks for the offset behind it, and stops."""
    cluster.create("idle", 6)
    cluster.send("idle", range(600))
    steady = Lake(cluster, tmp_path / "steady", "idle")
    guest = Lake(cluster, tmp_path / "guest", "idle", url=steady.lake, kafka__group_id=steady.group)
    with steady.start("run") as process:
        steady.catches_up()
        for first in (600, 1200):
            with guest.start("run") as other:
                wait_until(lambda: (guest.get("/api/v1/status") or {}).get("partitions"), "its partitions", PATIENCE)
                other.stop(PATIENCE)
            cluster.send("idle", range(first, first + 600))
            steady.catches_up()
        process.stop(PATIENCE)
    steady.judge()


def test_retention_passes_an_engine_that_reads(cluster, tmp_path):
    """What was taken away is a gap; what is left is read on by the same process."""
    cluster.create("passed")
    cluster.send("passed", range(100))
    lake = Lake(cluster, tmp_path / "lake", "passed")
    with lake.start("run") as process:
        for turn in range(1, 4):
            lake.catches_up()
            process.send(signal.SIGSTOP)
            # A fetch that is on its way is answered within 10 ms, and must not be answered with what comes now.
            stopped = time.monotonic()
            wait_until(lambda: time.monotonic() > stopped + 0.3, "the answer to the last fetch", 5)
            cluster.send("passed", range(turn * 100, turn * 100 + 100))
            left = turn * 100 + 50
            [deleted] = cluster.admin.delete_records([TopicPartition("passed", 0, left)]).values()
            deleted.result(30)
            process.send(signal.SIGCONT)
            cluster.sent["passed"] = [record for record in cluster.sent["passed"] if not turn * 100 <= record[1] < left]
        lake.catches_up()
        process.stop(PATIENCE)
    assert "150 offsets in gaps" in lake.judge()
