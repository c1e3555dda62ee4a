"""Faults of broker and group: a real engine on a real broker loses nothing and says what it waits for."""

import contextlib
import signal
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
