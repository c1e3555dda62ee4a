"""Starts BigQuery's emulator.

    serve.py PORT PROJECT FOLDER

Keeps its data in a DuckDB file in FOLDER.

Runs in the emulator's own environment. Two things are done for it first: DuckDB's spatial extension, which it loads at its
start, is put where DuckDB looks for it (the package of that name brings it), and `create table t (columns) as (query)`, which
dbt writes for tables with a contract, is read like the same without the parentheses, which the emulator knows.
"""

import os
import pathlib
import platform
import shutil
import sys

import duckdb
import duckdb_extension_spatial
from bqemulator.cli import main
from bqemulator.sql.rewriter import create_table_schema_ctas as contracts
from sqlglot import exp


def bring_extension():
    machine = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}[platform.machine()]
    folder = pathlib.Path(os.environ["HOME"]) / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / machine
    folder.mkdir(parents=True, exist_ok=True)
    packaged = pathlib.Path(duckdb_extension_spatial.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    shutil.copy(packaged / "spatial.duckdb_extension", folder)


def unwrapped(body, find=contracts._first_select):
    while isinstance(body, exp.Subquery):
        body = body.this
    return find(body)


if __name__ == "__main__":
    port, project, folder = sys.argv[1:]
    bring_extension()
    contracts._first_select = unwrapped
    main(["start", "--rest-port", port, "--grpc-port", "0", "--project", project, "--log-level", "error",
          "--persistent", "--data-dir", folder])
