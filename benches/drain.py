"""The engine over a loaded real topic, in turn with a bare librdkafka drain of the same topic.

Prints events, wall, CPU microseconds an event of the whole process (user and system, all threads), peak RSS: medians
over the rounds. Run by `make bench`; `--help` lists what can be set.
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Broker, Engine, Process, binary, replay  # noqa: E402

HOUR_MS = 3_600_000
START_MS = 1_714_953_600_000
TOPIC = "listen_events"
TS = re.compile(rb'"ts":\d+')


def eventsim_lines(folder):
    """Eventsim's own listens, again and again."""
    path = pathlib.Path(folder) / "listen_events.jsonl.zst"
    while True:
        source = subprocess.Popen(["zstd", "-dcq", "--long=27", str(path)], stdout=subprocess.PIPE)
        yield from source.stdout
        if source.wait():
            sys.exit(f"{path} cannot be read")


def synthetic_lines():
    """Listens of Eventsim's shape and size, where its own are not at hand."""
    dice = random.Random(1)
    songs = [(f"Artist {dice.randrange(4400)} Ensemble", f"Song number {n} of them all", 60 + n % 600) for n in range(10_000)]
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0 Safari/537.36"
    for number in itertools.count():
        artist, song, duration = dice.choice(songs)
        user = dice.randrange(20_000)
        record = {
            "artist": artist, "song": song, "duration": duration + 0.12345, "ts": 0, "sessionId": user, "auth": "Logged In",
            "level": "paid" if user % 5 else "free", "itemInSession": number % 90, "city": f"City {user % 500}",
            "zip": f"{user:05}", "state": "CA", "userAgent": f'"{agent}"', "lon": -121.4 - user / 1e4,
            "lat": 38.6 + user / 1e4, "userId": user, "lastName": f"Last{user % 900}", "firstName": f"First{user % 700}",
            "gender": "F" if user % 2 else "M", "registration": START_MS,
        }
        yield json.dumps(record, separators=(",", ":")).encode() + b"\n"


def write_events(path, events):
    """`events` listens whose times are spread evenly over one hour, in order."""
    folder = os.environ.get("BEATLYTICA_EVENTSIM_DATA")
    lines = eventsim_lines(folder) if folder else synthetic_lines()
    with path.open("wb") as output:
        for number, line in enumerate(itertools.islice(lines, events)):
            output.write(TS.sub(b'"ts":%d' % (START_MS + number * HOUR_MS // events), line, count=1))
    return "eventsim" if folder else "synthetic"


def bare_drain(broker, folder, events):
    """One bare drain."""
    example = pathlib.Path(binary()).parent / "examples" / "bare_drain"
    log = folder / "bare.log"
    log.unlink(missing_ok=True)
    process = Process([broker.address, TOPIC], {}, log, program=str(example))
    ended = process.succeed()
    found = int(log.read_text().split()[-1])
    assert found == events, f"{found} records of {events}"
    return ended


def engine_run(broker, folder, number):
    """One run of the engine from nothing, with its default settings."""
    engine = Engine(broker, folder / f"round-{number}")
    ended = engine.start("run", "--exit-at-end").succeed()
    engine.discard()
    return ended


def row(ended, events):
    return {
        "wall_seconds": round(ended.wall, 3),
        "cpu_microseconds_per_event": round(ended.cpu * 1e6 / events, 4),
        "peak_rss_mib": round(ended.peak_rss / 2**20, 1),
    }


def summary(rows):
    return {name: statistics.median(each[name] for each in rows) for name in rows[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".cache" / "bench.json")
    parser.add_argument("--limit", type=float, help="exit with 1 if the engine's median CPU microseconds an event exceed it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary:
        folder = pathlib.Path(temporary)
        path = folder / "events.jsonl"
        source = write_events(path, options.events)
        with Broker(folder / "kafka") as broker:
            empty = folder / "empty"
            empty.touch()
            others = ("page_view_events", "auth_events", "status_change_events")
            replay(broker, folder, {TOPIC: [path], **{topic: [empty] for topic in others}}, 4)
            path.unlink()
            rounds = {"bare drain": [], "engine": []}
            for number in range(options.rounds):
                rounds["bare drain"].append(row(bare_drain(broker, folder, options.events), options.events))
                rounds["engine"].append(row(engine_run(broker, folder, number), options.events))
    report(options, source, rounds)


def report(options, source, rounds):
    medians = {name: summary(rows) for name, rows in rounds.items()}
    print(f"{options.events} {source} listen events within one hour, 4 partitions, lz4; medians of {options.rounds} rounds")
    for name, median in medians.items():
        rate = options.events / median["wall_seconds"]
        print(
            f"{name:11}  wall {median['wall_seconds']:7.2f} s ({rate:9.0f} events/s)  "
            f"CPU {median['cpu_microseconds_per_event']:6.3f} us/event  peak RSS {median['peak_rss_mib']:6.1f} MiB"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"events": options.events, "source": source, "medians": medians, "rounds": rounds}
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    engine = medians["engine"]["cpu_microseconds_per_event"]
    if options.limit is not None and engine > options.limit:
        sys.exit(f"engine: {engine} us/event, limit {options.limit}")


if __name__ == "__main__":
    main()
