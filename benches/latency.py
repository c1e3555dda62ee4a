"""Time from an event's hand-over to a producer until the API counts it, at several rates of other events.

A replay fills the topic at the rate; beside it, one sender for each partition hands over a probe, an event of a song of its own
with the present time as `ts`, twelve times a second. A poller asks the chart for the probes' songs again and again: a probe is
visible once `last_played` has reached its `ts`. The producer's linger (20 ms at most) and the poller's interval are in the figures. Beside
them stands what the engine's own metric says (`beatlytica_count_latency_seconds`: from the broker's timestamp until the count).
With `--history` another topic holds so many events of the day before when the engine starts: probes are taken while it catches up.
Run by `make bench-latency`.
"""

import argparse
import bisect
import http.client
import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import zlib

from load import DAY_MS, TOPICS, Shape, write_events
from measure import MEASURED, rounded, save

from harness import Broker, Engine, Process, binary, replay, variables, wait_until

TOPIC = "listen_events"
HISTORY_TOPIC = "page_view_events"
PARTITIONS = 4
PROBES_PER_SECOND = 12
#: A replay at this rate hands over line by line.
PROBE_RATE = 19
WARM_UP_SECONDS = 5
BUCKET = re.compile(r'^beatlytica_count_latency_seconds_bucket\{le="([^"]+)"\} (\d+)', re.MULTILINE)


def user_of(partition):
    """A listener whose events go to the partition: librdkafka takes the key's CRC-32."""
    return next(user for user in range(10_000_000, 10_001_000) if zlib.crc32(str(user).encode()) % PARTITIONS == partition)


class Prober(threading.Thread):
    """Hands over probes to one partition; keeps their times."""

    def __init__(self, broker, partition, log):
        super().__init__(daemon=True)
        self.song = f"Latencyprobe {partition}"
        self.user, self.sent, self.over = user_of(partition), [], threading.Event()
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                [binary(), "replay", "-", "--topic", TOPIC, "--rate", str(PROBE_RATE)],
                env=variables({"kafka.brokers": broker.address}), stdin=subprocess.PIPE, stdout=output, stderr=output,
            )

    def run(self):
        due = time.time()
        while not self.over.is_set():
            due += 1 / PROBES_PER_SECOND
            time.sleep(max(0.0, due - time.time()))
            ts = int(time.time() * 1000)
            probe = {"ts": ts, "userId": self.user, "sessionId": self.user, "level": "free", "artist": "Probe", "song": self.song, "duration": 1.5}
            self.child.stdin.write(json.dumps(probe).encode() + b"\n")
            self.child.stdin.flush()
            self.sent.append(ts)
        self.child.stdin.close()
        self.child.wait(60)


class Poller(threading.Thread):
    """Asks for the probes' songs again and again; keeps when which `last_played` was first seen."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.seen, self.over, self.polls = port, {}, threading.Event(), 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.over.is_set():
            connection.request("GET", "/api/v1/charts/songs?window=5m&limit=8&q=Latencyprobe")
            answer = connection.getresponse()
            body = answer.read()
            now = time.time() * 1000
            assert answer.status in (200, 503), body
            if answer.status == 200:
                self.polls += 1
                for song in json.loads(body)["songs"]:
                    self.note(song["song"], milliseconds(song["last_played"]), now)
            time.sleep(0.005)

    def note(self, song, last_played, now):
        seen = self.seen.setdefault(song, [])
        if not seen or last_played > seen[-1][0]:
            seen.append((last_played, now))


def milliseconds(text):
    """Of an RFC 3339 time in UTC."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1000 + int((fraction + "000")[:3])


def latencies(prober, poller, after_ms):
    """Milliseconds until each probe sent after `after_ms` was visible, and how many never were."""
    seen = poller.seen.get(prober.song, [])
    played = [last_played for last_played, _ in seen]
    found, unseen = [], 0
    for ts in prober.sent:
        at = bisect.bisect_left(played, ts)
        if ts >= after_ms and at < len(seen):
            found.append(seen[at][1] - ts)
        elif ts >= after_ms:
            unseen += 1
    return found, unseen


def quantile(sorted_values, share):
    """The smallest value that at least this share of all does not exceed."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def metric(engine):
    """The engine's own histogram: (seconds, observations up to them)."""
    return [(float(le), int(count)) for le, count in BUCKET.findall(engine.metrics())]


def bucket_of(before, after, share):
    """The bucket bound, in seconds, below which this share of the observations in between lies."""
    counts = [(le, count - dict(before).get(le, 0)) for le, count in after]
    return next((le for le, count in counts if count >= share * counts[-1][1]), None)


def wait_for_probes(poller, probers, deadline):
    """Until every probe is visible, or the deadline."""
    end = time.monotonic() + deadline
    while time.monotonic() < end and any(
        prober.sent and (not poller.seen.get(prober.song) or poller.seen[prober.song][-1][0] < prober.sent[-1]) for prober in probers
    ):
        time.sleep(0.1)


def measure(rate, options, folder):
    """One rate, on a broker and an engine of its own."""
    seconds, now_ms = options.seconds, int(time.time() * 1000)
    with Broker(folder / "kafka") as broker:
        empty, events, history = folder / "empty", folder / "events.jsonl", folder / "history.jsonl"
        empty.touch()
        write_events(history, Shape(options.history, span_ms=DAY_MS, start_ms=now_ms - DAY_MS), HISTORY_TOPIC, options.history)
        replay(broker, folder, {topic: [history if topic == HISTORY_TOPIC else empty] for topic in TOPICS}, PARTITIONS)
        history.unlink()
        write_events(events, Shape(rate * seconds, span_ms=seconds * 1000, start_ms=now_ms), TOPIC, rate * seconds)
        # The windows keep a day more than partitions may be apart, and two days at least.
        ahead = {"windows__max_ahead": f"{options.max_ahead}h", "windows__retention": f"{max(options.max_ahead, 6) + 42}h"}
        engine = Engine(broker, folder / "engine", **ahead)
        with engine.start("run") as running:

            def started():
                assert running.poll() is None, running.tail()
                return engine.covered() == PARTITIONS * len(TOPICS)

            wait_until(started, "all partitions being counted", 120)
            result = probe(rate, options, broker, engine, folder, events)
            result["engine_cpu_seconds"] = running.cpu_seconds()
        return result


def read_history(engine, since):
    """Seconds from `since` until all of the day before was read; keeps asking from a thread of its own."""
    took = []

    def watch():
        status = engine.get("/api/v1/status") or {"partitions": []}
        lags = [each["lag"] for each in status["partitions"] if each["topic"] == HISTORY_TOPIC]
        return lags and all(lag == 0 for lag in lags)

    def wait():
        wait_until(watch, "the history being read", 600, every=0.2)
        took.append(time.time() - since)

    threading.Thread(target=wait, daemon=True).start()
    return took


def probe(rate, options, broker, engine, folder, events):
    """Load, probes and polling at once."""
    seconds, warm_up = options.seconds, 0 if options.history else WARM_UP_SECONDS
    probers = [Prober(broker, partition, folder / "probes.log") for partition in range(PARTITIONS)]
    poller = Poller(engine.port)
    poller.start()
    for prober in probers:
        prober.start()
    began, before = time.time(), metric(engine)
    history = read_history(engine, began) if options.history else []
    load = Process(
        ["replay", str(events), "--topic", TOPIC, "--rate", str(rate)], variables({"kafka.brokers": broker.address}), folder / "load.log",
    )
    ended = load.succeed(seconds * 10)
    for prober in probers:
        prober.over.set()
    wait_for_probes(poller, probers, 60)
    poller.over.set()
    after = metric(engine)
    found, unseen = [], 0
    for prober in probers:
        some, missing = latencies(prober, poller, (began + warm_up) * 1000)
        found, unseen = found + some, unseen + missing
    found.sort()
    return {
        "asked_events_per_second": rate, "events_per_second": rate * seconds / ended.wall, "probes": len(found), "unseen": unseen,
        "polls_per_second": poller.polls / (time.time() - began),
        "milliseconds": {name: quantile(found, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))},
        "history_events": options.history, "history_read_after_seconds": next(iter(history), None),
        "metric_seconds_at_most": {"p50": bucket_of(before, after, 0.5), "p99": bucket_of(before, after, 0.99)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, action="append", help="events a second; 1000, 100000 and 500000 without")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--history", type=int, default=0, help="events of the day before that wait in another topic")
    parser.add_argument("--max-ahead", type=int, default=6, help="windows.max_ahead in hours: how far live partitions may be ahead of the history")
    parser.add_argument("--json", type=pathlib.Path, default=MEASURED / "latency.json")
    options = parser.parse_args()
    results = []
    for rate in options.rate or (1_000, 100_000, 500_000):
        with tempfile.TemporaryDirectory(prefix="beatlytica-bench-") as temporary:
            results.append(measure(rate, options, pathlib.Path(temporary)))
        print(json.dumps(rounded(results[-1])))
    save(options.json, {"results": results})


if __name__ == "__main__":
    main()
