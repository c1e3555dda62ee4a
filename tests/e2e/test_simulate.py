"""The simulator's three outputs, its disorder, and the engine behind it."""

import json
import re
import signal
import subprocess

import duckdb
import pytest
import yaml

from harness import ROOT, binary, wait_until
from lake import scan
from tables import TABLES

MODEL = ["--users", "3000", "--start", "2024-05-06", "--end", "2024-05-09", "--seed", "11", "--trends", "lively"]


def simulate(*arguments, code=0, **environment):
    ended = subprocess.run(
        [binary(), "simulate", *map(str, arguments)], capture_output=True, timeout=120, env={"PATH": "/usr/bin", **environment}
    )
    assert ended.returncode == code, ended.stderr.decode()
    return ended


def compose_command(service, **variables):
    """How infra/compose.yaml starts a service, its variables filled in."""
    command = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())["services"][service]["command"]
    filled = lambda match: variables.get(match[1], match[2])
    return [re.sub(r"\$\{(\w+):-([^}]*)\}", filled, part) for part in map(str, command)]


def lines(folder, table, end="jsonl"):
    return (folder / f"{table}.{end}").read_bytes().splitlines(keepends=True)


def test_files_and_standard_output_agree(tmp_path):
    simulate(*MODEL, "--output", tmp_path / "plain")
    simulate(*MODEL, "--output", tmp_path / "small", "--zstd")
    printed = simulate(*MODEL, "--output", "-").stdout.splitlines(keepends=True)
    plain = {table: lines(tmp_path / "plain", table) for table in TABLES}
    assert sorted(printed) == sorted(line for table in TABLES for line in plain[table])
    assert len(printed) > 30_000
    for table in TABLES:
        packed = tmp_path / "small" / f"{table}.jsonl.zst"
        unpacked = subprocess.run(["zstd", "-dc", str(packed)], check=True, capture_output=True).stdout
        assert unpacked == b"".join(plain[table])
    other = simulate(*MODEL, "--seed", "12", "--output", "-", code=2)
    assert b"--seed" in other.stderr, "an option given twice is a mistake"


def test_truth_tells_what_became_of_each_record(tmp_path):
    simulate(*MODEL, "--output", tmp_path / "given", "--late", "0.02", "--late-by", "10m", "--out-of-order", "0.05",
             "--duplicated", "0.01", "--malformed", "0.01", "--truth", tmp_path / "truth.jsonl")
    simulate(*MODEL, "--output", tmp_path / "plain")
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_bytes().splitlines()]
    for table in TABLES:
        mine = [line for line in truth if line["table"] == table]
        assert [line["record"] for line in mine] == [json.loads(line) for line in lines(tmp_path / "plain", table)]
        copies = sum({"duplicated": 2}.get(line["fate"], 1) for line in mine)
        assert len(lines(tmp_path / "given", table)) == copies
    shares = {fate: sum(line["fate"] == fate for line in truth) / len(truth) for fate in ("late", "malformed")}
    # Five standard errors of a binomial share of 30,000 records and more.
    assert abs(shares["late"] - 0.02) < 0.005 and abs(shares["malformed"] - 0.01) < 0.004, shares


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ([], 2, "<--kafka|--output <FOLDER>>"),
        (["--output", "-", "--users", "many"], 2, "--users"),
        (["--output", "-", "--start", "2024-05-06", "--end", "2024-05-05"], 2, "end: is not after the start"),
        (["--output", "-", "--late", "2"], 2, "late: is 2"),
        (["--output", "-", "--site", "/no/such.json"], 1, "/no/such.json cannot be read"),
        (["--kafka", "--brokers", "127.0.0.1:1"], 1, "no broker answers at 127.0.0.1:1"),
    ],
)
def test_mistakes_are_answered(arguments, code, words):
    ended = simulate(*arguments, code=code, BEATLYTICA__KAFKA__REQUEST_TIMEOUT="1s")
    assert words in ended.stderr.decode()


def test_a_bad_site_file_names_the_key(tmp_path):
    site = tmp_path / "site.json"
    site.write_text('{"alpha": "fast"}')
    answer = simulate("--output", "-", "--site", site, code=2).stderr.decode()
    assert str(site) in answer and 'alpha: is "fast"; it must be a number' in answer


def test_records_reach_their_topics_and_the_lake(broker, engine, tmp_path):
    """Keyed by listener, in order, all of them; what the engine makes of them is what was simulated."""
    beat = engine(broker, "simulated", decode__repair="false")
    missing = beat.start("simulate", *MODEL, "--kafka").wait(60)
    assert missing.code == 1
    beat.start("simulate", *MODEL, "--kafka", "--create-partitions", "4").succeed(120)
    beat.start("run", "--exit-at-end").succeed(120)
    beat.verify("--kafka")
    simulate(*MODEL, "--output", tmp_path / "plain")
    db = duckdb.connect()
    for table in TABLES:
        expected = sum(json.loads(line)["ts"] for line in lines(tmp_path / "plain", table))
        count = len(lines(tmp_path / "plain", table))
        assert db.execute(f"select count(*), sum(epoch_ms(ts)) from {scan(beat.lake, table)}").fetchone() == (count, expected)
        scattered = db.execute(
            f"""select count(*) from (select user_id from {scan(beat.lake, table)} where user_id is not null
            group by 1 having count(distinct kafka_partition) > 1)"""
        ).fetchone()[0]
        assert scattered == 0, f"{table}: a listener's records lie in one partition"
        backwards = db.execute(
            f"""select count(*) from (select ts, lag(ts) over (partition by kafka_partition order by kafka_offset) as before
            from {scan(beat.lake, table)}) where ts < before"""
        ).fetchone()[0]
        assert backwards == 0, f"{table}: in a partition time does not go back"


def test_live_simulation_ends_cleanly(broker, engine):
    """As compose starts it, with more listeners, and some past at once; a signal ends it with everything delivered."""
    beat = engine(broker, "live", decode__repair="false")
    with beat.start(*compose_command("simulator", USERS="20000"), "--from", "0.05") as process:
        with beat.start("run") as running:
            def newest():
                answer = beat.get("/api/v1/charts/songs?window=5m&limit=1")
                return answer and answer["songs"]
            wait_until(newest, "a song of the last minutes", 90)
            running.send(signal.SIGTERM)
            assert running.wait(60).code == 0
        process.send(signal.SIGINT)
        assert process.wait(60).code == 0, process.tail()
        assert '"stopped":true' in process.tail()
    beat.start("run", "--exit-at-end").succeed(120)
    beat.verify("--kafka")
