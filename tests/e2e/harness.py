"""A real broker on free ports, and the engine as a process."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """The engine: BEATLYTICA_BIN, or what `cargo build` made."""
    named = os.environ.get("BEATLYTICA_BIN")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(named) if named else target / "debug" / "beatlytica"
    assert path.is_file(), f"{path} is missing; run `cargo build`, or name a binary with BEATLYTICA_BIN"
    return str(path)


def fake_gcs():
    """Google Cloud Storage in memory: the example of that name, built beside the engine."""
    path = pathlib.Path(binary()).parent / "examples" / "fake_gcs"
    assert path.is_file(), f"{path} is missing; run `cargo build --example fake_gcs`"
    return str(path)


#: Below those that the system gives to clients: a client that knocks again and again at such a port of a server that is being
#: restarted would end up connected to itself.
#: Runs of pytest beside each other are told a part each.
PORTS = range(*map(int, os.environ.get("BEATLYTICA_TEST_PORTS", "15000 32000").split()))
#: What pytest-xdist says to each of its workers: they may not be given each other's ports either.
WORKER, WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
UNGIVEN = iter(random.SystemRandom().sample(PORTS[WORKER::WORKERS], len(PORTS[WORKER::WORKERS])))


def free_ports(count):
    """Ports nobody listens on at this moment, and nobody was given before: who was may not listen yet, or not at the moment."""
    ports = []
    while len(ports) < count:
        port = next(UNGIVEN)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
    return ports


def wait_until(condition, what, deadline=60.0, every=0.1):
    """Polls until `condition` gives something true, which is returned."""
    end = time.monotonic() + deadline
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {deadline:.0f} s"
        time.sleep(every)


class Broker:
    """One Kafka node with a data folder of its own."""

    #: Settings, dotted, with which a client of the node signs in.
    sign_in = {}

    def __init__(self, folder, **environment):
        port, controller = free_ports(2)
        self.address = f"127.0.0.1:{port}"
        self.folder = pathlib.Path(folder)
        self.environment = {
            **os.environ,
            "KAFKA_PORT": str(port),
            "KAFKA_CONTROLLER_PORT": str(controller),
            "KAFKA_DATA": str(self.folder),
            "KAFKA_HEAP": "768m",
            **environment,
        }

    def __enter__(self):
        self.start()
        return self

    def start(self):
        """Starts the node, on the data that it has."""
        self._script("start")

    def kill(self):
        """Ends the node as a crash of its process does; its data stay."""
        pid = self.folder / "kafka.pid"
        os.kill(int(pid.read_text()), signal.SIGKILL)
        pid.unlink()

    @contextlib.contextmanager
    def hanging(self):
        """The node stands still meanwhile."""
        pid = int((self.folder / "kafka.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def __exit__(self, *_):
        self._script("clean")

    def delete_topic(self, topic):
        """Deletes a topic and all it holds."""
        self.tool("tools.TopicCommand", "--delete", "--topic", topic)

    def delete_records(self, topic, before):
        """Deletes records as retention does; `before` maps partition to the first offset that stays."""
        offsets = [{"topic": topic, "partition": number, "offset": offset} for number, offset in before.items()]
        request = self.folder / "delete-records.json"
        request.write_text(json.dumps({"version": 1, "partitions": offsets}))
        self.tool("tools.DeleteRecordsCommand", "--offset-json-file", str(request))

    def add_partitions(self, topic, partitions):
        """Makes a topic grow to so many partitions."""
        self.tool("tools.TopicCommand", "--alter", "--topic", topic, "--partitions", str(partitions))

    def log_ends(self, topic):
        """Partition to the end of its log, by Kafka's own tool."""
        printed = self.tool("tools.GetOffsetShell", "--topic", f"^{topic}$")
        return {int(number): int(end) for _, number, end in (line.split(":") for line in printed.split())}

    def tool(self, name, *arguments):
        """Runs one of Kafka's own commands, such as `tools.TopicCommand`, against the node; gives what it printed."""
        return self._script("run", f"org.apache.kafka.{name}", "--bootstrap-server", self.address, *arguments)

    def _script(self, *arguments):
        # Into a file: what is started here may hold its output open for longer than the script runs.
        with tempfile.TemporaryFile("w+") as output:
            subprocess.run(
                [str(ROOT / "scripts" / "kafka.sh"), *arguments],
                env=self.environment, check=True, stdin=subprocess.DEVNULL, stdout=output,
            )
            output.seek(0)
            return output.read()


class SecureBroker(Broker):
    """A node that speaks TLS with SCRAM-SHA-512 and obeys ACLs; the user `beatlytica` may nothing at first."""

    def __init__(self, folder):
        super().__init__(folder)
        self.environment["KAFKA_SECURITY"] = "sasl_ssl"
        self.secrets = self.folder / "secrets"

    @property
    def sign_in(self):
        """As the user `beatlytica`; password and authority are those that the node made."""
        return self.sign_in_as("beatlytica")

    def sign_in_as(self, user):
        return {
            "kafka.security_protocol": "sasl_ssl",
            "kafka.sasl_mechanism": "SCRAM-SHA-512",
            "kafka.sasl_username": user,
            "kafka.sasl_password": (self.secrets / f"{user}.password").read_text().strip(),
            "kafka.ssl_ca_location": self.secrets / "ca.pem",
        }

    def allow(self, *arguments):
        """Adds ACLs for `beatlytica`, in the words of kafka-acls."""
        self.tool("tools.AclCommand", "--add", "--allow-principal", "User:beatlytica", *arguments)

    def tool(self, name, *arguments):
        super().tool(name, "--command-config", str(self.secrets / "admin.properties"), *arguments)


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """A handler that says nothing of the requests it gets."""

    def log_message(self, *_):
        pass


def serve(handler):
    """An HTTP server on a free port of the loopback address (`server_port`); `shutdown` ends it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class TokenBroker(Broker):
    """A node that clients sign in to with OAUTHBEARER; it takes tokens that nobody has signed, until they run out."""

    def __init__(self, folder):
        super().__init__(folder)
        self.environment["KAFKA_SECURITY"] = "sasl_plaintext"
        self.folder.mkdir(parents=True)
        self.token = self.folder / "token"
        self.issue(300)

    @property
    def sign_in(self):
        return {
            "kafka.security_protocol": "sasl_plaintext", "kafka.sasl_mechanism": "OAUTHBEARER", "kafka.sasl_token_file": self.token,
        }

    def issue(self, seconds):
        """Puts a new token, good for so long, in the place of the one before."""
        encoded = lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        now = time.time()
        claims = {"sub": "beatlytica", "iat": now - 1, "exp": now + seconds}
        partial = self.token.with_suffix(".partial")
        partial.write_text(f"{encoded({'alg': 'none'})}.{encoded(claims)}.")
        partial.rename(self.token)


def variables(settings):
    """Environment variables of dotted settings."""
    return {f"BEATLYTICA__{key.upper().replace('.', '__')}": str(value) for key, value in settings.items()}


def peak_rss(pid):
    """A process's peak memory so far, in bytes, by the kernel; 0 once it has ended.

    Not ru_maxrss: that one keeps the size of whoever started the process, here Python with DuckDB in it.
    """
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024 if peaks else 0


class Ended:
    """How a process ended: exit code (negative: the signal), peak memory in bytes, CPU seconds."""

    def __init__(self, status, usage, wall, peak_rss):
        self.code = os.waitstatus_to_exitcode(status)
        self.peak_rss = peak_rss
        self.cpu = usage.ru_utime + usage.ru_stime
        self.wall = wall


class Process:
    """A command of the engine's (or of another program), its output kept in a file."""

    def __init__(self, arguments, environment, log, program=None, group=None):
        self.log = pathlib.Path(log)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BEATLYTICA__")}
        self.started = time.monotonic()
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                [program or binary(), *arguments], env={**inherited, **environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                # Born in its control group: a limit is read at the start.
                preexec_fn=group and (lambda: (group / "cgroup.procs").write_text("0")),
            )
        self.ended = None
        self.peak_rss = 0

    def poll(self):
        """How it ended, or None while it runs."""
        if self.ended is None:
            self.peak_rss = max(self.peak_rss, peak_rss(self.child.pid))
            pid, status, usage = os.wait4(self.child.pid, os.WNOHANG)
            if pid:
                self.ended = Ended(status, usage, time.monotonic() - self.started, self.peak_rss)
                self.child.returncode = self.ended.code
        return self.ended

    def wait(self, deadline=600.0):
        """Waits for the end. Past the deadline it is killed and the test fails."""
        try:
            return wait_until(self.poll, f"the end of {self.child.args[1:3]}", deadline, every=0.02)
        except AssertionError:
            self.send(signal.SIGKILL)
            wait_until(self.poll, "the end after SIGKILL", 30)
            raise AssertionError(f"still running after {deadline:.0f} s\n{self.tail()}") from None

    def send(self, number):
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            self.child.send_signal(number)

    def succeed(self, deadline=600.0):
        """Waits for exit code 0."""
        ended = self.wait(deadline)
        assert ended.code == 0, f"exit code {ended.code}\n{self.tail()}"
        return ended

    def stop(self, deadline=60.0):
        """SIGTERM, and the clean end that must follow."""
        self.send(signal.SIGTERM)
        return self.succeed(deadline)

    def cpu_seconds(self):
        """User and system time so far, of a process that runs."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tail(self):
        """The last of its output."""
        return self.log.read_text(errors="replace")[-3000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.poll() is None:
            self.send(signal.SIGKILL)
            wait_until(self.poll, "the end after SIGKILL", 30)


class Engine:
    """Commands on one lake in one group; `settings` are dotted keys."""

    def __init__(self, broker, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lake = self.folder / "lake-root"
        self.lake.mkdir(exist_ok=True)
        self.port = free_ports(1)[0]
        keys = {
            "kafka.brokers": broker.address,
            "kafka.group_id": f"e2e-{self.folder.name}",
            "lake.url": self.lake.as_uri(),
            "http.listen": f"127.0.0.1:{self.port}",
            **broker.sign_in,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        self.environment = variables(keys)

    def start(self, *arguments, group=None):
        """Starts a command, in a control group where one is given."""
        return Process(arguments, self.environment, self.folder / f"{arguments[0]}.log", group=group)

    def get(self, path):
        """The JSON answer of the API, or None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            raise AssertionError(f"{path}: {error.code} {error.read()[:300]}") from None
        except OSError:
            return None

    def health(self, path):
        """Status and words of `/livez` or `/readyz`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def covered(self):
        """Partitions that the charts count, or None while the API does not answer."""
        answer = self.get("/api/v1/charts/songs?window=24h&limit=1")
        return answer and answer["partitions"]["covered"]

    def metrics(self):
        """What Prometheus would scrape."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return answer.read().decode()

    def metric(self, series):
        """The sum of the series that a pattern for name and labels matches."""
        return sum(map(float, re.findall(rf"^{series} (\S+)$", self.metrics(), re.MULTILINE)))

    def entries(self):
        """Files in the ledger, decisions and receipts."""
        return sum(1 for _ in self.lake.glob("ledger/v1/*/*/p*/*.json"))

    def head_of(self, topic, partition):
        """End of a partition's last receipted range."""
        receipts = sorted(self.lake.glob(f"ledger/v1/{topic}/e001/p{partition:05}/*.done.json"))
        return json.loads(receipts[-1].read_text())["end"] if receipts else 0

    def verify(self, *flags, code=0):
        """Runs `verify`, which must end with `code` (by default: find nothing); gives what it printed."""
        log = self.folder / "verify.log"
        log.unlink(missing_ok=True)
        ended = self.start("verify", *flags).wait(300)
        printed = log.read_text()
        assert ended.code == code, f"exit code {ended.code}\n{printed[-3000:]}"
        return printed

    def discard(self):
        """Frees the disk."""
        shutil.rmtree(self.folder, ignore_errors=True)


def replay(broker, folder, files, partitions):
    """Sends each topic's files into it, all topics at once; `files` maps topic to paths."""
    environment = variables({"kafka.brokers": broker.address, **broker.sign_in})
    senders = [
        Process(
            ["replay", *map(str, paths), "--topic", topic, "--create-partitions", str(partitions)],
            environment, pathlib.Path(folder) / f"replay-{topic}.log",
        )
        for topic, paths in files.items()
    ]
    failures = []

    def finish(sender):
        try:
            sender.succeed(600)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=finish, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
