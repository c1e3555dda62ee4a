"""Chaos: engines of one group on one lake are killed, stopped and starved by a seeded schedule; nothing may be lost or twice.

    python tests/e2e/chaos.py --seed 7 --kills 30 [--lake folder|bucket] [--engines 3] [--pace 1]

The same seed gives the same schedule of faults; what each of them strikes is the machine's doing.
"""

import argparse
import collections
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time

import bucket
import chaos_events
from harness import Broker, Engine, Process, variables, wait_until

#: Seconds after which the broker gives a silent engine's partitions to others.
SESSION = 3
#: How long the bucket takes to answer: nothing comes at once.
DELAY_MS = 30
#: Events a second of each topic.
RATE = 150
SETTINGS = {
    "kafka__session_timeout": f"{SESSION}s", "kafka__metadata_interval": "1s", "kafka__properties__heartbeat_interval_ms": "500",
    "lake__upload_interval": "500ms", "lake__max_batch_bytes": "1MiB", "lake__snapshot_interval": "2s", "memory__budget": "16MiB",
    "windows__idle_after": "2s", "gcs__deadline": "10s", "supervisor__drain_deadline": "5s", "supervisor__backoff_initial": "200ms",
    "log__format": "text",
}
#: What no fault may lead to.
NEVER = re.compile(r"panicked|partition stopped until an operator acts|damaged")
#: Lines of the engines' logs that show what a fault led to.
TRACES = {
    "entries adopted": "entry adopted",
    "longer ranges adopted": "a longer range is adopted",
    "counted from another's objects": "counting from another writer's objects",
    "decisions found unfinished": "finishing=true",
}


class Folder:
    """The lake is a folder."""

    name = "folder"

    def __init__(self, root):
        self.root = root / "lake"
        self.root.mkdir()
        self.settings = {"lake__url": self.root.as_uri()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def faults(self):
        """No faults of its own."""
        return {}

    def fetch(self):
        """A folder with all objects."""
        return self.root


class Bucket:
    """The lake is in a fake of Google Cloud Storage, which can be slow, fail, lose answers and apply writes late."""

    name = "bucket"

    def __init__(self, root):
        self.root = root / "fetched"

    def __enter__(self):
        self.fake = bucket.Fake()
        self.settings, self.tell = self.fake.settings, self.fake.tell
        self.tell(f"delay {DELAY_MS}")
        return self

    def __exit__(self, *ended):
        self.fake.__exit__(*ended)

    def faults(self):
        """Name to the commands that begin and end it."""
        return {
            "storage flaky": (lambda dice: f"trouble {dice.randint(50, 300)} {dice.randint(1, 9999)}", "trouble 0 1"),
            "storage down": (lambda dice: "trouble 1000 1", "trouble 0 1"),
            "storage slow": (lambda dice: f"delay {dice.randint(200, 800)}", f"delay {DELAY_MS}"),
        }

    def fetch(self):
        """A folder with all objects, copied out over HTTP."""
        bucket.copy(self.fake.endpoint, "lake/", self.root)
        return self.root


class Member:
    """One engine of the group; it is started again whenever it has ended."""

    def __init__(self, broker, root, name, settings):
        self.engine = Engine(broker, root / name, kafka__group_id="chaos", **settings)
        self.name = name
        self.process = None
        self.wakes = None
        self.excused = False

    def start(self, excused=False):
        """Starts it; `excused` where it may give up at once, the broker being down."""
        self.process, self.excused = self.engine.start("run"), excused

    @property
    def log(self):
        return self.engine.folder / "run.log"


class Chaos:
    """A broker, producers, engines and a lake, and what is done to them."""

    def __init__(self, root, seed, lake, engines, pace):
        self.root, self.seed, self.pace = root, seed, pace
        self.steps = 0
        self.broker = Broker(root / "kafka", KAFKA_MIN_SESSION_MS="1000")
        self.lake = lake
        self.engines = engines
        self.partitions = dict(chaos_events.TOPICS)
        self.applied = collections.Counter()
        self.kills = 0
        self.storage_ends = None
        self.broker_returns = None

    def run(self, kills):
        """Applies faults until so many engines were killed, lets all settle, and judges; gives the verdict."""
        began = time.monotonic()
        with self.broker, self.lake:
            files = self.produce(kills)
            members = [
                Member(self.broker, self.root, f"engine-{number}", {**SETTINGS, **self.lake.settings}) for number in range(self.engines)
            ]
            self.members = members
            try:
                for member in members:
                    member.start()
                wait_until(lambda: any(m.engine.get("/api/v1/status") for m in members), "an engine", 60)
                while self.kills < kills:
                    self.step()
                self.calm()
                last = self.settle()
            finally:
                for member in members:
                    with member.process or member.engine.start("version"):
                        pass
                for sender in self.senders:
                    with sender:
                        pass
            verdict = chaos_events.judge(self.lake.fetch(), self.broker, files)
            self.compared = last.verify("--kafka").splitlines()[-2:]
        self.seconds = time.monotonic() - began
        return verdict

    def produce(self, kills):
        """Starts the producers; more events are there than will be sent."""
        files, self.senders = {}, []
        environment = variables({"kafka.brokers": self.broker.address, "kafka.metadata_interval": "1s"})
        nothing = self.root / "nothing.jsonl"
        nothing.touch()
        for topic in chaos_events.EMPTY:
            arguments = ["replay", str(nothing), "--topic", topic, "--create-partitions", "1"]
            Process(arguments, environment, self.root / "empty.log").succeed(60)
        for topic, partitions in chaos_events.TOPICS.items():
            count = RATE * (120 + 8 * kills)
            path = files[topic] = chaos_events.write_events(self.root / f"{topic}.jsonl", topic, count, self.seed)
            arguments = ["replay", str(path), "--topic", topic, "--create-partitions", str(partitions), "--rate", str(RATE)]
            self.senders.append(Process(arguments, environment, self.root / f"replay-{topic}.log"))
        return files

    def step(self):
        """Waits a little, then applies one fault, unless it lasts already or has no object."""
        self.steps += 1
        # Dice of its own: what earlier steps found to do must not change this one.
        dice = random.Random(f"{self.seed} {self.steps}")
        self.watch(time.monotonic() + self.pace * dice.choice([0.1, 0.5, 1, 2, 4]) * dice.uniform(0.5, 1.5))
        faults = {
            "kill -9": 60, "kill -9 of all": 4, "stop and wake": 14, "SIGTERM": 8, "broker killed": 4, "topic grows": 1,
            **{name: 8 for name in self.lake.faults()},
        }
        name = dice.choices(list(faults), list(faults.values()))[0]
        victim, lasts = dice.choice(self.members), dice.uniform(0.2, 1)
        up = [member for member in self.members if not member.wakes]
        if name == "kill -9" and victim in up:
            self.kill([victim])
        elif name == "kill -9 of all" and up:
            self.kill(up)
        elif name == "stop and wake" and victim in up and len(up) > 1:
            victim.process.send(signal.SIGSTOP)
            victim.wakes = time.monotonic() + 3 * SESSION * lasts
        elif name == "SIGTERM" and victim in up:
            victim.process.send(signal.SIGTERM)
            ended = victim.process.wait(60)
            # One that has only just begun has nothing to drain, and ends by the signal itself.
            clean = ended.code in (0, -signal.SIGTERM) or victim.excused
            assert clean, f"{victim.name} ended with {ended.code} after SIGTERM\n{victim.process.tail()}"
            victim.start(excused=self.broker_returns is not None)
        elif name == "broker killed" and self.broker_returns is None:
            self.broker.kill()
            self.broker_returns = time.monotonic() + 6 * lasts
        elif name == "topic grows" and self.broker_returns is None and self.applied[name] < 3:
            self.partitions["listen_events"] += 1
            self.broker.add_partitions("listen_events", self.partitions["listen_events"])
        elif name in self.lake.faults() and self.storage_ends is None:
            begin, end = self.lake.faults()[name]
            self.lake.tell(begin(dice))
            self.storage_ends = (time.monotonic() + 8 * lasts, end)
        else:
            return
        self.applied[name] += 1

    def kill(self, members):
        for member in members:
            member.process.send(signal.SIGKILL)
        for member in members:
            member.process.wait(30)
            self.kills += 1
            member.start(excused=self.broker_returns is not None)

    def watch(self, until):
        """Lets time pass; ends what is due to end, and starts again who gave up where that is excused."""
        while True:
            now = time.monotonic()
            for member in self.members:
                if member.wakes and now >= member.wakes:
                    member.process.send(signal.SIGCONT)
                    member.wakes = None
                ended = member.process.poll()
                if ended:
                    assert member.excused, f"{member.name} ended by itself with {ended.code}\n{member.process.tail()}"
                    self.applied["(started again: no broker)"] += 1
                    member.start(excused=self.broker_returns is not None)
            if self.storage_ends and now >= self.storage_ends[0]:
                self.lake.tell(self.storage_ends[1])
                self.storage_ends = None
            if self.broker_returns and now >= self.broker_returns:
                self.broker.start()
                self.broker_returns = None
            if now >= until:
                return
            time.sleep(0.02)

    def calm(self):
        """Ends all faults that still last, and the producers."""
        while self.storage_ends or self.broker_returns or any(member.wakes for member in self.members):
            self.watch(time.monotonic() + 0.1)
        for sender in self.senders:
            sender.send(signal.SIGTERM)
        for sender in self.senders:
            sender.wait(60)
            # The judge takes the first so many events of each file for what was sent.
            assert "was not delivered" not in sender.tail(), f"the producer gave up, so nothing can be judged: {sender.tail()}"

    def settle(self):
        """Stops the engines as an operator would, and lets one take in the rest; gives that one."""
        for member in self.members:
            member.process.send(signal.SIGTERM)
        for member in self.members:
            member.process.wait(60)
        last = self.members[0].engine
        last.start("run", "--exit-at-end").succeed(180)
        for member in self.members:
            bad = [line for line in member.log.read_text(errors="replace").splitlines() if NEVER.search(line)]
            assert not bad, f"{member.name}: {bad[:3]}"
        return last

    def traces(self):
        """How often each trace is in the engines' logs."""
        text = "".join(member.log.read_text(errors="replace") for member in self.members)
        return {name: text.count(words) for name, words in TRACES.items()}


def run(root, seed, kills, lake, engines=3, pace=1.0):
    """One run, with its figures printed as a table."""
    chaos = Chaos(root, seed, {"folder": Folder, "bucket": Bucket}[lake](root), engines, pace)
    print(f"chaos: seed {seed}, lake {lake}, {engines} engines", flush=True)
    verdict = chaos.run(kills)
    rows = {"kills (-9)": chaos.kills, **dict(sorted(chaos.applied.items())), **chaos.traces(), **verdict.row()}
    for name, count in rows.items():
        print(f"  {name:<32} {count:>8}")
    print("\n".join(f"  {line}" for line in chaos.compared))
    print(f"  seconds {chaos.seconds:.0f}", flush=True)
    assert (verdict.lost, verdict.twice) == (0, 0), f"seed {seed}: lost {verdict.lost}, twice {verdict.twice}"
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--lake", choices=["folder", "bucket"])
    parser.add_argument("--engines", type=int, default=3)
    parser.add_argument("--pace", type=float, default=1.0, help="factor on the waits between faults")
    parser.add_argument("--keep", type=pathlib.Path, help="a new folder that is kept if the run fails")
    arguments = parser.parse_args()
    root = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    root.mkdir(exist_ok=True)
    lake = arguments.lake or ("bucket" if arguments.seed % 2 else "folder")
    try:
        run(root, arguments.seed, arguments.kills, lake, arguments.engines, arguments.pace)
    except BaseException:
        print(f"seed {arguments.seed}: failed; what it left is in {root}", file=sys.stderr)
        raise
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
