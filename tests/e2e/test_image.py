"""The image: small, without root or shell, and the engine in it works."""

import json
import stat
import urllib.request

import pytest

import image
import truth
from harness import free_ports, replay, variables, wait_until

CEILING = 40 * 10**6
LISTENS = 5_000


@pytest.fixture(scope="module", autouse=True)
def built():
    image.build()


def files(root):
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_it_is_small_and_has_nothing_but_the_engine():
    with image.Container() as container:
        found = files(container.root)
        assert sum(path.stat().st_size for path in found) < CEILING
        programs = {path.name for path in found if path.stat().st_mode & stat.S_IXUSR and ".so" not in path.name}
        assert programs == {"beatlytica"}
        config = container.config()
        assert config["User"] == "65532:65532"
        assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/beatlytica", "health"]
        assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
        components = json.loads((container.root / "usr/share/doc/beatlytica/sbom.cdx.json").read_text())["components"]
        names = {component["name"] for component in components}
        assert {"rdkafka", "actix", "libssl3", "libc6", "ca-certificates"} <= names
        assert all(component["version"] for component in components)


def test_the_engine_in_it_runs_and_passes_its_health_check(broker, engine, tmp_path):
    parts = truth.input_parts(tmp_path, listen_events=LISTENS)
    replay(broker, tmp_path, parts, 2)
    inside = engine(broker, "inside", lake__url="file:///lake", lake__upload_interval="2s")
    tmp_path.chmod(0o755)
    inside.lake.chmod(0o777)
    with image.Container() as container:
        mount = ("-v", f"{inside.lake}:/lake:rw")
        health = lambda log: container.start(["health", "--ready"], inside.environment, tmp_path / log, *mount).wait(30)
        assert health("before.log").code == 1
        assert "is the engine running there" in (tmp_path / "before.log").read_text()
        with container.start(["run"], inside.environment, tmp_path / "run.log", *mount) as process:
            wait_until(lambda: inside.get("/api/v1/status"), "the API")
            wait_until(lambda: health("ready.log").code == 0, "the health check", every=0.5)
            pid = image.engine_pid(process)
            uids = [line for line in open(f"/proc/{pid}/status") if line.startswith("Uid:")]
            assert uids[0].split()[1:] == ["65532"] * 4
            wait_until(lambda: list(inside.lake.glob("lake/v1/listen_events/**/*.parquet")), "the first object")
            assert image.stop(process).code == 0, process.tail()
        verified = container.start(["verify"], inside.environment, tmp_path / "verify.log", *mount).wait(60)
        assert verified.code == 0, (tmp_path / "verify.log").read_text()
        assert f"{LISTENS} rows" in (tmp_path / "verify.log").read_text()


def test_the_demo_in_it_runs_and_passes_its_health_check(tmp_path):
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    environment = variables({"http.listen": listen})
    data = tmp_path / "data"
    data.mkdir()
    tmp_path.chmod(0o755)
    data.chmod(0o777)
    with image.Container() as container:
        mount = ("-v", f"{data}:/data:rw")
        demo = ["demo", "--folder", "/data", "--listen", listen, "--history", "1h", "--users", "5000"]
        with container.start(demo, {}, tmp_path / "demo.log", *mount) as process:
            health = lambda: container.start(["health", "--ready"], environment, tmp_path / "health.log").wait(30)
            wait_until(lambda: health().code == 0, "the health check", every=0.5)
            songs = f"http://{listen}/api/v1/charts/songs?window=24h&limit=1"
            wait_until(lambda: json.load(urllib.request.urlopen(songs, timeout=10))["plays"], "a chart", every=0.5)
            assert image.stop(process).code == 0, process.tail()
        assert list(data.glob("lake/v1/listen_events/**/*.parquet"))
        assert ": 0 findings of damage" in (tmp_path / "demo.log").read_text()
