"""Topics full of events, of a chosen shape: what the benches read."""

import dataclasses
import itertools
import os
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import replay  # noqa: E402

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
#: 2024-05-06T00:00:00Z.
START_MS = 1_714_953_600_000
TOPICS = ("listen_events", "page_view_events", "auth_events", "status_change_events")
TS = re.compile(rb'"ts":\d+')
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0 Safari/537.36"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the events are like. Eventsim's own are taken where they are at hand and none of the later fields is set."""

    events: int
    #: Event time from the first event to the last, ms.
    span_ms: int = HOUR_MS
    topics: int = 1
    partitions: int = 4
    start_ms: int = START_MS
    songs: int | None = None
    users: int | None = None
    #: Bytes of a field that the schema does not know, different in every record.
    unknown_bytes: int = 0
    #: Bytes by which the user agent is longer.
    agent_bytes: int = 0
    #: Share of events two hours behind the others.
    late: float = 0.0

    def synthetic(self):
        """Whether the events have to be made here."""
        return any((self.songs, self.users, self.unknown_bytes, self.agent_bytes)) or not eventsim()

    def source(self):
        """Where they come from, in one word."""
        return "synthetic" if self.synthetic() else "eventsim"


def eventsim():
    """The folder with Eventsim's output, if one is named."""
    return os.environ.get("BEATLYTICA_EVENTSIM_DATA")


def eventsim_lines(topic):
    """Eventsim's own records of a topic, again and again."""
    path = pathlib.Path(eventsim()) / f"{topic}.jsonl.zst"
    while True:
        source = subprocess.Popen(["zstd", "-dcq", "--long=27", str(path)], stdout=subprocess.PIPE)
        yield from source.stdout
        if source.wait():
            sys.exit(f"{path} cannot be read")


def synthetic_lines(shape, topic):
    """Records of Eventsim's shape and size."""
    dice = random.Random(1)
    songs, users = shape.songs or 10_000, shape.users or 20_000
    agent = AGENT + "x" * shape.agent_bytes
    page = '"page":"NextSong","method":"PUT","status":200,' if topic == "page_view_events" else ""
    spare = {"auth_events": '"success":true,', "status_change_events": ""}.get(topic)
    for number in itertools.count():
        song, user = dice.randrange(songs), dice.randrange(users)
        heard = spare if spare is not None else (
            f'"artist":"Artist {song // 3} Ensemble","song":"Song number {song} of them all","duration":{60 + song % 600}.12345,'
        )
        unknown = f'"note":"{dice.getrandbits(4 * shape.unknown_bytes):0{shape.unknown_bytes}x}",' if shape.unknown_bytes else ""
        yield (
            f'{{{heard}"ts":0,"sessionId":{user},"auth":"Logged In",{page}"level":"{"paid" if user % 5 else "free"}",'
            f'"itemInSession":{number % 90},"city":"City {user % 500}","zip":"{user % 100000:05}","state":"CA",'
            f'"userAgent":"\\"{agent}\\"","lon":{-121.4 - user % 20000 / 1e4:.4f},"lat":{38.6 + user % 20000 / 1e4:.4f},'
            f'{unknown}"userId":{user},"lastName":"Last{user % 900}","firstName":"First{user % 700}",'
            f'"gender":"{"F" if user % 2 else "M"}","registration":{START_MS}}}\n'
        ).encode()


def shares(shape):
    """How many events each topic gets: about as many as with Eventsim."""
    if shape.topics == 1:
        return {TOPICS[0]: shape.events}
    weights = dict(zip(TOPICS, (0.45, 0.53, 0.018, 0.002)))
    weights = {topic: weights[topic] for topic in TOPICS[: shape.topics]}
    return {topic: int(shape.events * weight / sum(weights.values())) for topic, weight in weights.items()}


def write_events(path, shape, topic, events):
    """Events whose times go on evenly over the shape's span, in order."""
    lines = synthetic_lines(shape, topic) if shape.synthetic() else eventsim_lines(topic)
    dice = random.Random(2)
    with path.open("wb") as output:
        for number, line in enumerate(itertools.islice(lines, events)):
            ts = shape.start_ms + number * shape.span_ms // events
            if shape.late and dice.random() < shape.late:
                ts -= 2 * HOUR_MS
            output.write(TS.sub(b'"ts":%d' % ts, line, count=1))


def fill(broker, folder, shape, suffix=""):
    """Makes all four topics and puts the events in; gives how many there are and the bytes of their values."""
    folder = pathlib.Path(folder)
    files, wanted, size = {}, shares(shape), 0
    for topic in TOPICS:
        path = files[topic + suffix] = folder / f"{topic}.jsonl"
        write_events(path, shape, topic, wanted.get(topic, 0))
        size += path.stat().st_size
    replay(broker, folder, {topic: [path] for topic, path in files.items()}, shape.partitions)
    for path in files.values():
        path.unlink()
    return sum(wanted.values()), size
