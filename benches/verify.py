"""`verify` on a lake of ten thousand objects: how long it takes, and in how much memory.

Run by `make bench-verify`; `--help` lists what can be set.
"""

import argparse
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Process, binary  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranges", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=2_000, help="listens of a range")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lake = folder / "lake"
        maker = pathlib.Path(binary()).parent / "examples" / "many_ranges"
        made = Process([str(lake), str(options.ranges), str(options.rows)], {}, folder / "make.log", program=str(maker))
        made.succeed(1800)
        print("made", (folder / "make.log").read_text().strip())
        for flags in [[], ["--since", "1h"], ["--since", "0s"]]:
            log = folder / "verify.log"
            log.unlink(missing_ok=True)
            ended = Process(["verify", "--lake-url", lake.as_uri(), *flags], {}, log).succeed(1800)
            rss, told = ended.peak_rss / 2**20, log.read_text().strip().splitlines()
            print(f"verify {' '.join(flags)}: {ended.wall:.1f} s, {ended.cpu:.1f} s CPU, {rss:.0f} MiB at most; {told[-1]}")


if __name__ == "__main__":
    main()
