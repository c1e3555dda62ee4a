"""Each fault point crossed with what may happen there: the process dies and starts again, another one takes over, or it
stands still, another one takes over, and it wakes up after that one has written. A development build obeys BEATLYTICA_FAULT.

Every run takes each point with one of the three in turn, and all three where the ledger is written; `--all-points` takes all.
"""

import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import time

from faults import PATIENCE, Cluster, Lake
from harness import ROOT, binary, wait_until

#: Point to the passage that counts: not the first where the first would find an empty lake.
POINTS = {
    "supervisor.assign": 1, "supervisor.revoke": 1, "supervisor.release": 1,
    "uploader.recover": 2, "uploader.recovered": 2, "consumer.deliver": 3, "aggregator.rebuild": 2, "aggregator.fold": 3,
    "uploader.cut": 2, "uploader.encode": 2, "uploader.decide": 2, "uploader.write": 2, "chain.object": 4, "chain.counts": 2,
    "chain.receipt": 2, "uploader.hint": 2, "snapshot.write": 2, "snapshot.discard": 2,
}
OUTCOMES = ("restart", "takeover", "awakening")
#: Where a half-done step leaves something behind in the lake.
WRITING = ("uploader.decide", "uploader.write", "chain.object", "chain.counts", "chain.receipt", "uploader.hint")
PARTITIONS = 2
#: Records of a lot; each lot is a range in each partition, cut by its age.
LOT = 60
AT_ONCE = 6


def cases(whole):
    """(point, outcome) of each case."""
    for number, point in enumerate(POINTS):
        chosen = OUTCOMES if whole or point in WRITING else [OUTCOMES[number % len(OUTCOMES)]]
        yield from ((point, outcome) for outcome in chosen)


class Case:
    """Two engines of one group on one lake, the first of them with a fault."""

    def __init__(self, cluster, folder, point, outcome):
        self.cluster, self.point, self.outcome = cluster, point, outcome
        topic = f"{point}-{outcome}"
        cluster.create(topic, PARTITIONS)
        own = {"kafka__group_id": topic, "kafka__session_timeout": "3s", "lake__snapshot_interval": "300ms"}
        self.first = Lake(cluster, folder / "first", topic, **own)
        self.second = Lake(cluster, folder / "second", topic, url=self.first.lake, **own)

    def feed(self):
        sent = len(self.cluster.sent[self.first.topic])
        self.cluster.send(self.first.topic, range(sent, sent + LOT))

    def run(self):
        """Lets it happen, and judges."""
        kind = "stop" if self.outcome == "awakening" else "abort"
        fault = {"BEATLYTICA_FAULT": f"{self.point}:{kind}:{POINTS[self.point]}"}
        self.feed()
        rebalance = self.point in ("supervisor.revoke", "supervisor.release")
        self.first.environment |= fault
        with self.first.start("run") as faulty:
            self.first.environment.pop("BEATLYTICA_FAULT")
            struck = (lambda: stopped(faulty)) if kind == "stop" else faulty.poll
            if rebalance:
                self.first.catches_up()
                # The other one asks for its share.
                with self.second.start("run") as other:
                    wait_until(struck, f"{self.point} to be passed\n{faulty.tail()}", PATIENCE)
                    self.feed()
                    self.go_on(faulty, other)
            else:
                wait_until(lambda: struck() or self.feed(), f"{self.point} to be passed\n{faulty.tail()}", PATIENCE, every=0.5)
                self.go_on(faulty, None)
        last = self.second if self.outcome == "takeover" else self.first
        last.start("run", "--exit-at-end").succeed(PATIENCE)
        last.judge()

    def go_on(self, faulty, other):
        """What follows the fault."""
        if self.outcome == "awakening":
            if not other:
                self.second.start("run", "--exit-at-end").succeed(PATIENCE)
            self.first.catches_up()
            faulty.send(signal.SIGCONT)
            self.feed()
            self.first.catches_up()
            wait_until(lambda: self.first.get("/api/v1/status"), "an answer of the one that woke up", PATIENCE)
            faulty.stop(PATIENCE)
        else:
            assert faulty.wait(PATIENCE).code == -signal.SIGABRT, faulty.tail()
            assert f"fault point {self.point}" in faulty.tail(), faulty.tail()
        if other:
            self.first.catches_up()
            other.stop(PATIENCE)


def stopped(process):
    """Whether it stands still by SIGSTOP."""
    with open(f"/proc/{process.child.pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def test_every_fault_point_is_crossed():
    named = {
        name for path in (ROOT / "src").glob("**/*.rs") for name in re.findall(r'fault::point\("([^"]+)"\)', path.read_text())
    }
    assert named == set(POINTS)
    described = set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE))
    assert described == named


#: Passes a point between two waits, as the engine does.
PROGRAM = """
#[path = "{fault}"]
mod fault;

async fn step(number: usize) -> usize {{
    let mut once = false;
    let wait = |_: &mut std::task::Context| if std::mem::replace(&mut once, true) {{ std::task::Poll::Ready(()) }} else {{ std::task::Poll::Pending }};
    std::future::poll_fn(wait).await;
    number + 1
}}

async fn steps(number: usize) -> usize {{
    let number = step(number).await;
    fault::point("uploader.decide").await;
    step(number).await
}}

fn main() {{
    let mut steps: std::pin::Pin<Box<dyn Future<Output = usize>>> = Box::pin(steps(std::env::args().count()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while steps.as_mut().poll(&mut context).is_pending() {{}}
}}
"""


def test_a_release_build_has_no_fault_points(tmp_path):
    source, program = tmp_path / "main.rs", tmp_path / "program"
    source.write_text(PROGRAM.format(fault=ROOT / "src" / "fault.rs"))
    subprocess.run(["rustc", "--edition", "2024", "-O", source, "-o", program], check=True)
    subprocess.run([program], check=True, env={**os.environ, "BEATLYTICA_FAULT": "uploader.decide:abort"})
    for word in (b"uploader.decide", b"BEATLYTICA_FAULT"):
        assert word not in program.read_bytes(), word
        assert word in pathlib.Path(binary()).read_bytes(), "the engine under test is no development build"


def test_whatever_happens_at_a_fault_point(cluster, tmp_path, pytestconfig):
    """All cases on one broker, some at a time."""
    chosen = list(cases(pytestconfig.getoption("--all-points")))
    began = time.monotonic()
    failed = {}

    def run(case):
        folder = tmp_path / "-".join(case)
        folder.mkdir()
        # A client of its own: a flush waits for what others send, too.
        Case(Cluster(cluster.broker), folder, *case).run()

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run, case): case for case in chosen}
        for future in concurrent.futures.as_completed(running):
            if future.exception():
                failed[running[future]] = future.exception()
    print(f"{len(chosen)} cases, {time.monotonic() - began:.0f} s")
    assert not failed, "\n\n".join(f"{case}: {error}" for case, error in failed.items())
