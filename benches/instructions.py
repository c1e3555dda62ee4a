"""Instructions an event of the hot path's stages, by callgrind, beside the committed baseline.

Nothing else that runs on the machine changes them; another compiler or C library does, a little. A stage that takes over 5 %
more than the baseline says is a failure; `--accept` writes the baseline anew. Run by `make bench-instructions`.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path(__file__).with_suffix(".json")
ALLOWED = 1.05
#: The function of the program that all stages run in.
MEASURED = "instructions::measured_stage"
SUMMARY = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def count(program):
    """Instructions an event by stage, in the order in which they run."""
    with tempfile.TemporaryDirectory(prefix="beatlytica-callgrind-") as folder:
        printed = subprocess.run(
            [
                "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                f"--toggle-collect={MEASURED}", f"--dump-after={MEASURED}", program,
            ],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout
        stages = [(name, int(events)) for name, events in (line.rsplit(" ", 1) for line in printed.splitlines())]
        counts = {}
        for number, (name, events) in enumerate(stages, start=1):
            found = SUMMARY.search(pathlib.Path(folder, f"out.{number}").read_text())
            if not found or int(found[1]) == 0:
                sys.exit(f"callgrind counted nothing in stage {name!r}")
            counts[name] = round(int(found[1]) / events, 1)
        return counts


def compare(counts, baseline):
    """Prints both; gives the complaints."""
    complaints = []
    for name in [*counts, *(name for name in baseline if name not in counts)]:
        now, before = counts.get(name), baseline.get(name)
        if now is None or before is None:
            complaints.append(f"{name}: {'is measured no more' if now is None else 'has no baseline'}")
            continue
        change = now / before - 1
        print(f"{name:42} {now:14,.1f} {before:14,.1f} {change:+8.1%}")
        if now > before * ALLOWED:
            complaints.append(f"{name}: {change:.1%} more instructions an event than the baseline")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the example `instructions`")
    parser.add_argument("--accept", action="store_true", help="write the baseline instead of comparing with it")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing; run `make packages`")
    counts = count(options.program)
    if options.accept:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
        print(BASELINE.read_text(), end="")
        return
    print(f"{'instructions an event':42} {'now':>14} {'baseline':>14}   change")
    complaints = compare(counts, json.loads(BASELINE.read_text()))
    if complaints:
        sys.exit("\n".join([*complaints, "Accept what is meant with `make bench-accept`, and say why in the commit message."]))


if __name__ == "__main__":
    main()
