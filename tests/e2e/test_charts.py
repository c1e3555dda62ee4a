"""The API's charts at several watermarks against SQL over the input."""

import datetime
import subprocess

import pytest

import truth
from harness import replay, wait_until
from tables import PARTITIONS, TABLES

WINDOWS = ("5m", "1h", "24h", "minute", "hour", "day")
GROUPS = ("level", "gender", "state")
DAY_MS = 86_400_000
# Ends of the time slices, days after the first event; the last is past the end of the input.
SLICES = (1.37, 2.4, 9.61, 18.0, 40.0)


def milliseconds(text):
    """RFC 3339 in UTC to epoch milliseconds."""
    assert text.endswith("Z"), text
    moment = datetime.datetime.fromisoformat(text[:-1] + "+00:00")
    return round(moment.timestamp() * 1000)


def slice_files(folder, bounds):
    """Cuts each input file (its `ts` never falls) at `bounds`, ms; gives a list of table -> file."""
    slices = [{} for _ in bounds]
    for table in TABLES:
        source = subprocess.Popen(
            ["zstd", "-dcq", "--long=27", str(truth.input_file(table))], stdout=subprocess.PIPE
        )
        outputs = []
        for index in range(len(bounds)):
            path = folder / f"{index}-{table}.jsonl"
            slices[index][table] = path
            outputs.append(path.open("wb"))
        current = 0
        for line in source.stdout:
            # A quote inside a value is escaped, so this is the member and nothing else.
            at = line.index(b'"ts":') + 5
            while int(line[at:at + 13]) >= bounds[current]:
                current += 1
            outputs[current].write(line)
        for output in outputs:
            output.close()
        assert source.wait() == 0, table
    return slices


def song_rows(answer):
    return [(s["artist"], s["song"], s["plays"], s["listeners"], milliseconds(s["last_played"])) for s in answer["songs"]]


class Comparison:
    """The API against the input with ts < `before`."""

    def __init__(self, db, engine, before):
        self.db, self.engine, self.before = db, engine, before
        self.compared = 0

    def bounds(self, answer):
        return milliseconds(answer["window"]["start"]), milliseconds(answer["window"]["end"])

    def songs(self, window, at):
        """None where the answer agrees, else what differs."""
        answer = self.engine.get(f"/api/v1/charts/songs?window={window}&limit=50&at={at}")
        if answer is None:
            return f"no answer for songs {window} {at}"
        expected = truth.top_songs(self.db, *self.bounds(answer), self.before)
        found = song_rows(answer)
        ranks = [song["rank"] for song in answer["songs"]]
        self.compared += 1
        if found != expected or ranks != list(range(1, len(found) + 1)):
            pairs = [(e, f) for e, f in zip(expected, found) if e != f][:2]
            return f"songs {window} {at} {answer['window']}: {len(expected)} expected, {len(found)} found, {pairs}"
        return None

    def users(self, window, at, by):
        """None where the answer agrees, else what differs."""
        split = f"&by={by}" if by else ""
        answer = self.engine.get(f"/api/v1/active-users?window={window}&at={at}{split}")
        if answer is None:
            return f"no answer for users {window} {at}"
        start, end = self.bounds(answer)
        expected, found = truth.active_users(self.db, start, end, self.before), answer["users"]
        self.compared += 1
        if found == expected and by:
            expected = truth.active_users(self.db, start, end, self.before, by)
            found = {group[by]: group["users"] for group in answer["groups"]}
        return None if found == expected else f"users {window} {at} by {by}: {expected} expected, {found} found"

    def differences(self, at):
        for window in WINDOWS:
            yield self.songs(window, at)
            for by in (None, *GROUPS):
                yield self.users(window, at, by)

    def settled(self, at):
        """Whether all agree; what differs is kept for the message."""
        self.differing = [difference for difference in self.differences(at) if difference]
        return not self.differing


def received(engine, expected):
    """Whether the engine has read `expected` records of all partitions and none is left."""
    status = engine.get("/api/v1/status")
    if status is None or len(status["partitions"]) != PARTITIONS * len(TABLES):
        return False
    rows = status["partitions"]
    return all(row["lag"] == 0 for row in rows) and sum(row["position"] for row in rows) == expected


def test_charts_equal_sql_at_several_watermarks(db, broker, engine, tmp_path):
    """The input is fed in time slices; after each, every window is asked for, live and closed."""
    first = min(db.execute(f"select min(ts) from input.{table}").fetchone()[0] for table in TABLES)
    bounds = [first + round(days * DAY_MS) for days in SLICES]
    slices = slice_files(tmp_path, bounds)
    charts = engine(broker, "charts", windows__idle_after="2s", lake__upload_interval="5s", lake__snapshot_interval="10s")
    # Topics first, so that the engine finds all of them when it starts.
    replay(broker, tmp_path, {table: [slices[0][table]] for table in TABLES}, PARTITIONS)
    process = charts.start("run")
    try:
        for index, (files, before) in enumerate(zip(slices, bounds)):
            if index:
                replay(broker, tmp_path, {table: [path] for table, path in files.items()}, PARTITIONS)
            if index == 2:
                # Half-way it is restarted: the windows come back from the lake.
                process.send(15)
                assert process.wait(60).code == 0, process.tail()
                process = charts.start("run")
            fed = sum(
                db.execute(f"select count(*) from input.{table} where ts < {before}").fetchone()[0] for table in TABLES
            )
            wait_until(lambda: process.poll() or received(charts, fed), f"{fed} records received", 180)
            assert process.poll() is None, process.tail()
            for at in ("live", "closed"):
                check = Comparison(db, charts, before)
                try:
                    wait_until(lambda: check.settled(at), "agreement", 45, every=0.5)
                except AssertionError:
                    pytest.fail(f"slice {index}, {at}: {len(check.differing)} differ\n" + "\n".join(check.differing[:8]))
            watermark = charts.get("/api/v1/charts/songs?window=1h&limit=1&at=closed")["watermark"]
            last = db.execute(f"select max(ts) from input.activity where ts < {before}").fetchone()[0]
            assert last - DAY_MS < milliseconds(watermark) <= last, f"watermark {watermark} at {last}"
            print(f"slice {index}: {fed} records, watermark {watermark}, {check.compared} answers equal")
        process.send(15)
        assert process.wait(60).code == 0, process.tail()
    finally:
        process.__exit__()
    charts.verify()
