"""How CPU an event, memory and the time of a restart grow: with partitions, songs, listeners, record size, late records, topics, batches and a
slow store. One thing is changed at a time. Run by `make bench-growth`, which also draws docs/images/growth.svg.

A restart is the wall time of a second run with nothing left to read: members of the group, chains and windows are found again.
"""

import argparse
import dataclasses
import json
import pathlib
import tempfile

from load import TOPICS, Shape, fill
from measure import MEASURED, ROOT, engine_run, medians, save
from plot import draw
from report import growth

from bucket import Fake
from harness import Broker, Engine

BASE = Shape(events=500_000)


@dataclasses.dataclass(frozen=True)
class Axis:
    """What is changed, and to which values; `shape` or `settings` says how."""

    name: str
    values: tuple
    shape: str | None = None
    setting: str | None = None
    #: A store that answers after so many milliseconds.
    slow_store: bool = False
    events: int = BASE.events


AXES = (
    Axis("partitions", (1, 4, 16, 64, 256), shape="partitions"),
    Axis("songs", (1_000, 10_000, 100_000, 1_000_000, 10_000_000), shape="songs", events=1_000_000),
    Axis("listeners", (1_000, 10_000, 100_000, 1_000_000, 10_000_000), shape="users", events=1_000_000),
    Axis("bytes of user agent", (0, 500, 2_000), shape="agent_bytes"),
    Axis("bytes of unknown field", (0, 100, 500, 2_000), shape="unknown_bytes"),
    Axis("late share", (0.0, 0.01, 0.1, 0.5), shape="late"),
    Axis("topics", (1, 2, 3, 4), shape="topics"),
    Axis("bytes of a batch, MiB", (1, 4, 24, 56), setting="lake__max_batch_bytes"),
    Axis("age of a batch, s", (1, 5, 120), setting="lake__upload_interval"),
    Axis("store's answer, ms", (1, 50, 500, 2_000), slow_store=True),
)
UNITS = {"lake__max_batch_bytes": "MiB", "lake__upload_interval": "s"}


def point(broker, folder, axis, value, suffix, rounds):
    """One value of one axis."""
    shape = dataclasses.replace(BASE, events=axis.events, **({axis.shape: value} if axis.shape else {}))
    events, size = fill(broker, folder, shape, suffix)
    settings = {f"kafka__topics__{topic}": topic + suffix for topic in TOPICS}
    if axis.setting:
        settings[axis.setting] = f"{value}{UNITS[axis.setting]}"
    rows = []
    for number in range(rounds):
        name = folder / f"round-{number}{suffix}"
        if axis.slow_store:
            with Fake() as store:
                store.tell(f"delay {value}")
                rows.append(run_twice(broker, name, events, {**settings, **store.settings}))
        else:
            rows.append(run_twice(broker, name, events, settings))
    return {"value": value, "events": events, "bytes_per_event": round(size / events), **medians(rows)}


def run_twice(broker, folder, events, settings):
    """A run from nothing, and a restart after it."""
    found = engine_run(broker, folder, events, **settings)
    engine = Engine(broker, folder, **settings)
    found["restart_seconds"] = engine.start("run", "--exit-at-end").succeed().wall
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axis", choices=[axis.name for axis in AXES], action="append", help="all of them without")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, default=MEASURED / "growth.json")
    parser.add_argument("--plot", type=pathlib.Path, default=ROOT / "docs" / "images" / "growth.svg")
    options = parser.parse_args()
    results = json.loads(options.json.read_text()) if options.axis and options.json.exists() else {}
    for axis in AXES:
        if options.axis and axis.name not in options.axis:
            continue
        with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary, Broker(pathlib.Path(temporary, "kafka")) as broker:
            results[axis.name] = [
                point(broker, pathlib.Path(temporary), axis, value, f"_{number}", options.rounds) for number, value in enumerate(axis.values)
            ]
        print(f"\n{growth({axis.name: results[axis.name]})}", flush=True)
        save(options.json, results)
    options.plot.write_text(draw(results))


if __name__ == "__main__":
    main()
