"""The engine over a loaded real topic, in turn with a bare librdkafka drain of the same topic.

Prints wall, CPU microseconds an event of the whole process (user and system, all threads) and by thread, peak RSS: medians over the
rounds. Run by `make bench-pipeline`; `--help` lists what can be set.

There is no round without lake or without windows: the engine has no setting for either (a range is committed only when it is in
the lake), and one made for the bench would measure a program that nobody runs. What each costs is the CPU of its threads.
"""

import argparse
import pathlib
import platform
import tempfile

from load import DAY_MS, HOUR_MS, Shape, fill, shares
from measure import MEASURED, bare_drain, engine_run, medians, save

from harness import Broker

#: Topics and event time of each shape.
SHAPES = {"dense": (1, HOUR_MS), "backfill": (1, 116 * DAY_MS), "topics": (4, HOUR_MS)}


def machine():
    """What it was measured on."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{len(list(pathlib.Path('/sys/devices/system/cpu').glob('cpu[0-9]*')))} cores, {model}"


def measure(name, options, folder):
    """All rounds of one shape, in a new folder."""
    folder.mkdir()
    topics, span_ms = SHAPES[name]
    shape = Shape(options.events, span_ms=span_ms, topics=topics, partitions=options.partitions)
    rounds = {"bare drain": [], "engine": []}
    with Broker(folder / "kafka") as broker:
        events, size = fill(broker, folder, shape)
        for number in range(-options.warm_up, options.rounds):
            drained = bare_drain(broker, folder, shares(shape))
            ran = engine_run(broker, folder / f"round-{number}", events)
            if number >= 0:
                rounds["bare drain"].append(drained)
                rounds["engine"].append(ran)
    return {
        "shape": name, "events": events, "bytes_per_event": round(size / events), "source": shape.source(), "topics": topics,
        "partitions": options.partitions, "rounds": options.rounds, "medians": {who: medians(rows) for who, rows in rounds.items()},
        "all": rounds,
    }


def report(result):
    """A table for reading."""
    print(
        f"\n{result['shape']}: {result['events']} {result['source']} events of {result['bytes_per_event']} bytes, {result['topics']} "
        f"topic(s) with {result['partitions']} partitions, lz4; medians of {result['rounds']} rounds"
    )
    for name, median in result["medians"].items():
        print(
            f"{name:11}  wall {median['wall_seconds']:7.2f} s ({result['events'] / median['wall_seconds']:9.0f} events/s)  "
            f"CPU {median['cpu_microseconds_per_event']:6.3f} us/event  peak RSS {median['peak_rss_mib']:6.1f} MiB"
        )
    engine = result["medians"]["engine"]
    print("CPU by thread, us/event: " + ", ".join(f"{kind} {took:.3f}" for kind, took in engine["threads"].items()))
    print(f"objects: {engine['objects']:.0f}, {engine['object_bytes'] / result['events']:.1f} bytes an event")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, action="append", help="dense in one hour, over 116 days, all four topics; all of them without")
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=2, help="rounds before those: a new broker serves slowly until its code is compiled")
    parser.add_argument("--json", type=pathlib.Path, default=MEASURED / "pipeline.json")
    parser.add_argument("--limit", type=float, help="exit with 1 if the engine's median CPU microseconds an event exceed it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary:
        results = [measure(name, options, pathlib.Path(temporary) / name) for name in options.shape or SHAPES]
    for result in results:
        report(result)
    save(options.json, {"machine": machine(), "results": results})
    worst = max(result["medians"]["engine"]["cpu_microseconds_per_event"] for result in results)
    if options.limit is not None and worst > options.limit:
        raise SystemExit(f"engine: {worst:.3f} us/event, limit {options.limit}")


if __name__ == "__main__":
    main()
