"""Writes what the marts say about themselves as a file that Prometheus' node exporter serves (textfile collector).

    export_metrics.py MARTS.duckdb FILE.prom

The file is replaced whole. Labels are tables, topics and measures: a bounded few.
"""

import os
import pathlib
import sys

import duckdb

METRICS = [
    (
        "beatlytica_reconciliation_difference",
        "Streaming counts minus a recount of the events, absolute, summed over all hours; 0 unless something is wrong.",
        "select count_table as \"table\", sum(abs(difference)) from marts.reconciliation group by 1 order by 1",
    ),
    (
        "beatlytica_reconciliation_differing_groups",
        "Groups whose streaming count is not the recount.",
        "select count_table as \"table\", sum(differing_groups) from marts.reconciliation group by 1 order by 1",
    ),
    (
        "beatlytica_marts_newest_hour_timestamp_seconds",
        "Start of the newest event hour that the marts hold.",
        "select source_table as \"table\", epoch(max(event_hour)) from core.event_hours group by 1 order by 1",
    ),
    (
        "beatlytica_marts_records",
        "What data_quality counts, over all days.",
        "select topic, measure, sum(amount) from marts.data_quality group by 1, 2 order by 1, 2",
    ),
]


def escaped(value):
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def lines(db):
    """The exposition text, line by line."""
    for name, meaning, query in METRICS:
        result = db.execute(query)
        labels = [column[0] for column in result.description[:-1]]
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} gauge"
        for *values, amount in result.fetchall():
            pairs = ",".join(f'{label}="{escaped(value)}"' for label, value in zip(labels, values, strict=True))
            yield f"{name}{{{pairs}}} {int(amount)}"


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: export_metrics.py MARTS.duckdb FILE.prom")
    marts, target = map(pathlib.Path, sys.argv[1:])
    if not marts.is_file():
        raise SystemExit(f"{marts} is missing: build the marts first (`make marts`)")
    with duckdb.connect(str(marts), read_only=True) as db:
        text = "\n".join(lines(db)) + "\n"
    # A scrape must not see half a file.
    partial = target.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, target)


if __name__ == "__main__":
    main()
