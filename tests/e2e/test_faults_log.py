"""Faults of topics and records: a real engine on a real broker, and every record that counts is in the lake once."""

from confluent_kafka import Producer

from faults import PATIENCE, START, Cluster, Lake, line
from harness import wait_until

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
YEAR_2100_MS = 4_102_444_800_000


def test_transactions_are_in_the_lake_once_and_aborted_ones_never(cluster, tmp_path):
    """Markers and aborted records come while the engine waits at the log's end, between other records, and last of all."""
    cluster.create("transactions", 2)
    lake = Lake(cluster, tmp_path / "transactions", "transactions")
    producer = Producer({**cluster.config, "transactional.id": "test"})
    producer.init_transactions(60)
    with lake.start("run") as process:
        for start, count, commit in [(0, 200, True), (200, 100, False), (300, 2, True), (302, 2, False), (304, 2, True)]:
            cluster.transact(producer, "transactions", range(start, start + count), commit)
            lake.catches_up()
        # A transaction that is open holds back what others send behind it.
        producer.begin_transaction()
        cluster.send("transactions", range(400, 420), producer=producer)
        cluster.send("transactions", range(420, 440))
        heads = [lake.head(0), lake.head(1)]
        process.stop(PATIENCE)
    assert [lake.head(0), lake.head(1)] == heads, "an open transaction was read"
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    producer.commit_transaction(60)
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()
    # Nothing but aborted records and markers is left, and the position passes them once.
    cluster.transact(producer, "transactions", range(500, 520), False)
    for _ in range(2):
        lake.start("run", "--exit-at-end").succeed(PATIENCE)
        printed = lake.judge()
    kept = len(cluster.sent["transactions"])
    assert f"{kept} records" in printed, printed
    cluster.transact(producer, "transactions", range(520, 540), True)
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()


def test_a_topic_that_grows_is_read_whole(cluster, tmp_path):
    """Partitions that are added while an engine reads, and while none does."""
    cluster.create("growing", 2)
    cluster.send("growing", range(200))
    lake = Lake(cluster, tmp_path / "growing", "growing")
    with lake.start("run") as process:
        lake.catches_up()
        cluster.grow("growing", 4)
        cluster.send("growing", range(200, 600))
        lake.catches_up()
        wait_until(lambda: (lake.line(3) or {}).get("head") == 100, "the status of a partition that was added", PATIENCE)
        process.stop(PATIENCE)
    cluster.grow("growing", 5)
    cluster.send("growing", range(600, 1000))
    lake.start("run", "--exit-at-end").succeed(PATIENCE)
    lake.judge()


def test_a_compacted_topic_is_refused_with_words(cluster, tmp_path):
    cluster.create("compacted", cleanup_policy="compact")
    cluster.create("views-beside")
    cluster.send("compacted", range(100))
    cluster.send("views-beside", range(100))
    lake = Lake(cluster, tmp_path / "compacted", "compacted", kafka__topics__page_view_events="views-beside")
    ended = lake.start("run", "--exit-at-end")
    assert ended.wait(PATIENCE).code == 1, ended.tail()
    said = ended.tail().splitlines()[-1]
    assert said.startswith("error: compacted[0]: ") and "compact" in said and "cleanup.policy" in said, said
    with lake.start("run") as process:
        # The other topics go on.
        wait_until(lambda: (lake.line(0, "views-beside") or {}).get("head") == 100, "the other topic in the lake", PATIENCE)
        wait_until(lambda: "partition stopped until an operator acts" in process.log.read_text(), "the refusal", PATIENCE)
        process.stop(PATIENCE)
    assert not lake.rows()
    lake.verify()


def test_an_unknown_topic_is_waited_for(cluster, tmp_path):
    lake = Lake(cluster, tmp_path / "unknown", "created-late")
    ended = lake.start("run", "--exit-at-end")
    assert ended.wait(PATIENCE).code == 1, ended.tail()
    said = ended.tail().splitlines()[-1]
    assert said.startswith("error: ") and "created-late" in said and "does not exist on the broker; create it" in said, said
    with lake.start("run") as process:
        wait_until(lambda: lake.line(0, "no-views"), "the other topics", PATIENCE)
        wait_until(lambda: "created-late" in process.tail(), "the warning", PATIENCE)
        cluster.create("created-late", 2)
        cluster.send("created-late", range(200))
        lake.catches_up()
        process.stop(PATIENCE)
    lake.judge()


def test_partitions_a_day_apart_in_event_time(cluster, tmp_path):
    """The one ahead is held back until the other has come so far; then both are read to their ends."""
    cluster.create("skewed", 2)
    behind = lambda number: line(number, START + number * 1000)
    ahead = lambda number: line(number, START + DAY_MS + (number - 1000) * 10_000)
    cluster.send("skewed", range(50), 0, behind)
    cluster.send("skewed", range(1000, 21_000), 1, ahead)
    lake = Lake(cluster, tmp_path / "skewed", "skewed", windows__idle_after="60s")
    with lake.start("run") as process:
        wait_until(lambda: (lake.line(1) or {}).get("paused"), "the pause of the one ahead", PATIENCE)
        lake.catches_up(partitions=[0])
        wait_until(lambda: lake.line(1)["head"] == lake.line(1)["position"], "what was read of it in the lake", PATIENCE)
        held = lake.line(1)["position"]
        assert held < 20_000, "the one ahead was not held back"
        # Whatever else comes, it stays where it is until the other has caught up.
        cluster.send("skewed", range(50, 100), 0, behind)
        lake.catches_up(partitions=[0])
        assert lake.line(1)["position"] == held
        cluster.send("skewed", range(100, 120), 0, lambda number: line(number, START + 3 * DAY_MS + 12 * HOUR_MS))
        lake.catches_up()
        process.stop(PATIENCE)
    lake.judge()


def test_a_poisoned_partition_and_the_year_2100(cluster, tmp_path):
    """One partition turns malformed and stops; the others go on, past a time that moves no clock, and further than they may run ahead."""
    cluster.create("mixed", 3)
    odd = lambda number: line(number, YEAR_2100_MS + number if number == 500 else None)
    cluster.send("mixed", range(1000), 0, odd)
    cluster.send("mixed", range(1000, 2000), 2)
    # What becomes of the bad partition's records is not judged here.
    bad = Cluster(cluster.broker)
    bad.partitions, bad.sent = cluster.partitions, {"mixed": []}
    bad.send("mixed", range(2000, 2400), 1)
    later = lambda hours: lambda number: line(number, START + hours * HOUR_MS + number * 1000)
    lake = Lake(cluster, tmp_path / "mixed", "mixed")
    with lake.start("run") as process:
        lake.catches_up()
        bad.send("mixed", range(2400, 6400), 1, lambda number: "{broken" if number % 4 else line(number))
        wait_until(lambda: (lake.line(1) or {}).get("refused"), "the refusal", PATIENCE)
        assert "do not decode" in lake.line(1)["refused"] and "offset " in lake.line(1)["refused"], lake.line(1)
        newest = wait_until(lambda: lake.line(0)["newest"], "a newest event time", 10)
        assert newest < "2024", "the year 2100 moved the clock"
        for hours in (5, 10, 15):
            cluster.send("mixed", range(7000 + hours * 100, 7100 + hours * 100), hours % 2 * 2, later(hours))
            cluster.send("mixed", range(8000 + hours * 100, 8100 + hours * 100), 2 - hours % 2 * 2, later(hours))
            lake.catches_up()
        moved = lambda: (lake.get("/api/v1/status") or {}).get("watermark") or ""
        wait_until(lambda: "2023-11-15T10" < moved() < "2024", "the watermark of those that go on", PATIENCE)
        process.stop(PATIENCE)
    lake.judge(but=1)
    assert [path.parent.parent.name for path in lake.lake.glob("lake/v1/mixed/event_date=2100-*/**/*.parquet")] == ["event_date=2100-01-01"]
