"""Writes a golden lake: a small one as this version's engine writes it, kept for later versions to read.

Run once for each format version: `BEATLYTICA_BIN=… python tests/e2e/golden.py tests/fixtures/golden-lake-v1`.
Listeners, songs and broken records are the simulator's.
"""

import json
import pathlib
import shutil
import sys
import tempfile

from harness import Broker, Engine, Process, replay
from tables import TABLES

#: Records that retention has taken before the engine first runs.
GAP = 25


def simulate(folder, start, end):
    """Files of events of a few listeners, one in forty records broken; table -> path."""
    arguments = [
        "simulate", "--output", str(folder), "--users", "700", "--seed", "9", "--start", start, "--end", end,
        "--malformed", "0.025", "--late", "0.02", "--duplicated", "0.01",
    ]
    Process(arguments, {}, folder.with_suffix(".log")).succeed(60)
    return {path.name.split(".")[0]: [path] for path in sorted(folder.iterdir())}


def make(folder, work):
    """A lake of two runs over one partition a topic, with a gap at the front of the listens."""
    with Broker(work / "kafka") as broker:
        engine = Engine(broker, work / "engine", lake__max_batch_bytes="256KiB")
        for part, (start, end) in enumerate([("2024-05-06T18:30:00", "2024-05-06T20:30:00"), ("2024-05-06T20:30:00", "2024-05-06T21:30:00")]):
            files = simulate(work / f"part-{part}", start, end)
            assert set(files) == set(TABLES), files
            replay(broker, work, files, 1)
            if part == 0:
                broker.delete_records("listen_events", {0: GAP})
            engine.start("run", "--exit-at-end").succeed(120)
        engine.verify("--kafka")
        # What a broker without ids leaves: so that the lake can be gone on with on any. Nothing of this machine stays.
        for path in engine.lake.glob("ledger/v1/*/e001/**/*.json"):
            record = json.loads(path.read_text())
            known = {"cluster_id": None, "topic_id": None, "writer": "golden"}
            record.update((name, value) for name, value in known.items() if name in record)
            path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
        printed = engine.verify()
        shutil.rmtree(folder / "lake", ignore_errors=True)
        shutil.copytree(engine.lake, folder / "lake", ignore=shutil.ignore_patterns(".tmp"))
        print(printed)


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        make(target, pathlib.Path(work))
