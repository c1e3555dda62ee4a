"""Numbered events, and the judgement over a lake that has taken them in: DuckDB and Kafka's own tools, none of the engine's code."""

import collections
import json
import pathlib
import random

import duckdb

from lake import difference, objects
from tables import MINUTE_MS

#: Topics with events; an event's number is its `sessionId`.
TOPICS = {"listen_events": 4, "page_view_events": 2}
#: Topics that are there and stay empty.
EMPTY = ("auth_events", "status_change_events")
#: Event time passes so much between two events of a topic, ms.
STEP_MS = 200


def write_events(path, topic, count, seed):
    """Writes `count` events, some of them a little out of order in event time; gives the path."""
    dice = random.Random(f"{seed} {topic}")
    with path.open("w") as output:
        for number in range(count):
            user = dice.randrange(997)
            event = {
                "ts": 1_700_000_000_000 + number * STEP_MS - dice.randrange(20_000), "sessionId": number, "userId": user,
                "level": "paid" if user % 3 else "free", "gender": "FM"[user % 2], "state": ("CA", "TX", "NY")[user % 5 % 3],
                "itemInSession": 0, "auth": "Logged In", "city": "Springfield", "userAgent": "chaos",
            }
            song = dice.randrange(200)
            if topic == "listen_events":
                event |= {"artist": f"Artist {song % 31}", "song": f"Song {song}", "duration": 200.5}
            else:
                event |= {"page": "Home", "method": "GET", "status": 200}
            output.write(json.dumps(event) + "\n")
    return path


class Verdict:
    """What became of the events."""

    def __init__(self):
        self.events = self.lost = self.twice = self.ranges = self.takeovers = 0
        #: Writers that some partition's ledger names.
        self.writers = set()

    def row(self):
        """For the table of figures."""
        return {
            "events": self.events, "lost": self.lost, "twice": self.twice, "ranges": self.ranges,
            "takeovers": self.takeovers, "writers": len(self.writers),
        }


def judge(folder, broker, files):
    """Compares the lake in `folder` with the log and with what was sent (`files`: topic to path); gives the verdict."""
    verdict = Verdict()
    with duckdb.connect(config={"memory_limit": "1GB", "threads": 1}) as db:
        db.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false; create schema sent")
        for topic, path in files.items():
            sent = check_offsets(db, folder, topic, broker.log_ends(topic), verdict)
            load(db, topic, path, sent)
            check_numbers(db, folder, topic, sent, verdict)
        check_counts(db, folder)
    read_ledger(folder, verdict)
    rejected = list(folder.glob("lake/v1/_rejected/**/*.parquet"))
    assert not rejected, f"records were rejected: {rejected[:3]}"
    return verdict


def check_offsets(db, folder, topic, ends, verdict):
    """Every offset of every partition is in the lake; gives how many records the log holds."""
    found = db.execute(
        f"""select kafka_partition, count(*), count(distinct kafka_offset), min(kafka_offset), max(kafka_offset)
        from read_parquet('{objects(folder, topic)}') group by 1"""
    ).fetchall()
    rows = {partition: tuple(rest) for partition, *rest in found}
    for partition, end in ends.items():
        count, distinct, first, last = rows.pop(partition, (0, 0, None, None))
        verdict.lost += end - distinct
        verdict.twice += count - distinct
        assert end == 0 or (first, last) == (0, end - 1), f"{topic}[{partition}]: the lake holds [{first}, {last}], the log [0, {end})"
    assert not rows, f"{topic}: the lake holds partitions that the log has not: {rows}"
    return sum(ends.values())


def load(db, topic, path, sent):
    """The first `sent` events of the file, as `sent.<topic>`."""
    columns = "{ts: 'BIGINT', sessionId: 'BIGINT', userId: 'BIGINT', level: 'VARCHAR', gender: 'VARCHAR', state: 'VARCHAR', " \
              "artist: 'VARCHAR', song: 'VARCHAR'}"
    db.execute(
        f"""create table sent.{topic} as select ts, sessionId as number, userId as user_id, level, gender, state, artist, song
        from read_json('{path}', format = 'newline_delimited', columns = {columns}) where sessionId < {sent}"""
    )


def check_numbers(db, folder, topic, sent, verdict):
    """Every event that the producer sent is in the lake, as it was sent."""
    rows, distinct = db.execute(
        f"select count(session_id), count(distinct session_id) from read_parquet('{objects(folder, topic)}')"
    ).fetchone()
    verdict.events += sent
    verdict.lost += sent - distinct
    verdict.twice += rows - distinct
    if rows == distinct == sent:
        fields = "user_id, level, gender, state" + (", artist, song" if topic == "listen_events" else "")
        difference(
            db, f"select number, ts, {fields} from sent.{topic}",
            f"select session_id, epoch_ms(ts), {fields} from read_parquet('{objects(folder, topic)}')", topic,
        )


def check_counts(db, folder):
    """The count tables, added up, equal a recount of what was sent."""
    difference(
        db, f"select ts // {MINUTE_MS} * {MINUTE_MS}, artist, song, level, count(*) from sent.listen_events group by all",
        f"""select epoch_ms(pane_start), artist, song, level, sum(plays)::bigint
        from read_parquet('{objects(folder, 'song_counts')}') group by all""", "song_counts",
    )
    users = " union all ".join(f"select ts, user_id, level, gender, state from sent.{topic}" for topic in TOPICS)
    difference(
        db, f"select distinct ts // {MINUTE_MS} * {MINUTE_MS}, user_id, level, gender, state from ({users})",
        f"""select distinct epoch_ms(pane_start), user_id, level, gender, state
        from read_parquet('{objects(folder, 'user_activity')}')""", "user_activity",
    )


def read_ledger(folder, verdict):
    """Counts ranges and takeovers: places in a partition's ledger where the writer changes."""
    chains = collections.defaultdict(list)
    for path in pathlib.Path(folder).glob("ledger/v1/*/*/p*/*.json"):
        if not path.name.endswith(".done.json"):
            chains[path.parent].append(path)
    for paths in chains.values():
        writers = [json.loads(path.read_text())["writer"] for path in sorted(paths)]
        verdict.ranges += len(writers)
        verdict.takeovers += sum(before != after for before, after in zip(writers, writers[1:]))
        verdict.writers.update(writers)
