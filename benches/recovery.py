"""How long a killed engine takes to count again: windows of 24 hours and a million users, events at full speed.

Listens of a million users, spread over 30 hours of event time, are loaded into a broker; an engine reads them as fast as it
can and is killed (-9) three times while it does. Measured from the restart: until all partitions are rebuilt, and until an
answer counts an event that none did before. Run by `make bench-recovery`; `--help` lists what can be set.
"""

import argparse
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Broker, Engine, binary, variables, wait_until  # noqa: E402

START_MS = 1_714_953_600_000
SPAN_MS = 30 * 3_600_000
TOPIC = "listen_events"
STATES = ["CA", "NY", "TX", "WA", "FL", "OH", "IL", "MA"]


def load(broker, folder, options):
    """Sends the events; each user comes again once all others have come."""
    template = (
        b'{"artist":"Artist %d","song":"Song %d","duration":200.5,"ts":%d,"sessionId":%d,"auth":"Logged In","level":"%s",'
        b'"itemInSession":1,"city":"City %d","zip":"%05d","state":"%s","userId":%d,"gender":"%s","registration":1714953600000}\n'
    )
    levels, genders, states = (b"free", b"paid"), (b"F", b"M"), [state.encode() for state in STATES]
    sender = subprocess.Popen(
        [binary(), "replay", "-", "--topic", TOPIC, "--create-partitions", str(options.partitions)],
        env=variables({"kafka.brokers": broker.address}), stdin=subprocess.PIPE,
    )
    for begin in range(0, options.events, 10_000):
        lines = []
        for number in range(begin, min(begin + 10_000, options.events)):
            # A prime step: neighbours in time are no neighbours in id.
            user, song = number * 7_919 % options.users, number * 31 % 40_000
            ts = START_MS + number * SPAN_MS // options.events
            lines.append(template % (
                song % 4_400, song, ts, user, levels[user % 5 > 0], user % 500, user % 90_000, states[user % 8], user, genders[user % 2],
            ))
        sender.stdin.write(b"".join(lines))
    sender.stdin.close()
    assert sender.wait() == 0, "the events were not sent"


def users(engine):
    return engine.get("/api/v1/active-users?window=24h")


def records(engine):
    status = engine.get("/api/v1/status")
    return status["records"] if status else 0


def restart(engine, before):
    """Starts the engine; seconds until all partitions are there, and until an event is counted that was not before."""
    started = time.monotonic()
    process = engine.start("run")
    rebuilt = None

    def counts():
        nonlocal rebuilt
        assert process.poll() is None, process.tail()
        answer = users(engine)
        if not answer or answer["partitions"]["covered"] < before["partitions"]["total"]:
            return None
        rebuilt = rebuilt or time.monotonic() - started
        return answer if answer["window"]["end"] > before["window"]["end"] else None

    after = wait_until(counts, "the engine counts again", 300, every=0.02)
    return process, rebuilt, time.monotonic() - started, after


def measure(broker, folder, options):
    engine = Engine(broker, folder / "engine")
    process = engine.start("run")
    rounds = []
    read = 0
    for number in range(options.rounds):
        # Of the whole of the events so much has been read when it is killed; the last of them stay for the last restart.
        share = 0.82 + 0.15 * number / options.rounds
        wanted = options.events * share - read
        wait_until(lambda: records(engine) >= wanted, "the engine reads", 600, every=0.01)
        before = wait_until(lambda: users(engine), "an answer", 60, every=0.01)
        process.send(signal.SIGKILL)
        process.wait()
        process, rebuilt, counting, after = restart(engine, before)
        assert after["users"] >= 0.99 * before["users"], (before, after)
        rounds.append({"users": before["users"], "rebuilt_seconds": rebuilt, "counting_seconds": counting})
        print(json.dumps(rounds[-1]), flush=True)
        read = options.events * share
    process.send(signal.SIGTERM)
    process.succeed(300)
    print(engine.verify().strip().splitlines()[-1])
    return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6_000_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Broker(pathlib.Path(folder) / "kafka") as broker:
        load(broker, pathlib.Path(folder), options)
        rounds = measure(broker, pathlib.Path(folder), options)
    median = statistics.median(each["counting_seconds"] for each in rounds)
    print(f"counting again after {median:.2f} s (median of {len(rounds)}), with {rounds[-1]['users']:,} users in 24 hours")


if __name__ == "__main__":
    main()
