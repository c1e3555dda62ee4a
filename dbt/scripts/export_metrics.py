"""Writes what the marts say about themselves as a file that Prometheus' node exporter serves (textfile collector).

    export_metrics.py FILE.prom

It finds the marts as dbt does: DBT_TARGET, then BEATLYTICA_MARTS, or BEATLYTICA_GCP_PROJECT and BEATLYTICA_DATASET. The file is replaced
whole. While the recount lacks what is new in the ledger it stays as it is, for an alert goes by its age. Labels are tables, topics and
measures: a bounded few.
"""

import datetime
import os
import pathlib
import sys
import time

# Name, meaning, labels, and a query that DuckDB and BigQuery understand: the labels' values, then the figure. {} stands before a schema.
METRICS = [
    (
        "beatlytica_reconciliation_difference",
        "Streaming counts minus a recount of the events, absolute, summed over all hours; 0 unless something is wrong.",
        ("table",),
        "select count_table, sum(abs(difference)) from {}marts.reconciliation group by 1 order by 1",
    ),
    (
        "beatlytica_reconciliation_differing_groups",
        "Groups whose streaming count is not the recount.",
        ("table",),
        "select count_table, sum(differing_groups) from {}marts.reconciliation group by 1 order by 1",
    ),
    (
        "beatlytica_marts_newest_hour_timestamp_seconds",
        "Start of the newest event hour that the marts hold.",
        ("table",),
        "select source_table, max(event_hour) from {}core.event_hours group by 1 order by 1",
    ),
    (
        "beatlytica_marts_records",
        "What data_quality counts, over all days.",
        ("topic", "measure"),
        "select topic, measure, sum(amount) from {}marts.data_quality group by 1, 2 order by 1, 2",
    ),
]

EXPORTED = "beatlytica_marts_exported_timestamp_seconds"

# Whether `reconciliation` is built and holds all that the marts have found in the ledger.
IS_RECONCILED = """select coalesce(max(through_batch) = (select coalesce(max(batch), 0) from {}lake.lake_ranges), false)
  from {}lake.lake_applied where model = 'reconciliation'"""


def from_bigquery():
    """What gives a query's rows, and what stands before a schema."""
    from google.cloud import bigquery

    client = bigquery.Client(project=os.environ["BEATLYTICA_GCP_PROJECT"])
    return lambda query: [row.values() for row in client.query(query).result()], os.environ.get("BEATLYTICA_DATASET", "beatlytica") + "_"


def from_duckdb():
    """The same of a file."""
    import duckdb

    # As in profiles.yml.
    marts = os.environ.get("BEATLYTICA_MARTS", "target/beatlytica.duckdb")
    if not pathlib.Path(marts).is_file():
        raise SystemExit(f"{marts!r} is no file: build the marts first (`make marts`), or name them with BEATLYTICA_MARTS")
    db = duckdb.connect(marts, read_only=True)
    return lambda query: db.execute(query).fetchall(), ""


def escaped(value):
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value):
    """A figure; a time as seconds since 1970. Both databases give times in UTC, one of them without saying so."""
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=datetime.UTC).timestamp()
    return int(value)


def lines(ask, before):
    """The exposition text, line by line."""
    for name, meaning, labels, query in METRICS:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} gauge"
        for *values, figure in ask(query.format(before)):
            pairs = ",".join(f'{label}="{escaped(value)}"' for label, value in zip(labels, values, strict=True))
            yield f"{name}{{{pairs}}} {number(figure)}"
    yield f"# HELP {EXPORTED} When these figures were read from the marts."
    yield f"# TYPE {EXPORTED} gauge"
    yield f"{EXPORTED} {int(time.time())}"


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: export_metrics.py FILE.prom")
    target = pathlib.Path(sys.argv[1])
    ask, before = from_bigquery() if os.environ.get("DBT_TARGET") == "bigquery" else from_duckdb()
    [[reconciled]] = ask(IS_RECONCILED.format(before, before))
    if not reconciled:
        print(f"reconciliation lacks what is new in the ledger: {target} stays as it is")
        return
    text = "\n".join(lines(ask, before)) + "\n"
    # A scrape must not see half a file.
    partial = target.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, target)


if __name__ == "__main__":
    main()
