"""A world of stand-ins in which the deployment's scripts run for real."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "infra" / "compose.yaml"
PROGRAMS = ("gcloud", "docker", "terraform", "kubectl", "gke-gcloud-auth-plugin")
MANY = [f"module.more.resource.{number:05}" for number in range(5000)]  # more than a pipe holds
#: What Terraform tells of the scale profile, with managed Kafka and Composer.
SCALE = {
    "secrets": [],
    "kafka": {"brokers": "one:9192,two:9192", "security_protocol": "ssl", "sasl_mechanism": ""},
    "airflow": {"kind": "composer", "dags": "gs://composer/dags", "web": "https://web", "instance": None, "zone": None},
}


def in_order(world, steps):
    calls = [entry["call"] for entry in world.calls()]
    at = 0
    for step in steps:
        found = [number for number in range(at, len(calls)) if re.search(step, calls[number])]
        assert found, f"{step} is not among, or not behind:\n" + "\n".join(calls)
        at = found[0]


class World:
    """What exists in the cloud, what was asked, and the scripts that ask."""

    def __init__(self, folder):
        self.folder = folder
        #: What is checked out.
        self.root = ROOT
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        standin = pathlib.Path(__file__).with_name("standin.py").read_text().split("\n", 1)[1]
        for name in PROGRAMS:
            self.install(name, f"#!{sys.executable} -IS\n{standin}")
        self.write({
            "account": "me@example.com", "project": "some-project", "billing": "True", "cpus": 24, "terraform": "1.11.4",
            "buckets": [], "state": [], "applied": None, "region": None, "plan": [], "undestroyed": [], "other_state": "", "images": [], "history": [], "fail": {}, "looks": 0, "empty_looks": 0, "probes": 0,
            "unready_probes": 0, "secrets": {}, "secret_version": "7", "pods": [], "unseen": 0, "outputs": {"secrets": ["beatlytica-grafana-password", "beatlytica-airflow-password"]},
        })

    def install(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def remove(self, name):
        (self.bin / name).unlink()

    def write(self, world):
        (self.folder / "world.json").write_text(json.dumps(world))

    @property
    def now(self):
        return json.loads((self.folder / "world.json").read_text())

    def change(self, **values):
        self.write({**self.now, **values})

    def calls(self, pattern=""):
        """Calls that match, in order; each a dictionary of call and stdin."""
        log = self.folder / "calls.jsonl"
        entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [entry for entry in entries if re.search(pattern, entry["call"])]

    def forget_calls(self):
        (self.folder / "calls.jsonl").unlink(missing_ok=True)

    def run(self, script, *arguments, code=0, stdin="", **environment):
        """Runs a script of scripts/deploy, which must end with `code`; gives all it printed."""
        ended = subprocess.run(
            [str(self.root / "scripts" / "deploy" / f"{script}.sh"), *arguments], input=stdin, text=True, capture_output=True, timeout=120,
            env={
                "PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder), "STANDIN_WORLD": str(self.folder), "DEPLOY_POLL": "0.05",
                "PROJECT": "some-project", "TAG": "abc123", "TMPDIR": str(self.temporary), **environment,
            },
        )
        assert not list(self.temporary.iterdir()), "left behind"
        printed = ended.stdout + ended.stderr
        assert ended.returncode == code, f"exit code {ended.returncode}\n{printed}"
        return printed


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def versions(world):
    """The world with a checkout of its own: commits that git calls one, two and three, the last of them checked out. Gives git."""
    world.root = world.folder / "checkout"
    for part in ("scripts/deploy", "infra/k8s", "infra/prometheus/rules", "infra/airflow/dags", "terraform/environments"):
        shutil.copytree(ROOT / part, world.root / part, ignore=shutil.ignore_patterns("__pycache__", ".terraform*"))
    shutil.copy(ROOT / ".gitignore", world.root)

    def git(*arguments):
        command = ["git", "-C", str(world.root), "-c", "user.name=me", "-c", "user.email=me@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    for name in ("one", "two", "three"):
        with (world.root / "infra" / "prometheus" / "rules" / "slo.yml").open("a") as rules:
            rules.write(f"# rules of {name}\n")
        git("add", ".")
        git("commit", "-m", name)
        git("tag", name)
    return git


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """infra/compose.yaml as compose understands it, all profiles on."""
    program = tmp_path_factory.mktemp("compose") / "compose-config"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=ROOT / "scripts" / "compose-config", check=True)

    def load(*files, **variables):
        environment = {"PATH": os.environ["PATH"], "DATA": "/data", **variables}
        return subprocess.run([str(program), *map(str, files)], env=environment, capture_output=True, text=True)

    return load


@pytest.fixture(scope="session")
def services(project):
    loaded = project(COMPOSE)
    assert loaded.returncode == 0, loaded.stderr
    return json.loads(loaded.stdout)["services"]
