"""Mistakes are answered in one line that says what to do, with the right exit code."""

import json
import os
import pty
import subprocess
import termios

import pytest

from bucket import Fake
from harness import ROOT, binary, variables


def call(*arguments, stdin="", **environment):
    return subprocess.run(
        [binary(), *arguments], input=stdin, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin", **environment}
    )


def call_on_terminal(*arguments, **environment):
    """The same with a terminal for standard error; gives what that was sent."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    env = {"PATH": "/usr/bin", "TERM": "xterm", **environment}
    with subprocess.Popen([binary(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, env=env) as child:
        os.close(theirs)
        shown = b""
        while chunk := read_terminal(ours):
            shown += chunk
    os.close(ours)
    assert child.returncode == 0, shown.decode()
    return shown.decode()


def read_terminal(ours):
    try:
        return os.read(ours, 65536)
    except OSError:  # Linux says so that the other side was closed.
        return b""


@pytest.mark.parametrize(
    "arguments, environment, code, words",
    [
        (["frobnicate"], {}, 2, "unrecognized subcommand"),
        (["replay", "x.jsonl"], {}, 2, "--topic"),
        (["run", "--config", "/no/such.toml"], {}, 2, "/no/such.toml"),
        (["config", "check"], {"BEATLYTICA__KAFKA__BROKER": "x"}, 2, "did you mean kafka.brokers?"),
        (["config", "check", "--lake-url", "s3://x"], {}, 2, "lake.url (flag --lake-url)"),
        (["config", "check"], {"BEATLYTICA__KAFKA__PROPERTIES__SOCKET_KEEPALIVE_ENABEL": "true"}, 2, "socket.keepalive.enabel"),
        (["run"], {"BEATLYTICA__KAFKA__METADATA_INTERVAL": "2h"}, 2, "topic.metadata.refresh.interval.ms"),
        (["simulate", "-o", "-", "-s", "now"], {}, 2, "is not after the start"),
        (["replay", "/no/such.jsonl", "--topic", "t"], {}, 1, "/no/such.jsonl cannot be read"),
        (["replay", "-", "--topic", "t", "--brokers", "127.0.0.1:1"], {"BEATLYTICA__KAFKA__REQUEST_TIMEOUT": "1s"}, 1,
         "no broker answers at 127.0.0.1:1"),
    ],
)
def test_mistakes_are_answered(arguments, environment, code, words):
    ended = call(*arguments, **environment)
    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr


def test_a_wrong_broker_is_told_in_few_lines():
    """The client says many times a second that it has no broker; the last line says what to do."""
    ended = call("run", "--exit-at-end", "--brokers", "127.0.0.1:1", BEATLYTICA__KAFKA__REQUEST_TIMEOUT="2s")
    lines = ended.stderr.splitlines()
    assert ended.returncode == 1 and "no broker answers at 127.0.0.1:1; check kafka.brokers" in lines[-1], ended.stderr
    assert len(lines) <= 6, ended.stderr


def test_config_show_hides_secrets_and_can_be_read_again(tmp_path):
    shown = call("config", "show", BEATLYTICA__KAFKA__SASL_PASSWORD="hunter2")
    assert shown.returncode == 0, shown.stderr
    assert "hunter2" not in shown.stdout
    (tmp_path / "shown.toml").write_text(shown.stdout)
    assert call("config", "check", "--config", str(tmp_path / "shown.toml")).returncode == 0


def test_a_variable_that_is_no_text_is_named():
    environment = {b"PATH": b"/usr/bin", b"BEATLYTICA__HTTP__TOKEN": b"caf\xe9 caf\xe9 caf\xe9 caf\xe9"}
    ended = subprocess.run([binary(), "config", "check"], capture_output=True, text=True, timeout=60, env=environment)
    assert (ended.returncode, "BEATLYTICA__HTTP__TOKEN" in ended.stderr) == (2, True), ended.stderr


def test_a_demo_of_a_past_before_1970_does_not_begin(tmp_path):
    ended = call("demo", "--history", "100y", "--folder", str(tmp_path / "lake"), "--listen", "127.0.0.1:0")
    assert ended.returncode == 2 and "1970" in ended.stderr, ended.stderr


def test_verify_proves_nothing_of_a_place_without_a_lake_and_leaves_it_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, words in (("nowhere", "nowhere"), ("empty", "holds no ledger")):
        ended = call("verify", "--lake-url", f"file://{tmp_path}/{folder}")
        assert ended.returncode == 1 and words in ended.stderr, ended.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_and_manual(shell):
    assert "exit-at-end" in call("completions", shell).stdout
    page = call("man").stdout
    assert ".TH beatlytica 1" in page and "exit\\-at\\-end" in page, page


def test_replay_keys_by_listener_and_says_when_the_topic_is_missing(broker):
    brokers = {"BEATLYTICA__KAFKA__BROKERS": broker.address}
    missing = call("replay", "-", "--topic", "nowhere", stdin="{}\n", **brokers)
    assert missing.returncode == 1
    assert "topic nowhere does not exist" in missing.stderr and "--create-partitions" in missing.stderr
    records = "".join(f'{{"userId":{user % 7},"n":{user}}}\n' for user in range(700))
    sent = call("replay", "-", "--topic", "keyed", "--create-partitions", "4", stdin=records, **brokers)
    assert sent.returncode == 0, sent.stderr
    # JSON, for it is no terminal that reads it.
    [told] = [line for line in map(json.loads, sent.stderr.splitlines()) if line["message"] == "replayed"]
    assert (told["records"], told["topic"]) == (700, "keyed")
    too_long = call("replay", "-", "--topic", "keyed", stdin='{}\n{"a":"' + "x" * 2_000_000 + '"}\n', **brokers)
    assert too_long.returncode == 1
    assert "line 2 was not delivered" in too_long.stderr, too_long.stderr


def test_long_work_shows_its_progress_on_a_terminal_alone(broker, tmp_path):
    (tmp_path / "nothing.jsonl").touch()
    listens = tmp_path / "listens.jsonl"
    listens.write_text("".join(f'{{"ts":{1_700_000_000_000 + number},"userId":{number}}}\n' for number in range(400)))
    settings = {"kafka.brokers": broker.address, "http.listen": "127.0.0.1:0", "gcs.credentials_file": ""}
    for topic in ("page_view_events", "auth_events", "status_change_events"):
        created = call("replay", str(tmp_path / "nothing.jsonl"), "--topic", topic, "--create-partitions", "1", **variables(settings))
        assert created.returncode == 0, created.stderr
    replay = ["replay", str(listens), "--topic", "listen_events", "--create-partitions", "1"]
    assert "%" in call_on_terminal(*replay, "--rate", "200", **variables(settings))
    for shown in (True, False):
        with Fake() as store:
            # A bar is drawn five times a second.
            store.tell("delay 200")
            into = variables({**settings, **store.settings})
            if shown:
                assert "of 400 records" in call_on_terminal("run", "--exit-at-end", **into)
                assert "of 1 entries" in call_on_terminal("verify", **into)
                continue
            for arguments in (["run", "--exit-at-end"], ["verify"]):
                ended = call(*arguments, **into)
                assert ended.returncode == 0, ended.stderr
                assert "records, " not in ended.stderr and "entries, " not in ended.stderr, ended.stderr


def test_the_bill_of_materials_names_what_is_shipped_and_nothing_else():
    made = subprocess.run(["python3", ROOT / "scripts" / "sbom.py"], capture_output=True, text=True, check=True)
    bill = json.loads(made.stdout)
    components = {component["name"]: component for component in bill["components"]}
    assert {"rdkafka", "actix-web", "arrow2"} <= set(components)
    assert not {"proptest", "criterion", "tempfile"} & set(components), "what only tests need"
    assert not {"anstyle-wincon", "windows-sys"} & set(components), "what only another platform needs"
    for component in bill["components"]:
        assert component["hashes"] and component["licenses"], component
    refs = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    for dependency in bill["dependencies"]:
        assert dependency["ref"] in refs and set(dependency["dependsOn"]) <= refs, dependency
