"""Faults of broker and group: a real engine on a real broker loses nothing and says what it waits for."""

import contextlib
import signal
import time

from faults import PATIENCE, Lake
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
