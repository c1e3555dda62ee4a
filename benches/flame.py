"""Where the engine's time goes, as a flame graph: docs/images/flame.svg.

Samples a run over a loaded real topic with `perf` (Debian: linux-perf) and draws it with inferno. Threads are the lowest
frames. Run by `make bench-flame`; `--help` lists what can be set.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from load import Shape, fill
from measure import ROOT

from harness import Broker, Engine, binary

PICTURE = ROOT / "docs" / "images" / "flame.svg"
#: Samples a second and core: few enough that copying each one's stack is not what is measured.
RATE = "499"
#: Bytes of stack that are kept with a sample, for unwinding it afterwards.
STACK = "8192"
#: Frames below this share of the whole, in hundredths, are left out, so that the picture stays small.
LEAST = "0.2"
#: Frames that only say that a thread is one, and that a future is polled.
DULL = ("clone3", "start_thread", "[unknown]", "_start", "__libc_start_main")
DULL_FROM = ("std::", "core::ops", "tokio::runtime")


def record(broker, folder):
    """One run under perf; gives its folded stacks."""
    engine = Engine(broker, folder / "engine")
    samples = folder / "perf.data"
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", RATE, "--call-graph", f"dwarf,{STACK}", "-o", samples]
    subprocess.run([*command, binary(), "run", "--exit-at-end"], env={**os.environ, **engine.environment}, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    script = subprocess.run(["perf", "script", "-i", samples, "--no-inline"], check=True, capture_output=True).stdout
    return subprocess.run(["inferno-collapse-perf"], input=script, check=True, capture_output=True).stdout.decode()


def tidy(folded):
    """Stacks without what says nothing."""
    counts = {}
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if frame not in DULL and not frame.startswith(DULL_FROM)]
        counts[tuple(frames)] = counts.get(tuple(frames), 0) + int(count)
    return "".join(f"{';'.join(frames)} {count}\n" for frames, count in counts.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000, help="listens within one hour of event time (%(default)s)")
    options = parser.parse_args()
    for tool, where in (("perf", "Debian's package linux-perf"), ("inferno-flamegraph", "cargo install --locked inferno")):
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed: {where}")
    with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary:
        folder = pathlib.Path(temporary)
        with Broker(folder / "kafka") as broker:
            fill(broker, folder, Shape(options.events))
            folded = tidy(record(broker, folder))
    title = f"One run over {options.events:,} dense listens, samples of all threads"
    drawn = subprocess.run(["inferno-flamegraph", "--title", title, "--deterministic", "--minwidth", LEAST, "--countname", "ns"], input=folded.encode(), check=True, capture_output=True)
    PICTURE.write_bytes(drawn.stdout)
    print(f"{PICTURE.relative_to(ROOT)}: {len(drawn.stdout) // 1024} KiB")


if __name__ == "__main__":
    main()
