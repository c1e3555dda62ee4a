"""TLS with SCRAM and ACLs on Kafka's side, TLS and a token on HTTP's, secrets that nobody sees, personal data that is hidden."""

import base64
import json
import pathlib
import re
import ssl
import subprocess
import urllib.error
import urllib.request

import truth
from harness import ROOT, Engine, SecureBroker, TokenBroker, replay, wait_until
from observing import event, records
from tables import TABLES

TOKEN = "a-token-of-some-length"


def acls():
    """What docs/operations.md says that the engine's user needs on Kafka."""
    text = (ROOT / "docs" / "operations.md").read_text()
    topics = re.search(r"^\| each of the four topics \| (.*?) \|", text, re.MULTILINE)[1]
    group = re.search(r"^\| the group `kafka.group_id` \| (.*?) \|", text, re.MULTILINE)[1]
    return re.findall(r"`(\w+)`", topics), re.findall(r"`(\w+)`", group)


def operations(names):
    return [part for name in names for part in ("--operation", name)]


def test_tls_scram_and_exactly_the_documented_rights_are_enough(tmp_path):
    with SecureBroker(tmp_path / "kafka") as broker:
        files = records(tmp_path)
        broker.allow("--operation", "Create", "--cluster")
        all_topics = [part for table in TABLES for part in ("--topic", table)]
        broker.allow("--operation", "Write", *all_topics)
        replay(broker, tmp_path, files, 2)
        engine = Engine(broker, tmp_path / "engine", kafka__request_timeout="5s", windows__idle_after="1s")
        # The password comes from a file, so neither the environment nor the arguments show it.
        del engine.environment["BEATLYTICA__KAFKA__SASL_PASSWORD"]
        engine.environment["BEATLYTICA__KAFKA__SASL_PASSWORD_FILE"] = str(broker.secrets / "beatlytica.password")
        denied = engine.start("run", "--exit-at-end").wait(60)
        assert denied.code == 1, "the user may not read yet"
        topics, group = acls()
        broker.allow(*operations(topics), *all_topics)
        broker.allow(*operations(group), "--group", "e2e-engine")
        engine.start("run", "--exit-at-end").succeed(120)
        engine.verify("--kafka")
        # They are enough to see that a topic is no log that one can count on.
        broker.delete_topic("auth_events")
        broker.tool("tools.TopicCommand", "--create", "--topic", "auth_events", "--partitions", "1", "--config", "cleanup.policy=compact")
        compacted = Engine(broker, tmp_path / "compacted", kafka__group_id="e2e-engine", kafka__request_timeout="5s")
        refused = compacted.start("run", "--exit-at-end")
        assert refused.wait(60).code == 1 and "cleanup.policy" in refused.tail(), refused.tail()
        wrong = Engine(broker, tmp_path / "wrong", kafka__request_timeout="5s", kafka__sasl_password="wrong")
        refused = wrong.start("run", "--exit-at-end")
        assert refused.wait(60).code == 1
        assert "refused the sign-in" in refused.tail(), refused.tail()
        untrusted = Engine(broker, tmp_path / "untrusted", kafka__request_timeout="5s", kafka__ssl_ca_location="")
        distrusting = untrusted.start("run", "--exit-at-end")
        assert distrusting.wait(60).code == 1 and "TLS with it failed" in distrusting.tail(), distrusting.tail()
        secret = (broker.secrets / "beatlytica.password").read_text().strip()
        for log in tmp_path.glob("*/*.log"):
            assert secret not in log.read_text(), log


def test_tokens_are_read_from_a_file_and_read_again_when_they_run_out(tmp_path):
    with TokenBroker(tmp_path / "kafka") as broker:
        listens = {"listen_events": records(tmp_path)["listen_events"]}
        replay(broker, tmp_path, listens, 1)
        broker.issue(15)
        engine = Engine(broker, tmp_path / "engine", kafka__request_timeout="5s", lake__upload_interval="1s", windows__idle_after="1s")
        refusals = lambda: engine.metrics().split('kafka_client_errors_total{kind="authentication"} ')[1].split("\n")[0]
        with engine.start("run") as process:
            wait_until(lambda: engine.entries() >= 2, "uploads", 60)
            assert refusals() == "0"
            # Four fifths through its life the token is read again; what is there then has run out.
            wait_until(lambda: refusals() != "0" or process.poll(), "a token that has run out to be noticed", 30)
            assert not process.poll(), process.tail()
            broker.issue(300)
            replay(broker, tmp_path, listens, 1)
            entries = engine.entries()
            wait_until(lambda: engine.entries() > entries, "uploads with the new token", 60)
        engine.verify("--kafka")
        broker.token.write_text("mangled")
        refused = engine.start("run")
        assert refused.wait(30).code == 1
        assert "does not hold a JSON Web Token" in refused.tail() and "mangled" not in refused.tail(), refused.tail()


def certify(chain, key):
    """Writes a self-signed certificate for 127.0.0.1 and its key; answers with what trusts it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=beatlytica",
         "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )
    return ssl.create_default_context(cafile=chain)


def test_http_speaks_tls_and_asks_for_the_token(broker, tmp_path):
    chain, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    trusted = certify(chain, key)
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    engine = Engine(broker, tmp_path / "engine", http__token_file=token, http__tls_certificate_file=chain, http__tls_key_file=key)
    url = f"https://127.0.0.1:{engine.port}"

    def status(path, **headers):
        try:
            request = urllib.request.Request(url + path, headers=headers)
            return urllib.request.urlopen(request, timeout=10, context=trusted).status
        except urllib.error.HTTPError as error:
            return error.code

    with engine.start("run") as process:
        def up():
            try:
                return status("/livez") == 200
            except OSError:
                return False

        wait_until(up, "TLS", 30)
        basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
        for path in ("/metrics", "/api/v1/status", "/none"):
            assert status(path) == 401
            assert status(path, Authorization=f"Bearer {TOKEN}x") == 401
            assert status(path, Authorization="Basic !") == 401
        assert status("/metrics", Authorization=f"Bearer {TOKEN}") == 200
        assert status("/metrics", Authorization=f"Basic {basic}") == 200
        for command, printed in (("health", ""), ("status", "state")):
            asked = subprocess.run(
                [process.child.args[0], command], env=engine.environment, capture_output=True, text=True, timeout=30
            )
            assert asked.returncode == 0 and printed in asked.stdout, f"{command}: {asked.stderr}"
        before = trusted
        trusted = certify(chain, key)
        wait_until(up, "the new certificate", 10)
        trusted = before
        assert not up(), "the certificate before is served no more"
        arguments = pathlib.Path(f"/proc/{process.child.pid}/cmdline").read_bytes()
        assert TOKEN.encode() not in arguments and TOKEN not in process.log.read_text()


def test_names_zip_and_user_agent_never_reach_the_lake(broker, tmp_path):
    personal = {"firstName": "Adalberta", "lastName": "Lovelacia", "zip": "98765", "userAgent": "\"Agent Nobody\""}

    def line(ts, number):
        whole = json.dumps({**json.loads(event(ts, number)), **personal})
        return whole if number % 10 else whole[:-1]

    replay(broker, tmp_path, records(tmp_path, line=line), 1)
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    found = {}
    for mode in ("hash", "drop"):
        engine = Engine(broker, tmp_path / mode, privacy__mode=mode, privacy__key_file=key, windows__idle_after="1s")
        engine.start("run", "--exit-at-end").succeed(120)
        engine.verify("--kafka")
        lake = f"{engine.lake}/lake/v1"
        found[mode] = truth.query(f"select distinct first_name, last_name, zip, user_agent from '{lake}/auth_events/**/*.parquet'")
        assert truth.query(f"select count(*), count(value) from '{lake}/_rejected/auth_events/**/*.parquet'") == [(20, 0)]
        for path in engine.lake.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not any(text.strip('"').encode() in content for text in personal.values()), path
    assert found["drop"] == [(None,) * 4]
    [row] = found["hash"]
    assert all(re.fullmatch(r"[0-9a-f]{32}", text) for text in row) and len(set(row)) == 4
