"""What the tests of faults share: topics of their own on one broker, numbered records, and the judgement over the lake by DuckDB."""

import json
import threading

import duckdb
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from harness import Engine, wait_until
from lake import objects

#: Topics that are there and stay empty: the engine reads four.
EMPTY = {"page_view_events": "no-views", "auth_events": "no-auths", "status_change_events": "no-changes"}
#: Short times, so that a fault shows within seconds.
SHORT = {
    "kafka__session_timeout": "6s", "kafka__metadata_interval": "1s", "kafka__request_timeout": "8s",
    "kafka__properties__heartbeat_interval_ms": "500", "lake__upload_interval": "300ms", "lake__snapshot_interval": "2s",
    "windows__idle_after": "2s", "supervisor__drain_deadline": "25s", "supervisor__backoff_initial": "200ms", "log__format": "text",
}
#: Longest that anything awaited may take, seconds: much on a busy machine.
PATIENCE = 120
#: Event time of record 0, ms.
START = 1_700_000_000_000


def line(number, ts=None, **more):
    """A play whose `sessionId` is its number."""
    user = number % 97
    return json.dumps({
        "ts": START + number * 1000 if ts is None else ts, "sessionId": number, "userId": user, "level": ("free", "paid")[user % 2],
        "artist": f"artist {user % 7}", "song": f"song {user % 31}", "duration": 180.5, **more,
    })


class Cluster:
    """A broker's topics and records, by a client that is not the engine's."""

    def __init__(self, broker):
        self.broker = broker
        # Its complaints about a broker that is killed on purpose would only hide others.
        self.config = {"bootstrap.servers": broker.address, "log_level": 0}
        self.admin = AdminClient(self.config)
        self.producer = Producer(self.config)
        #: Topic -> (partition, offset, number) of each record that the lake must hold.
        self.sent = {}
        self.partitions = {}

    def prepare(self):
        """Creates the topics that stay empty; gives itself."""
        for topic in EMPTY.values():
            self.create(topic)
        return self

    def create(self, topic, partitions=1, **config):
        """Creates a topic; `config` with underscores for dots."""
        new = NewTopic(topic, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
        [created] = self.admin.create_topics([new]).values()
        created.result(30)
        self.partitions[topic] = partitions
        self.sent.setdefault(topic, [])

    def grow(self, topic, partitions):
        """Adds partitions to a topic, up to so many."""
        self.broker.add_partitions(topic, partitions)
        # The old one would hear of them minutes later.
        self.producer = Producer(self.config)
        self.partitions[topic] = partitions

    def send(self, topic, numbers, partition=None, line=line, producer=None):
        """Sends records to a partition (else to all in turn) and waits for them; gives (partition, offset, number) of each."""
        producer, delivered = producer or self.producer, []

        def note(number):
            def told(error, message):
                assert error is None, error
                delivered.append((message.partition(), message.offset(), number))
            return told

        for number in numbers:
            to = number % self.partitions[topic] if partition is None else partition
            producer.produce(topic, line(number), str(number), to, on_delivery=note(number))
            producer.poll(0)
        assert producer.flush(60) == 0, "records were not taken"
        self.sent[topic] += delivered
        return delivered

    def transact(self, producer, topic, numbers, commit):
        """Sends records in a transaction, which is committed or aborted."""
        producer.begin_transaction()
        within = self.send(topic, numbers, producer=producer)
        if commit:
            producer.commit_transaction(60)
        else:
            producer.abort_transaction(60)
            self.sent[topic] = [record for record in self.sent[topic] if record not in within]

    def members(self, group):
        """The group's members as the broker sees them."""
        [described] = self.admin.describe_consumer_groups([group]).values()
        return described.result(30).members

    def member(self, group, topic, strategy="cooperative-sticky"):
        """A consumer that joins a group."""
        consumer = Consumer({
            **self.config, "group.id": group, "partition.assignment.strategy": strategy, "session.timeout.ms": 6000,
            "enable.auto.commit": False, "auto.offset.reset": "latest",
        })
        consumer.subscribe([topic])
        return consumer


class Flow:
    """Records that go to a topic, some hundred a second, until it is stopped; numbers from `first` on."""

    def __init__(self, cluster, topic, first):
        self.cluster, self.topic, self.first, self.sent = cluster, topic, first, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.failure = None

    def _send(self):
        try:
            while not self.ended.wait(0.05):
                number = self.first + self.sent
                self.cluster.send(self.topic, range(number, number + 20))
                self.sent += 20
        except Exception as failure:
            self.failure = failure

    def stop(self):
        """Sends no more; what was sent is in the topic."""
        self.ended.set()
        self.thread.join()
        assert self.failure is None, self.failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


class Lake(Engine):
    """An engine that reads one topic of plays, and the lake it writes. `url` is a folder elsewhere."""

    def __init__(self, cluster, folder, topic, url=None, **settings):
        topics = {f"kafka__topics__{table}": name for table, name in {**EMPTY, "listen_events": topic}.items()}
        if url:
            settings["lake__url"] = url.as_uri()
        self.group = settings.setdefault("kafka__group_id", f"{folder.name}-{topic}")
        super().__init__(cluster.broker, folder, **{**SHORT, **topics, **settings})
        self.lake = url or self.lake
        self.cluster, self.topic = cluster, topic

    def rows(self, where="true"):
        """(partition, offset, number) of each row, in order."""
        if not any(self.lake.glob(f"lake/v1/{self.topic}/**/*.parquet")):
            return []
        with duckdb.connect(config={"threads": 1}) as db:
            return db.execute(
                f"""select kafka_partition, kafka_offset, session_id from read_parquet('{objects(self.lake, self.topic)}')
                where {where} order by all"""
            ).fetchall()

    def head(self, partition=0):
        """End of the last receipted range."""
        return self.head_of(self.topic, partition)

    def catches_up(self, deadline=PATIENCE, partitions=None):
        """Waits until all that was sent (to these partitions) is behind receipts."""
        ends = {}
        for partition, offset, _ in self.cluster.sent[self.topic]:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        wanted = {partition: end for partition, end in ends.items() if partitions is None or partition in partitions}
        wait_until(
            lambda: all(self.head(partition) >= end for partition, end in wanted.items()), f"all of {wanted} in the lake", deadline
        )

    def line(self, partition, topic=None):
        """A partition's line in the engine's status, or None while there is none."""
        status = self.get("/api/v1/status") or {"partitions": []}
        lines = [each for each in status["partitions"] if (each["topic"], each["partition"]) == (topic or self.topic, partition)]
        return lines[0] if lines else None

    def judge(self, but=-1):
        """Every record (but those of one partition) is in the lake once, is counted once, and `verify --kafka` agrees; gives what that
        printed."""
        rows, sent = self.rows(f"kafka_partition != {but}"), sorted(self.cluster.sent[self.topic])
        missing, surplus = sorted(set(sent) - set(rows))[:3], sorted(set(rows) - set(sent))[:3]
        twice = len(rows) - len(set(rows))
        assert rows == sent, f"{len(sent)} sent, {len(rows)} in the lake; missing {missing}, surplus {surplus}, twice {twice}"
        with duckdb.connect(config={"threads": 1}) as db:
            [(plays,)] = db.execute(
                f"""select sum(plays) from read_parquet('{objects(self.lake, 'song_counts')}', filename = true)
                where filename not like '%-p{but:05}-%'"""
            ).fetchall()
        assert plays == len(sent), f"{plays} plays counted, {len(sent)} sent"
        return self.verify("--kafka")
