"""The dbt project on a lake, as its users run it: the dbt command, a DuckDB file, nothing else."""

import json
import os
import pathlib
import subprocess
import sys

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
DBT = ROOT / "dbt"
SCHEMAS = ("lake", "core", "charts", "marts")
# What tells one way of getting there from another, and so differs between an increment and a rebuild.
HISTORY = {"lake_applied": None, "lake_ranges": ["batch"], "lake_objects": ["batch"]}


class Project:
    """The project over the lake in folder `lake`, its database and dbt's artifacts in `folder`."""

    def __init__(self, lake, folder, profiles=None, source=DBT, **environment):
        self.source, self.profiles = source, profiles or source
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = self.folder / "beatlytica.duckdb"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BEATLYTICA_")}
        self.environment = {
            **inherited,
            "BEATLYTICA__LAKE__URL": pathlib.Path(lake).as_uri(),
            # Relative to the working directory, so that dbt's parse of one project serves the next.
            "BEATLYTICA_MARTS": self.database.name,
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **environment,
        }

    def command(self, *arguments):
        """A dbt command line."""
        dbt = str(pathlib.Path(sys.executable).parent / "dbt")
        return [dbt, "--no-use-colors", *arguments, "--project-dir", str(self.source), "--profiles-dir", str(self.profiles)]

    def start(self, *arguments):
        """Starts dbt; its output goes into a file."""
        with (self.folder / "dbt.out").open("wb") as output:
            return subprocess.Popen(
                self.command(*arguments), env=self.environment, cwd=self.folder, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def run(self, *arguments, code=0):
        """Runs dbt, which must end with `code`; gives what it printed."""
        ended = self.start(*arguments).wait(timeout=1800)
        printed = (self.folder / "dbt.out").read_text()
        assert ended == code, f"dbt {' '.join(arguments)}: exit code {ended}\n{printed[-5000:]}"
        return printed

    def export(self, path, *prefix, database=None):
        """Writes the figures for Prometheus, as the DAG does, of these marts or of those in another file."""
        command = [sys.executable, *prefix, str(self.source / "scripts" / "export_metrics.py"), str(path)]
        environment = self.environment | ({"BEATLYTICA_MARTS": str(database)} if database else {})
        subprocess.run(command, env=environment, cwd=self.folder, check=True, timeout=120)

    def connect(self):
        """The database, read only."""
        db = duckdb.connect(str(self.database), read_only=True)
        db.execute("set TimeZone = 'UTC'")
        return db

    def manifest(self):
        """dbt's description of the project as of the last command."""
        return json.loads((self.folder / "target" / "manifest.json").read_text())


def tables(db):
    """(schema, table) of everything that the project keeps."""
    return db.execute(
        "select table_schema, table_name from information_schema.tables where table_schema in "
        f"{SCHEMAS} and table_name not like '%dbt_tmp%' order by all"
    ).fetchall()


def differences(one, other):
    """How the tables of two projects' databases differ: table -> (rows only in one, rows only in the other)."""
    kept, found = set(), {}
    for each in (one, other):
        with duckdb.connect(str(each.database), read_only=True) as alone:
            kept |= set(tables(alone))
    db = duckdb.connect()
    db.execute(f"attach '{one.database}' as one (read_only); attach '{other.database}' as other (read_only)")
    for schema, table in sorted(kept):
        excluded = HISTORY.get(table, [])
        if excluded is None:
            continue
        columns = "*" if not excluded else f"* exclude ({', '.join(excluded)})"
        sides = [f"(select {columns} from {name}.{schema}.{table})" for name in ("one", "other")]
        counts = tuple(
            db.execute(f"select count(*) from ({left} except all {right})").fetchone()[0]
            for left, right in (sides, sides[::-1])
        )
        if counts != (0, 0):
            found[f"{schema}.{table}"] = counts
    return found
