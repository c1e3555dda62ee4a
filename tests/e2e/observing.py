"""Prometheus and Alertmanager from Debian's packages, beside the engine; rules with all durations scaled down."""

import json
import pathlib
import re
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

from harness import ROOT, Process, QuietHandler, free_ports, serve, variables, wait_until
from tables import TABLES

INFRA = ROOT / "infra"
RULES = sorted((INFRA / "prometheus" / "rules").glob("*.yml"))
#: A rule's minute takes a second in the tests.
SCALE = 60
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: Numbers of seconds in the rules' expressions; counts and shares stay as they are.
THRESHOLDS = {"> bool 300": 300, "> 600": 600, "< 3600": 3600, "> 10800": 10800, "- time() < 120": 120}


def programs():
    """The folder of prometheus, promtool, prometheus-alertmanager and amtool."""
    found = subprocess.run([ROOT / "scripts" / "prometheus.sh", "bin"], check=True, capture_output=True, text=True)
    return pathlib.Path(found.stdout.strip())


def rules():
    """Every rule, in order."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts():
    """Every alert by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def scaled_duration(text):
    """`10m` as so many milliseconds as it has sixtieths of a second."""
    return f"{max(round(int(text[:-1]) * SECONDS[text[-1]] * 1000 / SCALE), 1)}ms"


def scaled_expression(expression):
    """An expression with all its times scaled."""
    expression = re.sub(r"(?:(?<=\[)|(?<=offset ))\d+[smhd]\b", lambda found: scaled_duration(found[0]), expression)
    for threshold, seconds in THRESHOLDS.items():
        expression = expression.replace(threshold, threshold.replace(str(seconds), f"{seconds / SCALE:g}"))
    return expression


def scaled_rules():
    """All rule files as one, scaled."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    for group in groups:
        for rule in group["rules"]:
            rule["expr"] = scaled_expression(rule["expr"])
            if "for" in rule:
                rule["for"] = scaled_duration(rule["for"])
    return {"groups": groups}


class Hook:
    """A pager: takes what Alertmanager sends to it."""

    def __init__(self):
        self.messages = []
        hook = self

        class Handler(QuietHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.messages.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

        self.server = serve(Handler)
        self.port = self.server.server_port

    def heard(self, path, status):
        """Names of alerts that came to `path` with `status`."""
        bodies = [body for at, body in self.messages if at == path]
        return {alert["labels"]["alertname"] for body in bodies for alert in body["alerts"] if alert["status"] == status}

    def close(self):
        self.server.shutdown()


class Watch:
    """Prometheus, scraping `targets` once a second, and Alertmanager, telling a hook."""

    def __init__(self, folder, targets, scheme=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        port, alertmanager, cluster = free_ports(3)
        self.url, self.alertmanager_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{alertmanager}"
        self.hook = Hook()
        self._configure(targets, alertmanager, scheme or {})
        bin = programs()
        self.processes = [
            Process(
                [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/prometheus",
                 f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
                {}, self.folder / "prometheus.log", program=str(bin / "prometheus"),
            ),
            Process(
                [f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/alertmanager",
                 f"--web.listen-address=127.0.0.1:{alertmanager}", f"--cluster.listen-address=127.0.0.1:{cluster}",
                 "--log.level=warn"],
                {}, self.folder / "alertmanager.log", program=str(bin / "prometheus-alertmanager"),
            ),
        ]
        try:
            wait_until(lambda: self.ready(), "Prometheus and Alertmanager", 30)
        except BaseException:
            self.__exit__()
            raise

    def _configure(self, targets, alertmanager, scheme):
        config = yaml.safe_load((INFRA / "prometheus" / "prometheus.yml").read_text())
        config["global"].update(scrape_interval="1s", scrape_timeout="1s", evaluation_interval="500ms")
        config["rule_files"] = ["rules.yml"]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
        config["scrape_configs"] = config["scrape_configs"][:1]
        config["scrape_configs"][0].update(scheme, static_configs=[{"targets": targets}])
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        (self.folder / "rules.yml").write_text(yaml.safe_dump(scaled_rules()))
        config = yaml.safe_load((INFRA / "alertmanager" / "alertmanager.yml").read_text())
        config["route"].update(group_wait="500ms", group_interval="1s")
        for receiver in config["receivers"]:
            receiver["webhook_configs"] = [{"url": f"http://127.0.0.1:{self.hook.port}/{receiver['name']}"}]
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def ready(self):
        assert all(process.poll() is None for process in self.processes), [each.tail() for each in self.processes]
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=5)
            urllib.request.urlopen(f"{self.alertmanager_url}/-/ready", timeout=5)
            return True
        except OSError:
            return False

    def query(self, expression):
        """The instant vector of a query."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def firing(self):
        """Names of the alerts that fire now."""
        return {each["metric"]["alertname"] for each in self.query('ALERTS{alertstate="firing"}')}

    def first_fired(self):
        """When each alert began to fire, in seconds since 1970."""
        found = self.query('min by (alertname) (min_over_time(timestamp(ALERTS{alertstate="firing"})[10m:500ms]))')
        return {each["metric"]["alertname"]: float(each["value"][1]) for each in found}

    def inhibited(self):
        """Names of the alerts that Alertmanager holds back because another one explains them."""
        with urllib.request.urlopen(f"{self.alertmanager_url}/api/v2/alerts", timeout=10) as answer:
            return {each["labels"]["alertname"] for each in json.load(answer) if each["status"]["inhibitedBy"]}

    def fires(self, *names, deadline=60):
        wait_until(lambda: set(names) <= self.firing(), f"{names} to fire (firing: {self.firing()})", deadline, every=0.3)

    def ends(self, *names, deadline=60):
        wait_until(lambda: not set(names) & self.firing(), f"{names} to end", deadline, every=0.3)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.__exit__()
        self.hook.close()


class Load:
    """Events of all four topics at a steady rate, their times counted up from now."""

    def __init__(self, broker, folder, rate=100, seconds=300, partitions=2, line=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = variables({"kafka.brokers": broker.address, **broker.sign_in})
        self.processes = []
        for topic in TABLES:
            path = self.folder / f"{topic}.jsonl"
            start = round(time.time() * 1000)
            with path.open("w") as output:
                for number in range(rate * seconds):
                    output.write((line or event)(start + number * 1000 // rate, number) + "\n")
            arguments = ["replay", str(path), "--topic", topic, "--rate", str(rate), "--create-partitions", str(partitions)]
            self.processes.append(Process(arguments, environment, self.folder / f"{topic}.log"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.__exit__()


def event(ts, number):
    """A record that fits every topic."""
    user = number % 997
    return json.dumps({
        "ts": ts, "userId": user, "sessionId": user, "level": ("free", "paid")[user % 2], "gender": "FM"[user % 3 % 2],
        "state": ("CA", "NY", "TX")[user % 3], "artist": f"artist {user % 41}", "song": f"song {user % 83}", "duration": 180.5,
    })


def records(folder, count=200, line=event):
    """A file for each topic."""
    files = {}
    for table in TABLES:
        files[table] = [folder / f"{table}.jsonl"]
        files[table][0].write_text("".join(line(1_700_000_000_000 + number, number) + "\n" for number in range(count)))
    return files
