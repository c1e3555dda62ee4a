"""Comparing a local lake with the input, in SQL."""

import pathlib

import truth
from tables import PARTITIONS, TABLES, TIMESTAMPS, columns


def objects(lake, table):
    """The glob of a table's objects, as any reader would write it."""
    return f"{lake}/lake/v1/{table}/**/*.parquet"


def scan(lake, table):
    """A relation over a table's objects; partition columns stay text."""
    return (
        f"read_parquet('{objects(lake, table)}', hive_partitioning = true, "
        "hive_types = {'event_date': 'VARCHAR', 'event_hour': 'VARCHAR'})"
        if table in TABLES
        else f"read_parquet('{objects(lake, table)}', hive_partitioning = true, hive_types = {{'event_date': 'VARCHAR'}})"
    )


def difference(db, expected, found, what):
    """Fails, naming some rows, unless both selects give the same rows the same number of times."""
    db.execute(f"create or replace temp table expected as {expected}")
    db.execute(f"create or replace temp table found as {found}")
    counts = [db.execute(f"select count(*) from {side}").fetchone()[0] for side in ("expected", "found")]
    missing = db.execute("select * from (from expected except all from found) limit 3").fetchall()
    surplus = db.execute("select * from (from found except all from expected) limit 3").fetchall()
    db.execute("drop table expected; drop table found")
    assert counts[0] == counts[1] and not missing and not surplus, (
        f"{what}: {counts[0]} rows expected, {counts[1]} found\nmissing: {missing}\nsurplus: {surplus}"
    )
    return counts[0]


def check_rows(db, lake, table):
    """Every record once, every field equal, in the folder that its time names. Gives the number of rows."""
    selected = ", ".join(f"epoch_ms({name})" if name in TIMESTAMPS else name for name in columns(table))
    rows = difference(db, truth.input_rows(table), f"select {selected} from {scan(lake, table)}", table)
    misplaced, extra = db.execute(
        f"""select count(*) filter (where event_date <> strftime(ts, '%Y-%m-%d') or event_hour <> strftime(ts, '%H')),
                   count(extra) from {scan(lake, table)}"""
    ).fetchone()
    assert misplaced == 0, f"{table}: {misplaced} rows lie in the wrong folder"
    assert extra == 0, f"{table}: {extra} rows have unknown fields"
    return rows


def check_offsets(db, lake, table):
    """Each partition's offsets are 0, 1, 2, ... without hole or repetition (the input has no transactions)."""
    partitions = db.execute(
        f"""select kafka_partition, count(*), count(distinct kafka_offset), min(kafka_offset), max(kafka_offset) + 1
        from {scan(lake, table)} group by 1 order by 1"""
    ).fetchall()
    assert len(partitions) == PARTITIONS, f"{table}: {partitions}"
    for partition, rows, distinct, first, end in partitions:
        assert (first, rows, distinct) == (0, end, end), f"{table} {partition}: {rows} rows, [{first}, {end})"


def check_counts(db, lake):
    """song_counts and user_activity, added up, equal a recount of the input for every pane."""
    songs = difference(
        db,
        truth.SONG_COUNTS,
        f"""select epoch_ms(pane_start) as pane, artist, song, level, sum(plays)::bigint as plays
        from {scan(lake, 'song_counts')} group by all""",
        "song_counts",
    )
    users = difference(
        db,
        truth.USER_ACTIVITY,
        f"""select distinct epoch_ms(pane_start) as pane, user_id, level, gender, state
        from {scan(lake, 'user_activity')}""",
        "user_activity",
    )
    return songs, users


def check_all(db, lake):
    """Everything that is to hold of a lake that has taken in all four files."""
    total = 0
    for table in TABLES:
        total += check_rows(db, lake, table)
        check_offsets(db, lake, table)
    songs, users = check_counts(db, lake)
    rejected = list(pathlib.Path(lake).glob("lake/v1/_rejected/**/*.parquet"))
    assert not rejected, f"records were rejected: {rejected[:3]}"
    print(f"compared {total} rows, {songs} song panes, {users} user panes")
