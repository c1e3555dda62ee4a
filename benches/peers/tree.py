"""A process and all that it starts: their CPU time and their memory together."""

import os
import pathlib
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _processes():
    """Every process's parent, CPU seconds (with those of ended children that it waited for) and resident bytes."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(folder.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE)
    return found


def _descendants(processes, root):
    """The processes below `root`, itself among them."""
    below, grown = {root}, True
    while grown:
        more = {pid for pid, (parent, _, _) in processes.items() if parent in below} - below
        below, grown = below | more, bool(more)
    return below & processes.keys()


def run_tree(arguments, environment, log):
    """Runs a command to its end; gives CPU seconds and peak resident bytes of it and all that it started."""
    with open(log, "ab") as output:
        child = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    spent, peak = {}, 0
    while child.poll() is None:
        processes = _processes()
        members = _descendants(processes, child.pid)
        peak = max(peak, sum(processes[pid][2] for pid in members))
        spent.update({pid: processes[pid][1] for pid in members})
        time.sleep(0.1)
    if child.returncode:
        raise SystemExit(f"{arguments[0]}: exit code {child.returncode}\n{pathlib.Path(log).read_text(errors='replace')[-3000:]}")
    return sum(spent.values()), peak
