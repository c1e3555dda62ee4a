"""How the marts scale: time and memory of the first build and of one more hour, on a lake made for it.

    marts_scale.py [--plays 100000000] [--hours 672] [--folder .cache/marts-scale] [--memory 10GB]

Writes a lake in the engine's format (sessions of twelve plays and two other pages), builds the marts without those tagged
nightly, adds an hour, and builds again. Does the same with a tenth of the hours, the hour as large: the second increment
must not cost much less than the first, for what it takes depends on what is new.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[1]
START = "timestamp '2026-01-01 00:00:00'"
PLAYS_A_SESSION = 12
TABLES = ("listen_events", "page_view_events", "auth_events", "status_change_events")
USER = """'Salem' as city, '01970' as zip, state, 'none' as user_agent, -70.9 as lon, 42.5 as lat, user_id, 'Poe' as last_name,
  'Ann' as first_name, gender, timestamptz '2025-06-01 00:00:00+00' as registration, null::varchar as tag"""
ORIGIN = """1::integer as kafka_epoch, 0::integer as kafka_partition, ({start} + row_number() over () - 1)::bigint as kafka_offset,
  ts as kafka_timestamp, null::varchar as extra"""


class Lake:
    """A lake that grows hour by hour, one partition a topic, one range a topic and hour."""

    def __init__(self, folder, plays_an_hour):
        self.folder = folder
        self.sessions = plays_an_hour // PLAYS_A_SESSION
        self.hours = 0
        self.offsets = dict.fromkeys(TABLES, 0)
        self.starts = dict.fromkeys(TABLES)
        self.db = duckdb.connect(config={"threads": 2})
        self.db.execute("set TimeZone = 'UTC'")

    def add_hour(self):
        """Writes the next hour: objects, decisions, receipts."""
        begin = f"({START} + to_hours({self.hours}))"
        self.db.execute(
            f"""create or replace temp table pages as
            select s.session_id, item_in_session, user_id, case when user_id % 5 = 0 then 'paid' else 'free' end as level,
              case when user_id % 2 = 0 then 'F' else 'M' end as gender,
              ['CA', 'NY', 'TX', 'MA', 'WA', 'NV'][1 + user_id % 6] as state,
              ({begin} + to_seconds((hash(s.session_id) % 300 + item_in_session * 220 + hash(s.session_id, item_in_session) % 30)::bigint))::timestamptz as ts,
              item_in_session between 1 and {PLAYS_A_SESSION} as is_play,
              hash(user_id, s.session_id, item_in_session, 7) % 10000 as song_number,
              150 + hash(s.session_id, item_in_session, 3) % 150 as duration
            from (select {self.hours * self.sessions} + i as session_id, (hash(i, {self.hours}) % 1000000)::bigint as user_id
                  from range({self.sessions}) as r(i)) s, range({PLAYS_A_SESSION + 2}) as items(item_in_session)"""
        )
        track = "'artist ' || song_number % 4400 as artist, 'song ' || song_number as song, duration::double as duration"
        step = "ts, session_id::bigint as session_id"
        place = "level, item_in_session::bigint as item_in_session"
        raw = "null::varchar as song_raw, null::varchar as artist_raw"
        self.write("listen_events", f"{track}, {step}, 'Logged In' as auth, {place}, {USER}, {raw}", "is_play")
        self.write(
            "page_view_events",
            f"{step}, case when is_play then 'NextSong' else 'Home' end as page, 'Logged In' as auth, 'PUT' as method, "
            f"200::bigint as status, {place}, {USER}, {track}, {raw}", "true",
        )
        self.write("auth_events", f"{step}, {place}, {USER}, true as success", "session_id % 50 = 0 and item_in_session = 0")
        self.write(
            "status_change_events", f"{step}, 'Logged In' as auth, {place}, {USER}",
            "session_id % 500 = 0 and item_in_session = 1",
        )
        self.hours += 1

    def write(self, table, columns, where):
        """One range of one topic."""
        start = self.offsets[table]
        rows = self.db.execute(f"select count(*) from pages where {where}").fetchone()[0]
        end = start + rows
        day, hour = self.db.execute(
            f"select strftime({START} + to_hours({self.hours}), '%Y-%m-%d'), strftime({START} + to_hours({self.hours}), '%H')"
        ).fetchone()
        stem = f"e001-p00000-{start:020}-{end:020}.parquet"
        origin = ORIGIN.format(start=start)
        objects = {
            f"lake/v1/{table}/event_date={day}/event_hour={hour}/{stem}":
                f"select {columns}, {origin} from pages where {where}",
            f"lake/v1/user_activity/event_date={day}/{table}-{stem}":
                f"select distinct date_trunc('minute', ts) as pane_start, user_id::bigint as user_id, level, gender, state from pages where {where}",
        }
        if table == "listen_events":
            objects[f"lake/v1/song_counts/event_date={day}/{table}-{stem}"] = (
                "select date_trunc('minute', ts) as pane_start, 'artist ' || song_number % 4400 as artist, "
                "'song ' || song_number as song, level, count(*)::bigint as plays from pages where is_play group by all"
            )
        entries = []
        for name, query in objects.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = self.db.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)").fetchone()[0]
            entries.append({"name": name, "rows": written, "bytes": path.stat().st_size, "crc32c": 0})
        self.decide(table, start, end, rows, entries)

    def decide(self, table, start, end, rows, entries):
        """The range's decision and receipt."""
        chain = self.folder / "ledger/v1" / table / "e001/p00000"
        chain.mkdir(parents=True, exist_ok=True)
        decision = {
            "format": 1, "kind": "data", "topic": table, "table": table, "epoch": 1, "partition": 0, "start": start, "end": end,
            "objects": [each["name"] for each in entries], "records": rows, "checksum": "0" * 16, "fingerprint": None,
            "previous_start": self.starts[table], "clock_ms": None, "watermark": None, "schema_version": 1,
            "code_version": "0", "writer": "marts_scale",
        }
        receipt = {"format": 1, "start": start, "end": end, "objects": entries, "lost": 0, "watermark": None}
        (chain / f"{start:020}.json").write_text(json.dumps(decision) + "\n")
        (chain / f"{start:020}.done.json").write_text(json.dumps(receipt) + "\n")
        self.starts[table], self.offsets[table] = start, end


def build(lake, database, memory):
    """Runs dbt; gives seconds, seconds of CPU time and peak memory in bytes of its process."""
    environment = {
        **os.environ, "BEATLYTICA__LAKE__URL": lake.folder.resolve().as_uri(), "BEATLYTICA_MARTS": str(database.resolve()),
        "BEATLYTICA_MARTS_MEMORY": memory, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_TARGET": "duckdb",
        "DBT_TARGET_PATH": str(database.resolve().parent / "target"), "DBT_LOG_PATH": str(database.resolve().parent / "logs"),
    }
    dbt = [str(pathlib.Path(sys.executable).parent / "dbt"), "--no-use-colors"]
    project = ["--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    subprocess.run([*dbt, "-q", "seed", *project], env=environment, check=True)
    began = time.monotonic()
    child = subprocess.Popen([*dbt, "run", "--exclude", "tag:nightly", *project], env=environment, stdout=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit("dbt failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def measure(folder, plays_an_hour, hours, memory):
    """First build and one more hour on a lake of so many hours; gives the CPU time of the latter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lake = Lake(folder / "lake", plays_an_hour)
    for _ in range(hours):
        lake.add_hour()
    database = folder / "scale.duckdb"
    plays = lake.offsets["listen_events"]
    first = build(lake, database, memory)
    lake.add_hour()
    increment = build(lake, database, memory)
    for name, (seconds, cpu, peak) in (("first build", first), ("one more hour", increment)):
        print(
            f"{plays:>12,} plays, {hours:>4} hours: {name:13} {seconds:8.1f} s  CPU {cpu:8.1f} s  peak memory {peak / 2**30:5.2f} GiB",
            flush=True,
        )
    print(f"{'':>12} database {database.stat().st_size / 2**30:.2f} GiB", flush=True)
    shutil.rmtree(folder)
    return increment[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--plays", type=int, default=100_000_000)
    arguments.add_argument("--hours", type=int, default=672)
    arguments.add_argument("--folder", type=pathlib.Path, default=ROOT / ".cache" / "marts-scale")
    arguments.add_argument("--memory", default="10GB")
    given = arguments.parse_args()
    plays_an_hour = given.plays // given.hours
    short = measure(given.folder / "short", plays_an_hour, max(2, given.hours // 10), given.memory)
    long = measure(given.folder / "long", plays_an_hour, given.hours, given.memory)
    print(f"one more hour behind ten times the history costs {long / short:.2f} times as much CPU time")


if __name__ == "__main__":
    main()
