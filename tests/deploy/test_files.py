"""Compose files, Kubernetes manifests and scripts, checked by the tools that read them."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from conftest import COMPOSE, ROOT

LOOPBACK = re.compile(r"127\.0\.0\.1:\d+")


def test_compose_holds_to_the_specification(project, tmp_path):
    assert project(COMPOSE, ROOT / "infra" / "compose.build.yaml").returncode == 0
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("mem_limit: 512m", "memlimit: 512m", 1))
    assert "memlimit" in project(broken).stderr
    assert "run make up" in project(COMPOSE, DATA="").stderr


def test_every_service_is_pinned_limited_and_watched(services):
    assert {"redpanda", "kafka", "engine", "simulator", "prometheus", "alertmanager", "grafana", "airflow", "eventsim"} <= services.keys()
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert tag and tag != "latest", f"{name}: {service['image']} names no version"
        assert int(service["mem_limit"]) > 0 and service["cpus"] > 0, f"{name} has no limits"
        one_shot = service["restart"] == "on-failure"
        assert one_shot or service["healthcheck"].get("disable") or service["healthcheck"]["test"], f"{name} has no health check"
        assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"], name


def test_everything_listens_on_loopback(services):
    """All share the machine's network: what listened elsewhere would be reachable from it."""
    for name, service in services.items():
        assert service["network_mode"] == "host" and not service.get("ports"), name
        assert "0.0.0.0" not in json.dumps(service), name
    assert services["engine"]["environment"]["BEATLYTICA__HTTP__LISTEN"] == "127.0.0.1:8080"
    for name in ("prometheus", "prometheus-google", "alertmanager", "node-exporter"):
        address = [part for part in services[name]["command"] if part.startswith("--web.listen-address=")]
        assert LOOPBACK.search(address[0]), name
    # What is not said listens everywhere.
    for flag in ("kafka", "rpc", "pandaproxy", "schema-registry"):
        [addresses] = [part for part in services["redpanda"]["command"] if part.startswith(f"--{flag}-addr=")]
        assert all(LOOPBACK.fullmatch(address.rpartition("/")[2]) for address in addresses.partition("=")[2].split(",")), addresses
    host, port = re.search(r"admin\.hosts=(.*):(\d+)", services["redpanda"]["healthcheck"]["test"][-1]).groups()
    assert yaml.safe_load(redpanda_sets(services)["redpanda.admin"]) == [{"address": host, "port": int(port)}]


def redpanda_sets(services):
    """What --set says to rpk, which reads each value as YAML."""
    command = services["redpanda"]["command"]
    return dict(command[number + 1].split("=", 1) for number, part in enumerate(command) if part == "--set")


def test_redpanda_keeps_what_it_has_confirmed(services):
    """It is the only broker, and its mode is made for tests: without fsync, and until the disk is full."""
    sets = redpanda_sets(services)
    assert "--unsafe-bypass-fsync=false" in services["redpanda"]["command"]
    assert sets["redpanda.write_caching_default"] == "false" and int(sets["redpanda.storage_min_free_bytes"]) >= 2**30


def ports_of(services):
    """Where each service listens."""
    ports = {
        name: set(LOOPBACK.findall(json.dumps(services[name].get("command") or "")))
        for name in ("redpanda", "prometheus", "alertmanager", "node-exporter")
    }
    [admin] = yaml.safe_load(redpanda_sets(services)["redpanda.admin"])
    ports["redpanda"].add(f"{admin['address']}:{admin['port']}")
    ports["kafka"] = set(LOOPBACK.findall(services["kafka"]["environment"]["KAFKA_LISTENERS"]))
    return ports | {"engine": {"127.0.0.1:8080"}, "grafana": {"127.0.0.1:3000"}, "airflow": {"127.0.0.1:8081"}}


def test_no_two_services_take_one_port(services):
    ports = ports_of(services)
    for one in ports:
        for other in ports:
            if one < other and {one, other} != {"kafka", "redpanda"}:
                assert not ports[one] & ports[other], (one, other)


def test_what_is_to_be_kept_lies_in_a_volume(services):
    """Elsewhere it would be gone with the container, as at each change of its settings."""
    def flag(name, text):
        return next(part for part in services[name]["command"] if part.startswith(text)).removeprefix(text)

    image = lambda name, variable: re.search(rf"{variable}=(\S+)", (ROOT / "infra" / f"{name}.Dockerfile").read_text())[1]
    folders = {
        "kafka": services["kafka"]["environment"]["KAFKA_LOG_DIRS"],
        "redpanda": "/var/lib/redpanda/data",  # what its image is made for
        "prometheus": flag("prometheus", "--storage.tsdb.path="),
        "prometheus-google": flag("prometheus-google", "--storage.tsdb.path="),
        "alertmanager": flag("alertmanager", "--storage.path="),
        "grafana": image("grafana", "GF_PATHS_DATA"),
        "airflow": image("airflow", "AIRFLOW_HOME"),
        "engine": services["engine"]["environment"]["BEATLYTICA__LAKE__URL"].removeprefix("file://"),
    }
    for name, folder in folders.items():
        mounted = [pathlib.PurePath(volume["target"]) for volume in services[name]["volumes"] if not volume.get("read_only")]
        assert any(pathlib.PurePath(folder).is_relative_to(each) for each in mounted), f"{name}: {folder} is not in {mounted}"


def test_airflow_may_read_the_lake_that_the_engine_writes(services):
    """An empty volume takes owner and rights of the image's folder, and Airflow has no right to read what is not its own."""
    made = re.search(r'install -d -m (\d+) -o (\d+) -g (\d+) "\$root/lake"', (ROOT / "infra" / "image" / "root.sh").read_text())
    mode, owner, group = int(made[1], 8), made[2], made[3]
    engine = re.search(r"^USER (\d+):(\d+)$", (ROOT / "infra" / "Dockerfile").read_text(), re.MULTILINE)
    assert (owner, group) == engine.groups()
    assert mode & 0o050 == 0o050 and group in services["airflow"]["group_add"]


def test_airflow_is_given_the_alert_channel(project):
    """Where there is none the variable is none either: Airflow would take an empty one for a connection."""
    def given(**variables):
        return json.loads(project(COMPOSE, **variables).stdout)["services"]["airflow"]["environment"].get("AIRFLOW_CONN_BEATLYTICA_ALERTS")

    channel = '{"conn_type": "http", "host": "https://hooks.example/$1"}'
    assert given(AIRFLOW_CONN_BEATLYTICA_ALERTS=channel) == channel
    assert given() is None


def test_the_engine_drains_before_it_is_killed(services):
    assert services["engine"]["stop_grace_period"] == "1m0s"


def test_the_engine_understands_its_settings(services, tmp_path):
    """Every variable is a setting of the program's; needs the program (BEATLYTICA_BIN)."""
    program = os.environ.get("BEATLYTICA_BIN", str(ROOT / "target" / "debug" / "beatlytica"))
    production = ["--config", str(ROOT / "config" / "production.toml")]
    for name, arguments in (("engine", production), ("simulator", [])):
        ended = subprocess.run(
            [program, "config", "check", *arguments],
            env={"BEATLYTICA__KAFKA__SASL_USERNAME": "u", "BEATLYTICA__KAFKA__SASL_PASSWORD": "p", **services[name]["environment"]},
            capture_output=True, text=True,
        )
        assert ended.returncode == 0, (name, ended.stderr)


def test_grafana_is_told_what_its_provisioning_asks_for(project):
    text = "".join(path.read_text() for path in (ROOT / "infra" / "grafana" / "provisioning").rglob("*.yml"))
    asked = set(re.findall(r"^[^#]*\$(\w+)", text, re.MULTILINE))
    given = json.loads(project(COMPOSE, GOOGLE_CLOUD_PROJECT="some-project").stdout)["services"]["grafana"]["environment"]
    assert asked == {"BIGQUERY_PROJECT"} and given["BIGQUERY_PROJECT"] == "some-project"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_secrets_on_this_machine_are_for_its_user_and_the_containers(tmp_path, umask):
    """Docker mounts the files themselves, for users of the images: the folder keeps everybody else out."""
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    data = tmp_path / "data"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "DATA": str(data)}
    subprocess.run([ROOT / "scripts" / "compose.sh", "up"], check=True, capture_output=True, env=environment, umask=umask)
    assert (data / "secrets").stat().st_mode & 0o777 == 0o700
    secrets = list((data / "secrets").iterdir())
    assert len(secrets) == 2 and all(path.stat().st_mode & 0o777 == 0o644 and path.stat().st_size > 20 for path in secrets)


def missing(paths):
    """Nothing is missing in CI; elsewhere a part of the checkout will do, and what is missing is said."""
    absent = sorted({str(path) for path in paths if not path.exists()})
    assert not (absent and os.environ.get("CI")), absent
    if absent:
        pytest.skip(f"not in this checkout: {', '.join(absent)}")


def test_what_compose_mounts_is_there(services):
    volumes = [volume for service in services.values() for volume in service.get("volumes") or [] if volume["type"] == "bind"]
    missing(path for path in map(pathlib.Path, (volume["source"] for volume in volumes)) if path.is_relative_to(ROOT))


def test_what_the_images_copy_is_there():
    files = [ROOT / "infra" / "Dockerfile", *(ROOT / "infra").glob("*.Dockerfile")]
    lines = [line.split()[1:-1] for file in files for line in file.read_text().splitlines() if re.match(r"COPY (?!--from)", line)]
    sources = {source for line in lines for source in line if not source.startswith("--")} - {"dist/"}
    assert {"src", "dashboards", "infra/airflow/requirements.txt"} <= sources
    missing(ROOT / source for source in sources)


def test_no_image_gets_what_git_ignores():
    """A tag says what is in git; marts of this machine are nobody else's."""
    text = lambda name: [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    rules = text(".dockerignore")
    let_in = {rule[1:] for rule in rules if rule.startswith("!")} - {"dist"}  # the program, for an image around an existing build
    ignored = [line.strip("/") for line in text(".gitignore")]
    kept_out = [rule.removeprefix("**/") for rule in rules[1:] if not rule.startswith("!")]
    assert rules[0] == "*" and rules[-len(kept_out) :] == [rule for rule in rules[1:] if not rule.startswith("!")], "the last rule that fits counts"
    within = [each for each in ignored if each.partition("/")[0] in let_in or each == "__pycache__"]
    assert len(within) > 3 and set(within) <= set(kept_out)


def test_the_unit_starts_without_secrets():
    """With a credential whose file is missing systemd would not start it."""
    unit = (ROOT / "infra" / "systemd" / "beatlytica.service").read_text()
    assert "\n#LoadCredential=" in unit and "\nLoadCredential=" not in unit


def test_the_same_rights_on_kafka_are_said_everywhere():
    operations = (ROOT / "docs" / "operations.md").read_text()
    commands = re.findall(r"kafka-acls.sh .* User:beatlytica (.*)", (ROOT / "docs" / "setup" / "kafka.md").read_text())
    broker = (ROOT / "terraform" / "modules" / "broker" / "main.tf").read_text()
    said = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (?:each of the four topics|the group `kafka.group_id`) \| (.*?) \|", operations, re.MULTILINE)]
    granted = [re.findall(r'"(\w+)"', operations) for operations in re.findall(r"for operation in (\[.*?\]) : \{ principal = var.engine_principal", broker)]
    assert [re.findall(r"--operation (\w+)", command) for command in commands] == said
    assert granted == [[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper() for operation in row] for row in said]


def test_who_deploys_may_do_what_terraform_does():
    """Editor neither sets a policy on anything nor makes roles, APIs or secrets."""
    kinds = set(re.findall(r'^resource "(google_\w+)"', "".join(path.read_text() for path in (ROOT / "terraform").rglob("*.tf")), re.MULTILINE))
    needed = {
        "google_project_iam_custom_role": "Role Administrator", "google_project_service": "Service Usage Admin",
        "google_secret_manager_secret": "Secret Manager Admin",
    } | {kind: "Security Admin" for kind in kinds if re.search(r"_iam_(member|binding|policy)$", kind)}
    assert len(needed.keys() & kinds) == len(needed) > 3
    documented = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "setup" / "gcp.md").read_text().split("## Who may do what")[1], re.MULTILINE)
    assert set(needed.values()) <= set(documented)


def test_whoever_opens_an_epoch_is_told_to_restart_the_engine():
    """What it refused it goes on refusing."""
    for name in ("operations.md", "runbooks/BeatlyticaPartitionRefused.md", "setup/debugging.md"):
        text = (ROOT / "docs" / name).read_text()
        recipes = [text[found.end() : found.end() + 300] for found in re.finditer("epoch open --topic", text)]
        assert recipes and all(re.search("restart|step 6", recipe, re.IGNORECASE) for recipe in recipes), name


#: Who encrypts what is made, as Google names its service agents.
AGENTS = {
    "google_storage_bucket": "gs-project-accounts", "google_bigquery_dataset": "bigquery-encryption", "google_compute_disk": "compute-system",
    "google_artifact_registry_repository": "gcp-sa-artifactregistry", "google_secret_manager_secret": "gcp-sa-secretmanager",
    "google_container_cluster": "container-engine-robot", "google_managed_kafka_cluster": "gcp-sa-managedkafka",
    "google_composer_environment": "cloudcomposer-accounts", "google_compute_instance": "compute-system",
}


def test_every_agent_that_encrypts_is_given_the_key():
    blocks = [block for path in (ROOT / "terraform").rglob("*.tf") for block in re.split(r"^(?=\w+ \")", path.read_text(), flags=re.MULTILINE)]
    encrypted = {re.match(r'resource "(\w+)"', block)[1] for block in blocks if block.startswith("resource ") and "var.kms_key" in block}
    assert encrypted == AGENTS.keys()
    given = re.findall(r"@([\w-]+)", (ROOT / "docs" / "setup" / "gcp.md").read_text().split("## Your own encryption key")[1])
    assert set(AGENTS.values()) <= set(given)


def manifests():
    for path in sorted((ROOT / "infra" / "k8s").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for document in yaml.safe_load_all(path.read_text()):
                yield pytest.param(document, id=f"{document['kind']}-{document['metadata']['name']}")


@pytest.mark.parametrize("manifest", list(manifests()))
def test_kubernetes_knows_the_manifests(manifest):
    if manifest["apiVersion"].startswith("monitoring.googleapis.com"):
        assert manifest["spec"]["endpoints"][0]["path"] == "/metrics"  # Google's own kind: no schema is published
        return
    kubernetes_validate.validate(manifest, "1.33", strict=True)


def test_a_misspelt_manifest_is_refused():
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"selectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, "1.33", strict=True)


def test_pods_have_no_rights_beyond_need():
    documents = list(yaml.safe_load_all((ROOT / "infra" / "k8s" / "engine.yaml").read_text()))
    pod = next(each for each in documents if each["kind"] == "StatefulSet")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"] is True
    assert pod["terminationGracePeriodSeconds"] > 25
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"] and security["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"] and container["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_git_ignores_the_settings_that_it_is_said_to():
    said = re.search(r"`(terraform/\S+)` \(git ignores it\)", (ROOT / "docs" / "setup" / "terraform.md").read_text())[1]
    for profile in ("small", "scale"):
        subprocess.run(["git", "-C", str(ROOT), "check-ignore", "--quiet", said.replace("small", profile)], check=True)


@pytest.mark.parametrize("command", ["bin", "check", "fetch"])
def test_a_download_of_prometheus_that_fails_is_a_failure_and_done_again(tmp_path, command):
    script = tmp_path / "scripts" / "prometheus.sh"
    script.parent.mkdir()
    shutil.copy(ROOT / "scripts" / "prometheus.sh", script)
    for name, code in (("apt-cache", 0), ("apt-get", 1)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    ended = subprocess.run([script, command], capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert ended.returncode != 0 and not (tmp_path / ".cache" / "prometheus" / ".complete").exists(), ended.stderr


def test_scripts_are_clean():
    scripts = [str(path) for folder in ("scripts", "infra", "terraform") for path in sorted((ROOT / folder).rglob("*.sh"))]
    ended = subprocess.run(["shellcheck", "-x", *scripts], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def test_dockerfiles_are_clean():
    files = [str(path) for path in [ROOT / "infra" / "Dockerfile", *sorted((ROOT / "infra").glob("*.Dockerfile"))]]
    # DL3008, DL3018: a pinned Debian or Alpine package vanishes with its next security update. DL3042: PIP_NO_CACHE_DIR is set.
    ended = subprocess.run(["hadolint", "--ignore", "DL3008", "--ignore", "DL3018", "--ignore", "DL3042", *files], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
