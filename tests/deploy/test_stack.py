"""What the machine of the small profile runs at its start and its end: cloud-init's script, and the stack image's."""

import base64
import datetime
import os
import re
import stat
import subprocess
import time

import pytest
import yaml

from conftest import COMPOSE, ROOT

STANDINS = {
    "wget": 'echo "wget $*" >> "$CALLS"; echo "{\\"access_token\\": \\"the-token\\", \\"expires_in\\": 3599}"',
    "curl": 'echo "curl $*" >> "$CALLS"; cat >> "$CALLS.stdin"; echo "{\\"payload\\": {\\"data\\": \\"$SECRET\\"}}"',
    "docker": 'echo "docker $* DATA=$DATA" >> "$CALLS"; case "$*" in *"* config --services"*) echo "$ALL";; *"config --services"*) echo "$ON";; esac',
    "chown": 'echo "chown $*" >> "$CALLS"',
}


@pytest.fixture
def stack(tmp_path):
    """Runs stack.sh with stand-ins for the machine's metadata server, Secret Manager and docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in STANDINS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    files = tmp_path / "image"
    (files / "infra").mkdir(parents=True)
    (files / "infra" / "compose.yaml").write_text("services: {}\n")
    calls = tmp_path / "calls"

    def run(code=0, **environment):
        ended = subprocess.run(
            ["sh", str(ROOT / "infra" / "stack" / "stack.sh")], capture_output=True, text=True,
            env={
                "PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls), "DATA": str(tmp_path / "data"), "STACK_FILES": str(files), "BEATLYTICA_TAG": "one",
                "GOOGLE_CLOUD_PROJECT": "p", "SECRET_PREFIX": "beatlytica", "COMPOSE_PROFILES": "redpanda,observability,airflow",
                "SECRET": base64.b64encode(b"hush").decode(), "ON": "engine\nredpanda", "ALL": "engine\nredpanda", **environment,
            },
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stderr

    run.calls = lambda: calls.read_text()
    run.data = tmp_path / "data"
    run.bin = folder
    return run


def test_it_brings_files_and_secrets_and_starts_compose(stack):
    stack()
    for secret, owner in (("grafana-password", 472), ("airflow-password", 50000)):
        path = stack.data / "secrets" / secret
        assert path.read_text() == "hush" and stat.S_IMODE(os.stat(path).st_mode) == 0o400
        assert f"chown {owner} {path}.new" in stack.calls()
    assert f"docker compose --file {stack.data}/stack/one/infra/compose.yaml up --detach --remove-orphans" in stack.calls()
    assert "the-token" not in stack.calls() and "hush" not in stack.calls()


def test_another_version_has_another_folder(stack):
    stack()
    stack(BEATLYTICA_TAG="two")
    assert [path.name for path in (stack.data / "stack").iterdir()] == ["two"]


def test_old_images_go_once_the_new_ones_run(stack):
    """The boot disk holds 20 GB."""
    stack()
    lines = stack.calls().splitlines()
    assert index(lines, "docker image prune --all --force --filter until=") == len(lines) - 1 and " up --detach" in lines[-2]
    (stack.bin / "docker").write_text('#!/bin/sh\ncase "$*" in *prune*) exit 1;; *config*) echo engine;; esac\n')
    assert "could not be removed" in stack()


def test_what_was_switched_off_is_removed_before_the_rest_starts(stack):
    """Compose by itself leaves it running."""
    stack()
    assert " rm " not in stack.calls()
    stack(ALL="engine\nredpanda\nredpanda-topics\nsimulator")
    lines = stack.calls().splitlines()
    [removed] = [number for number, line in enumerate(lines) if " rm " in line]
    assert "--profile * rm --stop --force redpanda-topics simulator DATA" in lines[removed] and " up " in lines[removed + 1]


def test_nothing_is_removed_where_compose_does_not_say_what_is_on(stack):
    compose = 'case "$*" in *"--profile * config"*) echo engine;; *config*) exit 1;; esac'
    (stack.bin / "docker").write_text(f'#!/bin/sh\necho "docker $*" >> "$CALLS"\n{compose}\n')
    stack(code=1)
    assert " rm " not in stack.calls()


def test_secrets_are_read_only_where_they_are_used(stack):
    stack(COMPOSE_PROFILES="redpanda")
    assert "curl" not in stack.calls()


def test_grafana_has_its_password_on_google_cloud(stack):
    stack(COMPOSE_PROFILES="redpanda,observability-google")
    assert [path.name for path in (stack.data / "secrets").iterdir()] == ["grafana-password"]


def test_a_secret_without_a_value_is_said(stack):
    assert "secret beatlytica-grafana-password has no value; make deploy makes it" in stack(code=1, SECRET="")
    assert "docker" not in stack.calls()


def test_airflow_drops_logs_and_runs_of_more_than_two_months(tmp_path):
    """At its start, and each week: here the week's wait ends what waits."""
    script = (ROOT / "infra" / "stack" / "airflow.sh").read_text()
    calls, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    standins = {
        "airflow": 'echo "$*" >> "$CALLS"; if [ "$1" = standalone ]; then until grep -q "^wait" "$CALLS"; do /bin/sleep 0.05; done; fi',
        "python": ":", "sleep": 'echo "wait $*" >> "$CALLS"; kill "$PPID"',
    }
    for name, text in standins.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    old, new = tmp_path / "logs" / "old" / "attempt=1.log", tmp_path / "logs" / "new" / "attempt=1.log"
    for path, days in ((old, 62), (new, 58)):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (time.time() - days * 86400,) * 2)
    ended = subprocess.run(
        ["sh", "-c", script.replace("/tmp/", f"{tmp_path}/")], capture_output=True, text=True, timeout=60,
        env={"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls), "AIRFLOW_HOME": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stderr
    assert not old.parent.exists() and new.exists()
    lines = calls.read_text().splitlines()
    assert lines[0] == "db migrate" and "standalone" in lines and "wait 604800" in lines
    [before] = [line.split()[3] for line in lines if re.fullmatch(r"db clean --clean-before-timestamp \S+ --skip-archive --yes", line)]
    assert 60 * 86400 <= time.time() - datetime.datetime.fromisoformat(before).timestamp() < 60 * 86400 + 60


HOST = ROOT / "terraform" / "modules" / "host"
START = HOST / "start.sh"


def cloud_init():
    init = yaml.safe_load((HOST / "cloud-init.yaml").read_text())
    return {entry["path"]: entry["content"] for entry in init["write_files"]}, init["runcmd"]


@pytest.fixture
def machine(tmp_path):
    """Runs the machine's start script; calls that hold a word of `fails` fail. Gives the calls in order."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = START.read_text()
    for path in ("/mnt/disks/data", "/var/lib/beatlytica"):
        assert path in script
        script = script.replace(path, str(tmp_path / path[1:]))
    for name in ("mountpoint", "blkid", "mkfs.ext4", "mount", "resize2fs", "docker", "docker-credential-gcr", "curl"):
        text = 'echo "$name $*" >> "$CALLS"\ncase "$*" in ps*) echo one; echo two;; */beatlytica-stack) echo eu.pkg.dev/p/stack:tag;; *) echo answer;; esac\n'
        (folder / name).write_text(f"#!/bin/sh\nname={name}\n{text}" 'for each in $FAILS; do case "$name $*" in *$each*) exit 1;; esac; done\n')
        (folder / name).chmod(0o755)
    calls = tmp_path / "calls"

    def run(*fails, code=0, action="up"):
        calls.unlink(missing_ok=True)
        environment = {"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls), "FAILS": " ".join(fails)}
        ended = subprocess.run(["bash", "-c", script, "start", action], capture_output=True, text=True, env=environment)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return calls.read_text().splitlines()

    return run


def index(calls, beginning):
    [number] = [number for number, call in enumerate(calls) if call.startswith(beginning)]
    return number


def test_containers_that_docker_started_without_the_disk_are_stopped_before_it_is_mounted(machine):
    calls = machine("mountpoint")
    project = yaml.safe_load(COMPOSE.read_text())["name"]
    assert index(calls, f"docker ps --quiet --filter label=com.docker.compose.project={project}") < index(calls, "docker stop one two") < index(calls, "mount -o")
    assert calls[-1].startswith("docker run") and calls[-1].endswith("stack:tag")
    assert not [call for call in machine() if call.startswith(("docker stop", "mount -o"))], "the disk is there: they hold it"


def test_a_new_disk_is_formatted_and_no_other(machine):
    assert index(machine("mountpoint", "blkid"), "mkfs.ext4") < index(machine("mountpoint", "blkid"), "mount -o")
    assert not [call for call in machine("mountpoint") if call.startswith("mkfs")]


def test_the_file_system_grows_with_the_disk_at_a_boot_and_at_an_upgrade(machine):
    calls = machine("mountpoint")
    assert index(calls, "mount -o") < index(calls, "resize2fs /dev/disk/by-id/google-data") < index(calls, "docker run")
    for calls in (machine(), machine("resize2fs")):
        assert index(calls, "resize2fs") < index(calls, "docker run")


@pytest.mark.parametrize("key", ["beatlytica-stack", "beatlytica-environment", "beatlytica-profiles"])
def test_the_machine_starts_nothing_where_its_metadata_does_not_answer(machine, key):
    """Without profiles the stack would remove every container."""
    assert not [call for call in machine(key, code=1) if call.startswith("docker run")]


def test_what_runs_is_stopped_whatever_version_it_is(machine):
    """The one that the metadata names may never have started; an engine that ends before Kafka writes what it holds."""
    of_project = "docker ps --quiet --filter label=com.docker.compose.project=beatlytica"
    stop = "docker stop -t 60 one two"
    assert machine(action="stop") == [f"{of_project} --filter label=com.docker.compose.service=engine", stop, of_project, stop]
    assert machine("ps", action="stop", code=1)


def test_what_a_start_does_comes_with_the_metadata(tmp_path):
    """An upgrade changes it; files are written at a boot alone."""
    (tmp_path / "curl").write_text("#!/bin/sh\ncase $* in */beatlytica-start) echo 'echo \"$0: $*\"';; *) exit 22;; esac\n")
    (tmp_path / "curl").chmod(0o755)
    script = cloud_init()[0]["/etc/beatlytica/start"]
    command = ["bash", "-c", script, "start", "up"]
    assert subprocess.run(command, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}).stdout == "start: up\n"
    (tmp_path / "curl").write_text("#!/bin/sh\necho 'echo half'\nexit 22\n")
    ended = subprocess.run(command, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert ended.returncode != 0 and not ended.stdout


def test_the_machine_starts_the_stack_and_restarts_it_on_failure():
    files, commands = cloud_init()
    ended = subprocess.run(["shellcheck", "-"], input=files["/etc/beatlytica/start"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    unit = files["/etc/systemd/system/beatlytica.service"]
    assert "Restart=on-failure" in unit and "ExecReload=/bin/bash /etc/beatlytica/start up" in unit
    assert ["systemctl start --no-block beatlytica.service"] == [line for line in commands if "start" in line]
