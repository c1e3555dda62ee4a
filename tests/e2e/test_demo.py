"""`beatlytica demo`: everything in one process, from nothing to a checked lake."""

import contextlib
import json
import signal
import time
import urllib.request

import pytest
import truth
from harness import Process, free_ports, wait_until


class Demo:
    """The command, its lake and its page."""

    def __init__(self, folder, *flags):
        self.folder = folder
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["demo", "--folder", str(folder / "data"), "--listen", f"127.0.0.1:{port}", *flags]
        self.log = folder / "demo.log"
        self.log.unlink(missing_ok=True)
        self.process = Process(arguments, {}, self.log)

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def status(self, key):
        answer = self.get("/api/v1/status")
        return answer and json.loads(answer)[key]

    def interrupt(self):
        """Ctrl-C; what was printed."""
        self.process.send(signal.SIGINT)
        ended = self.process.wait(60)
        printed = self.log.read_text()
        assert ended.code == 0, printed[-3000:]
        return printed

    def entries(self):
        ledger = self.folder / "data" / "ledger" / "v1"
        found = [json.loads(path.read_text()) for path in ledger.glob("*/*/p*/*.json") if ".done" not in path.name]
        assert found, "nothing was decided"
        return found


@pytest.fixture
def start(tmp_path):
    """Starts demos in one folder; none outlives a test that fails."""
    with contextlib.ExitStack() as running:
        def start(*flags):
            demo = Demo(tmp_path, *flags)
            running.enter_context(demo.process)
            return demo

        yield start


def times(folder, epoch):
    """Rows, and first and last event time, ms, of an epoch's records."""
    glob = f"{folder}/data/lake/v1/*_events/**/{epoch}-*.parquet"
    [found] = truth.query(f"select count(*), epoch_ms(min(ts)), epoch_ms(max(ts)) from '{glob}'")
    return found


def test_from_nothing_to_a_checked_lake_and_on(start, tmp_path):
    demo = start("--history", "6h", "--users", "20000")
    wait_until(lambda: demo.get("/api/v1/charts/songs?window=24h&limit=1") and demo.status("records"), "first numbers")

    # The first records may be page views, or plays of as many songs.
    def charted():
        songs = json.loads(demo.get("/api/v1/charts/songs?window=24h&limit=5") or "{}").get("songs", [])
        return len(songs) == 5 and songs[0]["plays"] > 1

    wait_until(charted, "a chart")
    assert "<title>" in demo.get("/")
    wait_until(lambda: demo.status("last_upload"), "the first upload")
    live = f"within a minute of now: {time.time():.0f}"
    newest = lambda: max((row["newest"] or "" for row in demo.status("partitions")), default="")  # noqa: E731
    minute_ago = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - 60))
    wait_until(lambda: newest() >= minute_ago, live, 120)
    printed = demo.interrupt()
    assert "A new lake" in printed and demo.url in printed and "duckdb -c" in printed
    assert ": 0 findings of damage" in printed
    assert {entry["kind"] for entry in demo.entries()} == {"data"}, "a gap in a demo's ledger is a defect"
    rows, first, last = times(tmp_path, "e001")
    assert rows > 10_000

    # One that comes to nothing: the next one goes on from what was there before it.
    killed = start("--history", "6h", "--users", "20000")
    wait_until((tmp_path / "data" / "ledger" / "v1" / "listen_events" / "e002" / "epoch.json").exists, "an epoch")
    killed.process.send(signal.SIGKILL)
    killed.process.wait(30)

    again = start("--history", "6h", "--users", "20000")
    wait_until(lambda: again.status("records"), "more events")
    log = tmp_path / "beside.log"
    with Process(["demo", "--folder", str(again.folder / "data"), "--listen", "127.0.0.1:0"], {}, log) as beside:
        assert beside.wait(30).code == 1
    assert "another demo writes into" in log.read_text()
    printed = again.interrupt()
    assert "goes on from where it ended" in printed
    assert ": 0 findings of damage" in printed
    assert {entry["kind"] for entry in again.entries()} <= {"data", "close"}
    more, after, _ = times(tmp_path, "e003")
    assert more > 0 and after > last, "no moment is simulated twice"
    assert times(tmp_path, "e001") == (rows, first, last)


def test_a_lake_of_a_real_cluster_is_left_alone(start, tmp_path):
    epoch = tmp_path / "data" / "ledger" / "v1" / "listen_events" / "e001" / "epoch.json"
    epoch.parent.mkdir(parents=True)
    epoch.write_text('{"format":1,"cluster_id":"production","topic_id":"t"}')
    demo = start()
    ended = demo.process.wait(30)
    assert ended.code == 1
    assert "holds listen_events of a real cluster" in demo.log.read_text()
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == [epoch]
