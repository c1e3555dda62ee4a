"""Runs BigQuery's statements (a JSON list on standard input) on marts in a DuckDB file; prints their columns as JSON.

    marts.py MARTS.duckdb

Runs in dbt's environment, which has sqlglot.
"""

import json
import sys

import duckdb
import sqlglot

TYPES = {"TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp", "BIGINT": "number", "HUGEINT": "number", "INTEGER": "number", "DOUBLE": "number"}


def columns(db, statement):
    result = db.execute(sqlglot.transpile(statement, read="bigquery", write="duckdb")[0])
    names = [(column[0], TYPES.get(str(column[1]), "string")) for column in result.description]
    rows = result.fetchall()
    return [
        {"name": name, "type": kind, "values": [value(row[at], kind) for row in rows]} for at, (name, kind) in enumerate(names)
    ]


def value(found, kind):
    if found is None or kind == "number":
        return found
    return round(found.timestamp() * 1000) if kind == "timestamp" else str(found)


def main():
    with duckdb.connect(sys.argv[1], read_only=True) as db:
        db.execute("set TimeZone = 'UTC'")
        json.dump([columns(db, statement) for statement in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
