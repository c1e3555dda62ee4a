"""Time from the start of an engine that was killed (-9) at full speed until it counts again, with 24 hours of state in its windows.

The engine reads a backlog of a day; once most of it is read it is killed and started again, as often as `--rounds` says, each time on the
lake and the snapshots that it left. A start is timed until the API answers for all partitions, until `/readyz` says so, and until
its first batch is counted (`beatlytica_count_latency_seconds_count`). The member keeps its name in the
group (`group.instance.id`), as a restarted process may; without that it would wait for the session of the one before (45 s), and
the bench would measure this setting. Run by `make bench-recovery`.
"""

import argparse
import contextlib
import pathlib
import signal
import tempfile
import time

from load import DAY_MS, TOPICS, Shape, fill
from measure import MEASURED, save

from harness import Broker, Engine, wait_until

#: Share of the events that is read before the first kill, and more before each further one.
FIRST, FURTHER = 0.8, 0.03


def ready(engine):
    """Whether `/readyz` is passed; not while nothing answers."""
    with contextlib.suppress(OSError):
        return engine.health("/readyz")[0] == 200


def counted(engine):
    """Batches that this process has counted."""
    return engine.get("/api/v1/status") and engine.metric("beatlytica_count_latency_seconds_count")


def position(engine, process):
    """Offsets read, of all partitions together."""
    assert process.poll() is None, process.tail()
    status = engine.get("/api/v1/status")
    return sum(each["position"] for each in status["partitions"]) if status else 0


def recover(engine, process, began, partitions):
    """Seconds from the start until each of the steps."""
    steps = {
        "covered": lambda: engine.covered() == partitions, "ready": lambda: ready(engine), "counted": lambda: counted(engine),
    }
    took = {}

    def look():
        assert process.poll() is None, process.tail()
        for step in [step for step in steps if step not in took]:
            if steps[step]():
                took[step] = time.monotonic() - began
        return len(took) == len(steps)

    wait_until(look, "counting again", 300, every=0.02)
    return {f"{step}_seconds": seconds for step, seconds in took.items()}


def measure(options, folder):
    """All rounds on one backlog."""
    shape = Shape(options.events, span_ms=DAY_MS, users=options.users, partitions=options.partitions)
    partitions, rounds = options.partitions * len(TOPICS), []
    with Broker(folder / "kafka") as broker:
        events, _ = fill(broker, folder, shape)
        engine = Engine(broker, folder / "engine", kafka__properties__group_instance_id="bench", windows__idle_after="1s")
        with contextlib.ExitStack() as started:
            process = started.enter_context(engine.start("run"))
            for number in range(options.rounds):
                goal = events * (FIRST + FURTHER * number)
                wait_until(lambda: position(engine, process) >= goal, f"{goal:.0f} records", 1800)
                process.send(signal.SIGKILL)
                process.wait(30)
                began = time.monotonic()
                process = started.enter_context(engine.start("run"))
                rounds.append(recover(engine, process, began, partitions))
                print("  ".join(f"{name} {seconds:.2f}" for name, seconds in rounds[-1].items()), flush=True)
            wait_until(lambda: position(engine, process) == events, "all records", 1800)
            users = wait_until(lambda: engine.get("/api/v1/active-users?window=24h"), "the users", 60)["users"]
            peak = process.stop(120).peak_rss
        engine.verify()
        engine.discard()
    return {"users": options.users, "events": events, "active_users": users, "peak_rss_mib": peak / 2**20, "rounds": rounds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, default=MEASURED / "recovery.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary:
        result = measure(options, pathlib.Path(temporary))
    save(options.json, result)
    worst = max(each["counted_seconds"] for each in result["rounds"])
    print(f"{result['active_users']} users within 24 hours: counting again after {worst:.2f} s at most, {result['peak_rss_mib']:.0f} MiB")


if __name__ == "__main__":
    main()
