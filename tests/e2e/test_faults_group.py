"""Faults of broker and group: a real engine on a real broker loses nothing and says what it waits for."""

import contextlib
import re
import signal
import threading
import time

import pytest

from faults import PATIENCE, Lake
from frozen import FrozenThread
from harness import wait_until

#: Seconds; the matrix wants ten minutes, scaled.
OUTAGE = 20


def test_the_broker_is_away_for_long(cluster, tmp_path):
    """Meanwhile the engine answers; others that start wait for the broker, say that there is none, or can be stopped."""
    for topic in ("away", "early"):
        cluster.create(topic, 2)
        cluster.send(topic, range(500))
    away, early = Lake(cluster, tmp_path / "away", "away"), Lake(cluster, tmp_path / "early", "early")
    at_end, brief = Lake(cluster, tmp_path / "at-end", "early"), Lake(cluster, tmp_path / "brief", "early")
    with away.start("run") as steady, contextlib.ExitStack() as others:
        away.catches_up()
        cluster.send("away", range(500, 1000))
        cluster.broker.kill()
        returns = time.monotonic() + OUTAGE
        try:
            with brief.start("run") as process:
                # Before it listens for signals, the signal itself ends it: there is nothing to drain.
                process.send(signal.SIGTERM)
                assert process.wait(PATIENCE).code == -signal.SIGTERM, process.tail()
            began, stopped = (others.enter_context(lake.start("run")) for lake in (early, brief))
            ended = others.enter_context(at_end.start("run", "--exit-at-end"))
            answers = []

            def answered():
                assert steady.poll() is None, steady.tail()
                answers.append(away.get("/api/v1/status") and away.get("/api/v1/charts/songs?window=24h"))
                return time.monotonic() > returns

            wait_until(answered, "the broker's return", PATIENCE, every=0.5)
            assert len(answers) > OUTAGE / 2 and all(answers), "no answer while the broker is away"
            assert ended.wait(PATIENCE).code == 1, ended.tail()
            assert f"no broker answers at {cluster.broker.address}" in ended.tail(), ended.tail()
            wait_until(lambda: brief.get("/api/v1/status"), "an answer without a broker", PATIENCE)
            stopped.stop(PATIENCE)
            wait_until(lambda: early.get("/api/v1/status"), "an answer without a broker", PATIENCE)
        finally:
            cluster.broker.start()
        assert not brief.entries() and not at_end.entries()
        cluster.send("away", range(1000, 1500))
        away.catches_up()
        early.catches_up()
        assert away.metric(r"beatlytica_actor_restarts_total\{.*\}") == 0, "an actor was restarted for want of a broker"
        steady.stop(PATIENCE)
        began.stop(PATIENCE)
    away.judge()
    early.judge()


def poll_loop_stopped(process):
    """The poll loop alone stands still; the client's own threads go on sending heartbeats."""
    return FrozenThread(process.child.pid, "kafka-poll")


@contextlib.contextmanager
def process_stopped(process):
    """The whole process stands still."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


@pytest.mark.parametrize("stand_still", [poll_loop_stopped, process_stopped])
def test_the_longest_time_between_polls_is_exceeded(cluster, tmp_path, stand_still):
    """The group gives the partitions away, to another member or to nobody; once it polls again it joins anew and goes on."""
    topic = f"polls-{stand_still.__name__}"
    cluster.create(topic, 4)
    cluster.send(topic, range(500))
    settings = {"kafka__properties__max_poll_interval_ms": 6000}
    first = Lake(cluster, tmp_path / "first", topic, **settings)
    second = Lake(cluster, tmp_path / "second", topic, url=first.lake, kafka__group_id=first.group)
    members = lambda: sum(len(member.assignment.topic_partitions) for member in cluster.members(first.group))
    with first.start("run") as slow:
        first.catches_up()
        with stand_still(slow):
            wait_until(lambda: members() == 0, "the member to be given up", PATIENCE)
            cluster.send(topic, range(500, 1000))
        first.catches_up()
        with second.start("run") as other:
            wait_until(lambda: (second.get("/api/v1/status") or {}).get("partitions"), "partitions of the other member", PATIENCE)
            cluster.send(topic, range(1000, 1500))
            with stand_still(slow):
                # Read and not written, or decided and not receipted: whatever it was at.
                cluster.send(topic, range(1500, 2000))
                second.catches_up()
            cluster.send(topic, range(2000, 2500))
            second.catches_up()
            wait_until(lambda: (first.get("/api/v1/status") or {}).get("partitions"), "partitions of the one that stood still", PATIENCE)
            assert slow.poll() is None, slow.tail()
            assert first.metric(r"beatlytica_actor_restarts_total\{.*\}") == 0, slow.tail()
            other.stop(PATIENCE)
        cluster.send(topic, range(2500, 3000))
        first.catches_up()
        slow.stop(PATIENCE)
        exceeded = "Application maximum poll interval (6000ms) exceeded" in slow.log.read_text()
        assert exceeded or stand_still is process_stopped, slow.tail()
    first.judge()


@contextlib.contextmanager
def foreign_member(cluster, group, topic, strategy="cooperative-sticky"):
    """A member that takes its share of the partitions and brings nothing into the lake."""
    member, left = cluster.member(group, topic, strategy), threading.Event()

    def stay():
        while not left.is_set():
            member.poll(0.1)
        member.close()

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        wait_until(lambda: any(each.assignment.topic_partitions for each in cluster.members(group)), "its partitions", PATIENCE)
        yield member
    finally:
        left.set()
        thread.join()


def test_at_the_end_others_are_waited_for(cluster, tmp_path):
    """`--exit-at-end` ends when all is in the lake, whoever brings it there; others who bring nothing are named."""
    cluster.create("shared", 4)
    cluster.send("shared", range(500))
    steady = Lake(cluster, tmp_path / "steady", "shared", lake__upload_interval="3s")
    shared = {"url": steady.lake, "kafka__group_id": steady.group}
    one, two = (Lake(cluster, tmp_path / name, "shared", **shared) for name in ("one", "two"))
    ends = lambda: [steady.head(partition) for partition in range(4)]
    with steady.start("run") as process:
        wait_until(lambda: (steady.line(0) or {}).get("position"), "records to be read", PATIENCE)
        one.start("run", "--exit-at-end").succeed(PATIENCE)
        assert ends() == [125] * 4
        cluster.send("shared", range(500, 1000))
        process.stop(PATIENCE)
    with one.start("run", "--exit-at-end") as first, two.start("run", "--exit-at-end") as second:
        first.succeed(PATIENCE)
        assert ends() == [250] * 4
        second.succeed(PATIENCE)
    cluster.send("shared", range(1000, 1500))
    with foreign_member(cluster, steady.group, "shared"):
        ended = one.start("run", "--exit-at-end")
        assert ended.wait(PATIENCE).code == 1, ended.tail()
    said = ended.tail().splitlines()[-1]
    assert re.match(r"error: shared\[\d\] is read by another member of the group, .* 250 of its 375 offsets .* stop the other members", said), said
    one.start("run", "--exit-at-end").succeed(PATIENCE)
    assert ends() == [375] * 4
    one.judge()


def test_a_member_that_shares_partitions_otherwise(cluster, tmp_path):
    """Eager assignment would take every partition away at each rebalance: it is refused as a setting, and named in another member."""
    cluster.create("eager", 2)
    cluster.send("eager", range(500))
    refused = Lake(cluster, tmp_path / "refused", "eager", kafka__properties__partition_assignment_strategy="range")
    ended = refused.start("run")
    assert ended.wait(PATIENCE).code == 2, ended.tail()
    said = ended.tail()
    assert "kafka.properties.partition.assignment.strategy" in said and "is set by the engine itself" in said, said
    lake = Lake(cluster, tmp_path / "lake", "eager")
    with foreign_member(cluster, lake.group, "eager", "range"):
        ended = lake.start("run", "--exit-at-end")
        assert ended.wait(PATIENCE).code == 1, ended.tail()
        said = ended.tail().splitlines()[-1]
        assert said.startswith("error: another member of the group shares partitions otherwise than by cooperative-sticky"), said
        process = lake.start("run")
        wait_until(lambda: "another member of the group shares partitions otherwise" in process.tail(), "the warning", PATIENCE)
        assert process.poll() is None, process.tail()
    with process:
        lake.catches_up()
        process.stop(PATIENCE)
    lake.judge()
