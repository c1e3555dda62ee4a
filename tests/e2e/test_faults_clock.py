"""Faults of the wall clock: it is set forward and back under a real engine, which reads, writes, counts and closes as if nothing was."""

import datetime
import time

from clock import Clock
from faults import PATIENCE, SHORT, START, Lake, line
from harness import wait_until

#: Hours, one after the other; all are longer than anything that the engine waits for.
JUMPS = [6, -6, -20, 20]
#: Seconds; a member that sends no heartbeats meanwhile has lost its partitions.
SESSION = float(SHORT["kafka__session_timeout"].removesuffix("s"))
MINUTE_MS = 60_000
LATENESS_MS = 10 * MINUTE_MS


def cpu_share(process, seconds):
    """Share of a core that a process takes in the next so many seconds."""
    before, began = process.cpu_seconds(), time.monotonic()
    wait_until(lambda: time.monotonic() - began > seconds, "the end of the measurement", 2 * seconds)
    return (process.cpu_seconds() - before) / (time.monotonic() - began)


def test_the_clock_is_set_forward_and_back(cluster, tmp_path):
    """No session is lost, nobody is taken for stuck, nothing spins, and all is in the lake and in the charts once."""
    cluster.create("clock", 2)
    folder = tmp_path / "clock"
    folder.mkdir()
    clock = Clock(folder, datetime.datetime.now(datetime.UTC))
    # Nothing but the group's heartbeats is due while it idles.
    lake = Lake(cluster, tmp_path / "engine", "clock", kafka__metadata_interval="60s")
    lake.environment |= clock.environment
    sent = 0

    def send():
        nonlocal sent
        cluster.send("clock", range(sent, sent + 500), line=lambda number: line(number, artist="one", song=f"song {number % 5}"))
        sent += 500

    with lake.start("run") as process:
        send()
        lake.catches_up()
        rebalances = lake.metric(r"beatlytica_rebalances_total\{.*\}")
        wait_until(lambda: lake.health("/readyz")[0] == 200, "readiness", PATIENCE)
        resting = cpu_share(process, 1)
        for hours in JUMPS:
            clock.forward(hours=hours)
            for path in ("/livez", "/readyz") * 10:
                assert lake.health(path)[0] == 200, f"{path} after {hours} hours: {lake.health(path)}"
            share = cpu_share(process, SESSION + 1.5)
            assert share < resting + 0.3, f"takes {share:.2f} of a core after {hours} hours, {resting:.2f} before"
            send()
            # While that is read and written, too.
            clock.forward(hours=-hours / 2)
            send()
            clock.forward(hours=hours / 2)
            lake.catches_up()
        assert lake.metric(r"beatlytica_rebalances_total\{.*\}") == rebalances, process.tail()
        assert lake.metric(r"beatlytica_actor_restarts_total\{.*\}") == 0, process.tail()
        charts_count(lake, sent)
        process.stop(PATIENCE)
    lake.judge()


def charts_count(lake, plays):
    """The live chart counts every play, the closed one those before the watermark's minute."""
    def counted(at):
        answer = lake.get(f"/api/v1/charts/songs?window=24h&at={at}")
        end = datetime.datetime.fromisoformat(answer["window"]["end"])
        return sum(song["plays"] for song in answer["songs"]), int(end.timestamp() * 1000)

    newest = START + (plays - 1) * 1000
    closed = (newest - LATENESS_MS) // MINUTE_MS * MINUTE_MS
    wait_until(lambda: counted("live")[0] == plays, "all plays counted", PATIENCE)
    wait_until(lambda: counted("closed") == ((closed - START + 999) // 1000, closed), "the close", PATIENCE)
