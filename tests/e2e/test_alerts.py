"""Rules, runbooks and metrics fit each other; real faults make alerts fire and end."""

import re
import signal
import subprocess

import pytest

from harness import ROOT, wait_until
from observing import INFRA, Load, Watch, alerts, programs, rules

RUNBOOKS = ROOT / "docs" / "runbooks"
HEADINGS = ["What it means", "How to see it", "What to do", "How to be sure"]


def test_promtool_and_amtool_find_nothing():
    checked = subprocess.run([ROOT / "scripts" / "prometheus.sh", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tested_and_has_its_runbook():
    tests = "".join(path.read_text() for path in (INFRA / "prometheus" / "tests").glob("*.yml"))
    for name, alert in alerts().items():
        assert f'alertname="{name}"' in tests, f"{name} has no unit test"
        assert alert["labels"]["severity"] in ("critical", "warning"), name
        assert alert["annotations"]["summary"], name
        assert alert["annotations"]["runbook_url"] == "{{ $externalLabels.docs }}/runbooks/" + f"{name}.md", name
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS, name
    drilled = re.findall(r"^\| \[(\w+)\]", (ROOT / "docs" / "alert-drill.md").read_text(), re.MULTILINE)
    assert drilled == sorted(alerts()), "an alert that `make alert-drill` has not made fire"
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(alerts()), "a runbook without an alert"


def known_metrics():
    """Names that the code has, as docs/metrics.md (which a test keeps true) lists them."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    names = {name for name, _ in rows} | exported_metrics()
    return names | {name + end for name, kind in rows if kind == "histogram" for end in ("_bucket", "_sum", "_count")}


def exported_metrics():
    """Names that the marts' own script exports; no engine serves them."""
    script = (ROOT / "dbt" / "scripts" / "export_metrics.py").read_text()
    return set(re.findall(r'"(beatlytica_\w+)"', script))


def named_metrics(text):
    return set(re.findall(r"\b(?:beatlytica|process)_\w+", text))


def test_every_metric_in_rules_and_runbooks_exists():
    recorded = {rule["record"].split(":")[1] for rule in rules() if "record" in rule}
    known = known_metrics() | recorded
    for rule in rules():
        named = named_metrics(rule["expr"])
        assert named or "up{" in rule["expr"], rule
        assert named <= known, f"{rule} names {named - known}"
    for path in RUNBOOKS.glob("*.md"):
        assert named_metrics(path.read_text()) <= known, f"{path.name} names {named_metrics(path.read_text()) - known}"


def test_links_in_the_documents_lead_somewhere():
    for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.relative_to(ROOT)} links to {link}"


#: Short times, so that a fault shows within seconds.
QUICK = {
    "lake__upload_interval": "1s", "lake__snapshot_interval": "5s", "windows__idle_after": "2s",
    "kafka__request_timeout": "5s", "gcs__deadline": "2s",
}


@pytest.fixture
def watched(broker, engine, tmp_path):
    """An engine under load, and Prometheus and Alertmanager beside it."""
    engine = engine(broker, "watched", **QUICK)
    with Load(broker, tmp_path / "load"), engine.start("run") as process:
        wait_until(lambda: engine.entries() > 8, "uploads", 60)
        with Watch(tmp_path / "watch", [f"127.0.0.1:{engine.port}"]) as watch:
            wait_until(lambda: watch.query("up == 1") and not watch.firing(), "quiet")
            yield engine, process, watch


#: Served later than a test waits, or not on a local lake.
RARE = {"beatlytica_store_token_end_timestamp_seconds", "beatlytica_partition_complete_timestamp_seconds"}


def test_metrics_are_well_formed_and_complete(watched):
    engine, _, watch = watched
    families = {name for name in known_metrics() if not name.endswith(("_bucket", "_sum", "_count"))}
    families -= RARE | exported_metrics()
    text, served = "", set()

    def all_served():
        nonlocal text, served
        text = engine.metrics()
        served = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
        return families <= served

    wait_until(all_served, "every metric", 40)
    assert served <= families | RARE
    checked = subprocess.run([programs() / "promtool", "check", "metrics"], input=text.encode(), capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # A minute of the rules is a second here: what the machine itself held up passes.
    wait_until(lambda: not watch.firing(), "quiet", 60)


def test_a_dead_engine_pages_and_the_page_is_taken_back(watched):
    engine, process, watch = watched
    process.send(signal.SIGKILL)
    watch.fires("BeatlyticaDown")
    wait_until(lambda: "BeatlyticaDown" in watch.hook.heard("/page", "firing"), "the page")
    with engine.start("run"):
        watch.ends("BeatlyticaDown")
        wait_until(lambda: "BeatlyticaDown" in watch.hook.heard("/page", "resolved"), "the page to be taken back")
