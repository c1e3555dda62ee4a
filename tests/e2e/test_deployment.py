"""A deployment on one machine: the engine from its image with the production configuration as it is, a broker with TLS and SCRAM,
Google Cloud Storage by its own name over TLS with the metadata server's tokens, Prometheus with the production rules, and dbt."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

import duckdb
import pytest

import bucket
import image
import truth
from harness import ROOT, Process, SecureBroker, free_ports, replay, variables, wait_until

LISTENS, AUTHS = 20_000, 2_000
GOOGLE = "storage.googleapis.com"
#: An address of this machine on which nobody listens at 443.
ADDRESS = "127.0.0.43"


@pytest.fixture
def secure_broker(tmp_path):
    with SecureBroker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def google(tmp_path):
    """Cloud Storage at its own name: TLS with an authority of the test's, in front of the fake. Gives (authority, metadata host, fake)."""
    folder = tmp_path / "google"
    folder.mkdir()
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority -keyout ca.key -out ca.pem && "
        f"openssl req -newkey rsa:2048 -nodes -subj /CN={GOOGLE} -keyout key.pem -out request.pem && "
        f"openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out certificate.pem "
        f"-extfile <(echo subjectAltName=DNS:{GOOGLE})"
    )
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    with bucket.Fake("127.0.0.1:0", "0", "0", "tokens") as fake:
        metadata = fake.line()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        listener = socket.create_server((ADDRESS, 443))
        threading.Thread(target=terminate_tls, args=(listener, context, fake.endpoint), daemon=True).start()
        yield folder / "ca.pem", metadata, fake.endpoint
        listener.close()


def terminate_tls(listener, context, endpoint):
    """Passes what comes by TLS on to the fake, until the listener is closed."""
    host, port = endpoint.removeprefix("http://").split(":")

    def pump(source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            client, server = context.wrap_socket(plain, server_side=True), socket.create_connection((host, int(port)))
        except OSError:
            plain.close()
            continue
        for pair in ((client, server), (server, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def allow(broker):
    """What docs/setup/kafka.md grants the engine, by its own commands, and sending for the test."""
    text = (ROOT / "docs" / "setup" / "kafka.md").read_text()
    topic, group = re.findall(r"kafka-acls.sh .* --add --allow-principal User:beatlytica (.*)", text)
    for name in re.search(r"for topic in (.*); do", text)[1].split():
        broker.allow(*topic.replace("$topic", name).split())
    broker.allow(*group.split())
    broker.allow("--cluster", "--operation", "IdempotentWrite", "--operation", "Create")
    broker.allow("--operation", "Write", "--topic", "*")


class Prometheus:
    """Prometheus with infra/prometheus as it is but for the ports."""

    def __init__(self, folder, engine_port):
        programs = subprocess.run([str(ROOT / "scripts" / "prometheus.sh"), "bin"], check=True, capture_output=True, text=True)
        port, nowhere = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        shutil.copytree(ROOT / "infra" / "prometheus", folder)
        config = folder / "prometheus.yml"
        text = config.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{engine_port}")
        text = text.replace("127.0.0.1:9090", f"127.0.0.1:{port}").replace("127.0.0.1:9093", f"127.0.0.1:{nowhere}")
        config.write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s").replace("evaluation_interval: 15s", "evaluation_interval: 1s"))
        arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        self.process = Process(arguments, {}, folder / "prometheus.log", program=f"{programs.stdout.strip()}/prometheus")

    def ask(self, path):
        """The answer's data, or None while there is none."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None


def test_the_whole_chain_with_the_production_configuration(secure_broker, google, tmp_path):
    truth.data_folder()
    authority, metadata, endpoint = google
    image.build()
    allow(secure_broker)
    parts = truth.input_parts(tmp_path, listen_events=LISTENS, auth_events=AUTHS)
    replay(secure_broker, tmp_path, parts, 2)

    # Certificates of both authorities, readable to the image's user, as a volume would bring them.
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    tmp_path.chmod(0o755)
    shutil.copy(secure_broker.secrets / "ca.pem", mounted / "kafka-ca.pem")
    shutil.copy(authority, mounted / "google-ca.pem")
    for certificate in mounted.iterdir():
        certificate.chmod(0o644)
    port = free_ports(1)[0]
    environment = {
        **variables({
            **secure_broker.sign_in,
            "kafka.brokers": secure_broker.address,
            "kafka.ssl_ca_location": "/mounted/kafka-ca.pem",
            "lake.url": "gs://fake-bucket/music",
            "lake.upload_interval": "5s",
            "http.listen": f"127.0.0.1:{port}",
        }),
        "GCE_METADATA_HOST": metadata,
        "SSL_CERT_FILE": "/mounted/google-ca.pem",
    }
    config = ["--config", "/etc/beatlytica/production.toml"]
    with image.Container("--add-host", f"{GOOGLE}:{ADDRESS}") as container:
        mount = ("-v", f"{mounted}:/mounted:ro")
        command = lambda name, *arguments: container.start([*arguments, *config], environment, tmp_path / f"{name}.log", *mount)
        with command("run", "run") as engine:
            def healthy():
                assert engine.poll() is None, engine.tail()
                return command("health", "health", "--ready").wait(30).code == 0

            wait_until(healthy, "the health check", 60, every=0.5)
            if prometheus_is_there():
                watch(Prometheus(tmp_path / "prometheus", port))
            wait_until(lambda: receipted(port) == LISTENS + AUTHS, f"{LISTENS + AUTHS} receipted records", 90)
            assert image.stop(engine).code == 0, engine.tail()
            log = (tmp_path / "run.log").read_text()
        for secret in (secure_broker.secrets.glob("*.password")):
            assert secret.read_text().strip() not in log
        assert "token-1" not in log
        assert "may not read the topic's settings" not in log
        verified = command("verify", "verify", "--kafka").wait(120)
        printed = (tmp_path / "verify.log").read_text()
        assert verified.code == 0, printed
        assert f"{LISTENS + AUTHS} rows" in printed, printed

    # Who carries no token of the metadata server gets nothing.
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{endpoint}/storage/v1/b/fake-bucket/o", timeout=5)
    bucket.copy(endpoint, "music/", tmp_path / "lake", token(metadata))
    build_marts(tmp_path / "lake", tmp_path / "charts_of_music.duckdb")


def token(metadata):
    """What the metadata server gives the engine, too."""
    service = "computeMetadata/v1/instance/service-accounts/default/token"
    asked = urllib.request.Request(f"http://{metadata}/{service}", headers={"Metadata-Flavor": "Google"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        return json.load(answer)["access_token"]


def build_marts(lake, marts):
    """dbt builds and tests every model; among its tests are that rows are the ledger's and counts a recount's."""
    dbt = ROOT / ".cache" / "dbt-venv" / "bin" / "dbt"
    environment = {**os.environ, "LAKE": str(lake), "MARTS": str(marts), "DBT": str(dbt)}
    built = subprocess.run([ROOT / "scripts" / "marts.sh"], env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-1000:]
    with duckdb.connect(str(marts), read_only=True) as db:
        streams, charted = db.execute(
            "select (select count(*) from core.fact_streams), (select count(*) from marts.chart_weekly)"
        ).fetchone()
    assert LISTENS * 0.99 < streams <= LISTENS and charted


def receipted(port):
    """Records in receipted ranges, as the engine's own status tells."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=5) as answer:
            status = json.load(answer)
    except OSError:
        return None
    return sum(partition.get("head") or 0 for partition in status["partitions"])


def prometheus_is_there():
    return (ROOT / "scripts" / "prometheus.sh").exists() and (ROOT / "infra" / "prometheus" / "prometheus.yml").exists()


def watch(prometheus):
    """The engine is scraped, every rule can be evaluated, and none says that it is down."""
    with prometheus.process:
        up = lambda: (prometheus.ask("query?query=up%7Bjob%3D%22beatlytica%22%7D") or {}).get("result") or []
        wait_until(lambda: any(each["value"][1] == "1" for each in up()), "a scrape", 60)
        evaluated = lambda: [rule for group in (prometheus.ask("rules") or {"groups": []})["groups"] for rule in group["rules"]]
        rules = wait_until(lambda: [r for r in evaluated() if r["health"] != "unknown"] == evaluated() and evaluated(), "the rules", 60)
        assert rules and all(rule["health"] == "ok" for rule in rules), rules
        firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
        assert not firing, firing
