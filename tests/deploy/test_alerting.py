"""That what the rules are about is scraped, and that what fires reaches somebody, wherever the rules are evaluated."""

import pathlib
import re
import subprocess

import yaml

from conftest import COMPOSE, ROOT
from test_files import LOOPBACK, ports_of

RULES = ROOT / "infra" / "prometheus" / "rules"
#: What no engine serves: the script writes it for the node exporter.
MARTS = set(re.findall(r'"(beatlytica_\w+)"', (ROOT / "dbt" / "scripts" / "export_metrics.py").read_text()))


def read(*path):
    return yaml.safe_load((ROOT / "infra").joinpath(*path).read_text())


def groups(*names):
    return [group for name in names for group in read("prometheus", "rules", name)["groups"]]


def all_groups():
    return groups(*sorted(path.name for path in RULES.glob("*.yml")))


def metrics_of(rules):
    """Names of the metrics that rules are about, but for those that rules record."""
    text = "\n".join(rule["expr"] for group in rules for rule in group["rules"])
    return set(re.findall(r"(?<![\w:])((?:beatlytica|process)_\w+|up)\b(?!\s*\()", text))


def test_every_metric_of_the_rules_is_scraped_where_they_are_evaluated(services):
    jobs = {each["job_name"]: each["static_configs"][0]["targets"] for each in read("prometheus", "prometheus.yml")["scrape_configs"]}
    ports = ports_of(services)
    assert set(jobs["beatlytica"]) <= ports["engine"]
    assert metrics_of(all_groups()) & MARTS and set(jobs["marts"]) <= ports["node-exporter"]
    # The exporter looks into the folder that Airflow writes into, and runs where Airflow does: without figures it would be an alert.
    exporter, airflow = services["node-exporter"], services["airflow"]
    assert exporter["profiles"] == airflow["profiles"]
    written = pathlib.PurePath(airflow["environment"]["BEATLYTICA_METRICS_FILE"])
    assert written.suffix == ".prom"
    folders = {volume["target"]: volume["source"] for volume in airflow["volumes"]}
    [seen] = exporter["volumes"]
    assert f"--collector.textfile.directory={seen['target']}" in exporter["command"] and folders[str(written.parent)] == seen["source"]


def test_every_address_in_the_configurations_is_a_services(services):
    """An alert that is sent where nobody listens is heard by nobody."""
    owned = set.union(*ports_of(services).values())
    for path in (("prometheus", "prometheus.yml"), ("alertmanager", "alertmanager.yml")):
        named = set(LOOPBACK.findall(yaml.safe_dump(read(*path))))
        assert named <= owned, (path, named - owned)


def test_the_cluster_evaluates_the_same_rules(services):
    printed = subprocess.run([ROOT / "scripts" / "deploy" / "rules.sh"], check=True, capture_output=True, text=True).stdout
    made = yaml.safe_load(printed)
    assert (made["apiVersion"], made["kind"]) == ("monitoring.googleapis.com/v1", "Rules")
    assert made["spec"]["groups"] == groups("engine.yml", "slo.yml")
    left_out = [group for group in all_groups() if group not in made["spec"]["groups"]]
    assert metrics_of(left_out) <= MARTS | {"up"} and not metrics_of(made["spec"]["groups"]) & MARTS
    # A rule's selectors name the job, which managed Prometheus takes from the one who scrapes.
    scraping = read("k8s", "monitoring.yaml")
    assert (scraping["kind"], scraping["metadata"]["name"]) == ("PodMonitoring", "beatlytica")


def terraform(*path):
    return (ROOT / "terraform").joinpath(*path).read_text()


def test_what_fires_is_mailed(project):
    """The policies ask for the series ALERTS of this deployment, by severity; both profiles write it."""
    policy = re.search(r'resource "google_monitoring_alert_policy" "prometheus" \{\n  for_each = toset\((.*?)\)', terraform("modules", "observability", "main.tf"))
    severities = {rule["labels"]["severity"] for group in all_groups() for rule in group["rules"] if "alert" in rule}
    assert severities == set(yaml.safe_load(policy[1]))
    profiles = yaml.safe_load(re.search(r"profiles += concat\((\[.*?\])", terraform("environments", "small", "main.tf"))[1])
    made = yaml.safe_load(project(COMPOSE, NAME="music", GOOGLE_CLOUD_PROJECT="p", BIGQUERY_LOCATION="europe-west1").stdout)["services"]
    started = {name: service for name, service in made.items() if set(service.get("profiles") or []) & set(profiles)}
    assert {"prometheus-google", "alertmanager", "grafana", "redpanda", "engine"} <= started.keys()
    assert "prometheus" not in started
    assert started["prometheus-google"]["environment"]["EXTRA_ARGS"] == (
        '--export.match=\'{__name__="ALERTS",alertstate="firing"}\' --export.label.project-id=p '
        "--export.label.location=europe-west1 --export.label.cluster=music"
    )
    # The same settings, and data of its own: it is of an older version, which cannot read what the other has written.
    ours, theirs = ({volume["target"]: volume["source"] for volume in made[name]["volumes"]} for name in ("prometheus-google", "prometheus"))
    assert ours.pop("/prometheus") != theirs.pop("/prometheus") and ours == theirs
