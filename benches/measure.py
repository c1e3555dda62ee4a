"""Runs of the engine and of others over a loaded topic: wall, CPU by thread, memory, objects."""

import json
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: Where the benches leave their figures.
MEASURED = ROOT / ".cache" / "bench"
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Engine, Process, binary, wait_until  # noqa: E402

#: Threads by the beginning of their name.
THREADS = {
    "rdk:": "client", "kafka-poll": "poll loop", "partitions-": "partitions", "windows": "windows", "tokio-": "encode and store",
}


def thread_seconds(pid):
    """CPU seconds of each thread that lives, by thread number: what it does and how long it ran."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            name = (task / "comm").read_text().strip()
            ran = int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            continue
        kind = next((kind for start, kind in THREADS.items() if name.startswith(start)), "other")
        found[task.name] = (kind, ran)
    return found


class Watched:
    """A process whose threads are looked at again and again until it ends."""

    def __init__(self, process):
        self.process = process
        self.threads = {}

    def look(self):
        """Takes the threads' time; gives how the process ended, or None."""
        self.threads.update(thread_seconds(self.process.child.pid))
        return self.process.poll()

    def succeed(self, deadline=900.0):
        """Waits for the end and exit code 0."""
        wait_until(self.look, "the end of the run", deadline, every=0.05)
        return self.process.succeed()

    def by_kind(self, cpu):
        """CPU seconds by what the threads do; what ran after the last look counts as `other`."""
        sums = dict.fromkeys([*THREADS.values(), "other"], 0.0)
        for kind, ran in self.threads.values():
            sums[kind] += ran
        sums["other"] = max(0.0, sums["other"] + cpu - sum(sums.values()))
        return sums


def row(ended, events):
    """What a run took."""
    return {
        "wall_seconds": ended.wall,
        "cpu_microseconds_per_event": ended.cpu * 1e6 / events,
        "peak_rss_mib": ended.peak_rss / 2**20,
    }


def bare_drain(broker, folder, topics):
    """One bare drain of each topic that has events, one after another; `topics` maps them to their number of events."""
    example = pathlib.Path(binary()).parent / "examples" / "bare_drain"
    rows = []
    for topic, events in topics.items():
        log = folder / "bare.log"
        log.unlink(missing_ok=True)
        ended = Process([broker.address, topic], {}, log, program=str(example)).succeed()
        found = int(log.read_text().split()[-1])
        assert found == events, f"{found} records of {events} in {topic}"
        rows.append((ended, events))
    events = sum(events for _, events in rows)
    return {
        "wall_seconds": sum(ended.wall for ended, _ in rows),
        "cpu_microseconds_per_event": sum(ended.cpu for ended, _ in rows) * 1e6 / events,
        "peak_rss_mib": max(ended.peak_rss for ended, _ in rows) / 2**20,
    }


def engine_run(broker, folder, events, **settings):
    """One run of the engine from nothing to the topics' end; other settings than the defaults may be given.

    The lake stays until the bench is done: ext4 gives out no inode again within minutes of its release, so whoever makes files after
    thousands of others were deleted pays for the search.
    """
    engine = Engine(broker, folder, **settings)
    watched = Watched(engine.start("run", "--exit-at-end"))
    ended = watched.succeed()
    found = row(ended, events)
    found["threads"] = {kind: seconds * 1e6 / events for kind, seconds in watched.by_kind(ended.cpu).items()}
    objects = [path.stat().st_size for path in engine.lake.glob("lake/v1/**/*.parquet")]
    found["objects"], found["object_bytes"] = len(objects), sum(objects)
    return found


def medians(rows):
    """The median of each figure, also of those within figures."""
    first = rows[0]
    return {
        name: medians([each[name] for each in rows]) if isinstance(value, dict) else statistics.median(each[name] for each in rows)
        for name, value in first.items()
    }


def save(path, value):
    """Keeps figures for `report.py`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(value), indent=2) + "\n")


def rounded(value):
    """Four digits are plenty."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else float(f"{value:.4g}") if isinstance(value, float) else value
