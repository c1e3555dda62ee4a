"""Health by progress, the service manager's view, and clients that are too many or too slow."""

import pathlib
import re
import resource
import signal
import socket
import time

import pytest

from harness import Engine, replay, wait_until
from observing import Load
from test_alerts import QUICK

CLIENTS = 1000
SLOW = 200


def rss(process):
    status = pathlib.Path(f"/proc/{process.child.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def test_the_service_manager_hears_of_start_progress_and_stop(broker, tmp_path):
    socket_path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Load(broker, tmp_path / "load"):
        manager.bind(str(socket_path))
        manager.settimeout(20)
        engine = Engine(broker, tmp_path / "engine", **QUICK)
        engine.environment |= {"NOTIFY_SOCKET": str(socket_path), "WATCHDOG_USEC": "1000000"}
        with engine.start("run") as process:
            assert manager.recv(4096) == b"READY=1"
            beats = []
            while len(beats) < 4:
                if manager.recv(4096).startswith(b"WATCHDOG=1\n"):
                    beats.append(time.monotonic())
            assert beats[-1] - beats[0] < 5, "twice in the watchdog's time"
            wait_until(lambda: b"STATUS=running" in manager.recv(4096), "partitions to be read")
            process.send(signal.SIGTERM)
            began = time.monotonic()
            wait_until(lambda: manager.recv(4096).startswith(b"STOPPING=1"), "the stop to be told")
            ended = process.wait(45)
            assert ended.code == 0 and time.monotonic() - began < 45, process.tail()
        engine.verify()


def test_the_port_that_the_system_chose_is_told(broker, tmp_path):
    engine = Engine(broker, tmp_path / "engine", http__listen="127.0.0.1:0", **QUICK)
    with engine.start("run") as process:
        told = wait_until(
            lambda: re.search(r'"http is served","listen":"127\.0\.0\.1:(\d+)"', process.log.read_text()),
            "the address to be told",
        )
        engine.port = int(told[1])
        assert engine.port and engine.health("/livez")[0] == 200
        process.stop()


@pytest.fixture
def room_for_sockets():
    """A login's soft limit of open files is often 1,024, which the engine (started with it) has to raise for itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def raise_it():
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    yield raise_it
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_streams_and_slow_clients_cost_little_and_hold_nothing_up(broker, tmp_path, room_for_sockets):
    engine = Engine(broker, tmp_path / "engine", **QUICK)
    with Load(broker, tmp_path / "load", rate=200), engine.start("run") as process:
        wait_until(lambda: engine.entries() > 8, "uploads", 60)
        room_for_sockets()
        before = rss(process)
        sockets = []
        try:
            for _ in range(CLIENTS):
                client = socket.create_connection(("127.0.0.1", engine.port), timeout=20)
                client.sendall(b"GET /api/v1/stream?window=5m HTTP/1.1\r\nHost: x\r\n\r\n")
                sockets.append(client)
            for _ in range(SLOW):
                client = socket.create_connection(("127.0.0.1", engine.port), timeout=20)
                # A head that never ends.
                client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: ")
                sockets.append(client)
            wait_until(lambda: engine.metric("beatlytica_http_streams") == CLIENTS, "all streams", 30)
            # Streams get what they ask for.
            for client in sockets[:CLIENTS:100]:
                received = b""
                while b"event: songs" not in received:
                    part = client.recv(65536)
                    assert part, received
                    received += part
            one_more = socket.create_connection(("127.0.0.1", engine.port), timeout=20)
            sockets.append(one_more)
            one_more.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 503 " in one_more.recv(4096)
            # Nobody reads the rest of them; ingestion goes on and memory stays bounded.
            entries = engine.entries()
            wait_until(lambda: engine.entries() > entries + 40, "uploads beside the streams", 60)
            grown = rss(process) - before
            print(f"{CLIENTS} streams and {SLOW} slow clients: {grown / 2**20:.1f} MiB more")
            assert grown < 128 << 20
            # A head that takes too long is given up.
            wait_until(lambda: sockets[-2].recv(4096) is not None, "the slow client's end", 20)
        finally:
            for client in sockets:
                client.close()
        wait_until(lambda: "beatlytica_http_streams 0\n" in engine.metrics(), "the streams' end", 60)
        assert engine.get("/api/v1/status")["partitions"]


def test_records_that_waited_in_the_log_are_seen_in_the_latency_of_counting(broker, engine, tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text("".join(f'{{"ts":1714953600000,"userId":{user},"artist":"A","song":"S"}}\n' for user in range(100)))
    before_sending = time.time()
    replay(broker, tmp_path, {"listen_events": [events]}, 1)
    after_sending = time.time()
    one = engine(broker, "latency")
    waited = time.time() - after_sending
    with one.start("run"):
        wait_until(lambda: (one.get("/api/v1/status") or {}).get("records") == 100, "the records being read")
        count = wait_until(lambda: one.metric("beatlytica_count_latency_seconds_count"), "the records being counted")
        mean = one.metric("beatlytica_count_latency_seconds_sum") / count
    assert waited <= mean <= time.time() - before_sending
