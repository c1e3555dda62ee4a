"""Writes the tables of docs/performance.md anew from what the benches left in .cache/bench/; what was not measured keeps its table.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`. Run by `make bench-report`.
"""

import json
import re

from measure import MEASURED, ROOT

PAGE = ROOT / "docs" / "performance.md"


def table(head, rows):
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def pipeline(measured):
    """Each shape: the bare drain beside the engine."""
    rows = []
    for result in measured["results"]:
        for who, median in result["medians"].items():
            rows.append([
                result["shape"], who, f"{result['events']:,}", f"{result['events'] / median['wall_seconds']:,.0f}",
                f"{median['cpu_microseconds_per_event']:.2f}", f"{median['peak_rss_mib']:.0f}", f"{median.get('objects', 0):,.0f}",
            ])
    return f"{measured['machine']}.\n\n" + table(["shape", "who", "events", "events/s", "CPU, µs/event", "peak RSS, MiB", "objects"], rows)


def threads(measured):
    """Where the engine's time goes."""
    results = measured["results"]
    kinds = results[0]["medians"]["engine"]["threads"]
    rows = [[kind, *(f"{each['medians']['engine']['threads'][kind]:.3f}" for each in results)] for kind in kinds]
    return table(["threads, µs/event", *(each["shape"] for each in results)], rows)


def instructions(measured):
    """The committed baseline."""
    return table(["stage", "instructions an event"], [[name, f"{count:,.0f}"] for name, count in measured.items()])


def latency(measured):
    """Each rate, and with a day of history."""
    rows = []
    for each in measured["results"]:
        spread = [f"{each['milliseconds'][name]:.0f}" for name in ("p50", "p99", "p99.9", "max")]
        rows.append([f"{each['asked_events_per_second']:,}", f"{each['events_per_second']:,.0f}", *spread, each["probes"], f"{each['history_events']:,}"])
    return table(["asked, events/s", "reached", "p50, ms", "p99", "p99.9", "most", "probes", "history, events"], rows)


def growth(measured):
    """One table for each thing that grows."""
    head = ["CPU, µs/event", "peak RSS, MiB", "restart, s", "objects", "events"]
    parts = []
    for axis, points in measured.items():
        rows = [
            [
                f"{each['value']:,}", f"{each['cpu_microseconds_per_event']:.2f}", f"{each['peak_rss_mib']:.0f}", f"{each['restart_seconds']:.2f}",
                f"{each['objects']:,.0f}", f"{each['events']:,}",
            ]
            for each in points
        ]
        parts.append(table([axis, *head], rows))
    return "\n\n".join(parts)


def peers(measured):
    """Side by side."""
    rows = [
        [
            each["peer"], f"{each['wall_seconds']:.1f}", f"{each['cpu_microseconds_per_event']:.2f}", f"{each['steady_microseconds_per_event']:.2f}",
            f"{each['peak_rss_mib']:,.0f}", each["files"],
        ]
        for each in measured["results"]
    ]
    return f"{measured['events']:,} listen events.\n\n" + table(["who", "wall, s", "CPU, µs/event", "steady", "peak RSS, MiB", "files"], rows)


TABLES = {
    "pipeline": (MEASURED / "pipeline.json", pipeline), "threads": (MEASURED / "pipeline.json", threads),
    "instructions": (ROOT / "benches" / "instructions.json", instructions), "latency": (MEASURED / "latency.json", latency),
    "growth": (MEASURED / "growth.json", growth), "peers": (MEASURED / "peers.json", peers),
}


def main():
    text = PAGE.read_text()
    for name, (path, write) in TABLES.items():
        if not path.exists():
            print(f"{name}: {path.relative_to(ROOT)} is missing, the table stays")
            continue
        body = write(json.loads(path.read_text()))
        text, found = re.subn(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda marks: f"{marks[1]}{body}\n{marks[2]}", text, flags=re.DOTALL)
        assert found == 1, f"docs/performance.md has {found} places for {name}"
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
