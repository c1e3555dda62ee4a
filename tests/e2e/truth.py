"""What the lake and the charts must say, worked out by DuckDB and Python from the input files alone."""

import itertools
import os
import pathlib
import subprocess

import duckdb
import pytest

from tables import MINUTE_MS, REPAIRED, TABLES, columns


def data_folder():
    """Folder of the Eventsim files; without the variable the test is skipped, and says so."""
    named = os.environ.get("BEATLYTICA_EVENTSIM_DATA")
    if not named:
        assert not os.environ.get("CI"), "nothing is skipped in CI: set BEATLYTICA_EVENTSIM_DATA"
        pytest.skip("BEATLYTICA_EVENTSIM_DATA names no folder with Eventsim's output")
    return pathlib.Path(named)


def input_file(table):
    """A table's input file. Where the variable is set, an absent file is a failure."""
    path = data_folder() / f"{table}.jsonl.zst"
    assert path.is_file(), f"{path} is missing"
    return path


def input_part(table, records, folder):
    """A file of the first records of a table's input."""
    part = pathlib.Path(folder) / f"{table}-{records}.jsonl"
    source = subprocess.Popen(["zstd", "-dcq", "--long=27", str(input_file(table))], stdout=subprocess.PIPE)
    with part.open("wb") as output:
        output.writelines(itertools.islice(source.stdout, records))
    source.stdout.close()
    source.wait()
    return part


def input_parts(folder, **records):
    """Table -> file of its first records; tables that are not named have none."""
    return {table: [input_part(table, records.get(table, 0), folder)] for table in TABLES}


def connect():
    """DuckDB in memory, small enough to stand beside a broker and an engine."""
    db = duckdb.connect(config={"memory_limit": "2GB", "threads": 2})
    db.execute("set TimeZone = 'UTC'")
    db.execute("set preserve_insertion_order = false")
    return db


def query(statement):
    """All rows of one statement. On a connection of its own: a result that one test left unread is no other test's error."""
    with duckdb.connect() as db:
        return db.execute(statement).fetchall()


def decode(text):
    """The predecessor's `string_decode`; text of another make stays as it is."""
    try:
        latin = text.encode("latin-1").decode("unicode-escape").encode("latin-1")
        return latin.decode("utf-8").strip('"')
    except (UnicodeError, ValueError):
        return text


def load(db):
    """Makes `input.<table>` (repaired, as the lake must hold it) and `input.activity` from all four files."""
    db.execute("create schema input")
    for table, fields in TABLES.items():
        typed = ", ".join(f"\"{member}\": '{kind}'" for member, _, kind in fields)
        names = ", ".join(f'"{member}" as {column}' for member, column, _ in fields)
        db.execute(
            f"create table raw as select {names} from read_json('{input_file(table)}', "
            f"format='newline_delimited', compression='zstd', columns={{{typed}}})"
        )
        repair(db, table)
        db.execute("drop table raw")
    parts = [f"select ts, user_id, level, gender, state from input.{table}" for table in TABLES]
    db.execute(f"create view input.activity as {' union all '.join(parts)}")


def repair(db, table):
    """`raw` to `input.<table>`: each distinct text is repaired once, in Python."""
    if table not in REPAIRED:
        db.execute(f"create table input.{table} as select * replace ({UNQUOTED}) from raw")
        return
    texts = db.execute("select song from raw union select artist from raw").fetchall()
    pairs = [(text, decode(text)) for (text,) in texts if text is not None]
    changed = [(text, clean) for text, clean in pairs if text != clean]
    db.execute("create or replace table repaired (arrived varchar, clean varchar)")
    db.executemany("insert into repaired values (?, ?)", changed)
    db.execute(
        f"""create table input.{table} as
        select raw.* replace ({UNQUOTED}, coalesce(s.clean, song) as song, coalesce(a.clean, artist) as artist),
               s.arrived as song_raw, a.arrived as artist_raw
        from raw left join repaired s on s.arrived = raw.song left join repaired a on a.arrived = raw.artist"""
    )


UNQUOTED = """case when length(user_agent) >= 2 and user_agent[1] = '"' and user_agent[-1] = '"'
              then user_agent[2:-2] else user_agent end as user_agent"""


def rows(db, table):
    """Records in a table's input."""
    return db.execute(f"select count(*) from input.{table}").fetchone()[0]


def input_rows(table):
    """A select of the table's input in the order of `columns`."""
    return f"select {', '.join(columns(table))} from input.{table}"


SONG_COUNTS = f"""select ts // {MINUTE_MS} * {MINUTE_MS} as pane, artist, song, level, count(*) as plays
                  from input.listen_events group by all"""
USER_ACTIVITY = f"""select distinct ts // {MINUTE_MS} * {MINUTE_MS} as pane, user_id, level, gender, state
                    from input.activity where user_id is not null"""


def top_songs(db, start, end, before, limit=50):
    """Most played songs of [start, end) among records with ts < `before`, ties as DESIGN orders them; times in ms."""
    return db.execute(
        """select artist, song, count(*) as plays, count(distinct user_id) as listeners, max(ts) as last_played
        from input.listen_events where ts >= $1 and ts < $2 and ts < $3 group by artist, song
        order by plays desc, listeners desc, last_played, artist, song limit $4""",
        [start, end, before, limit],
    ).fetchall()


def active_users(db, start, end, before, by=None):
    """Distinct users of [start, end); with `by` a dictionary of group (None included) to users."""
    where = "where user_id is not null and ts >= $1 and ts < $2 and ts < $3"
    if by is None:
        query = f"select count(distinct user_id) from input.activity {where}"
        return db.execute(query, [start, end, before]).fetchone()[0]
    query = f"select {by}, count(distinct user_id) from input.activity {where} group by {by}"
    return dict(db.execute(query, [start, end, before]).fetchall())
