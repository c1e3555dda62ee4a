"""The committed dashboards are what their scripts make, and every panel's query finds something."""

import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest
import yaml

from harness import ROOT, wait_until
from observing import Load, Watch, event, rules
from test_alerts import QUICK, RUNBOOKS, known_metrics, named_metrics

FOLDER = ROOT / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
DATASOURCES = yaml.safe_load((ROOT / "infra/grafana/provisioning/datasources/beatlytica.yml").read_text())["datasources"]
#: What Grafana puts in place of its variables. The tests' minutes take a second, so a rate needs a few of those.
VARIABLES = {
    "$__rate_interval": "10s", "$__range": "60s", "$instance": ".*", "$topic": ".*", "$partition": ".*",
    "$window": "1h", "${window}": "1h",
}


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def filled(text):
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return text


def queries(kind):
    """Each query of a type of data source: dashboard, panel, query."""
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                if (target.get("datasource") or panel["datasource"])["type"] == kind:
                    yield name, panel["title"], target


def test_the_committed_files_are_what_the_scripts_make():
    made = subprocess.run([sys.executable, FOLDER / "src" / "generate.py", "--check"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def test_grafanas_own_model_reads_every_file():
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    sys.path.insert(0, str(FOLDER / "src"))
    from generate import known

    for name, board in BOARDS.items():
        read = known(json.loads(JSONEncoder().encode(Dashboard.from_json(board))))
        assert read == board, f"{name} says something that Grafana's model does not know"


def test_every_panel_says_what_it_is():
    uids = {source["uid"] for source in DATASOURCES}
    for name, board in BOARDS.items():
        titles = [panel["title"] for panel in panels(board)]
        assert len(set(titles)) == len(titles), f"{name} has two panels of one title"
        for panel in panels(board):
            where = f"{name}: {panel['title']}"
            defaults = panel["fieldConfig"]["defaults"]
            assert panel["description"] and defaults["unit"] and defaults["noValue"], where
            assert panel["datasource"]["uid"] in uids, where
            assert panel["title"][-1] == "?" or "?" not in panel["title"], where
            assert panel["gridPos"]["w"] <= 24 and panel["gridPos"]["h"] > 0, where
            for link in panel.get("links") or []:
                assert (RUNBOOKS / pathlib.Path(link["url"]).name).exists(), f"{where} links to {link['url']}"


def test_a_panel_that_names_a_time_limit_asks_for_it():
    for panel in panels(BOARDS["business"]):
        for days in re.findall(r"within (\d+) days", panel["description"]):
            assert f"within_{days}_days" in panel["targets"][0]["rawSql"], panel["title"]


def test_no_query_misspells_a_metric_and_a_misspelt_one_is_found():
    known = known_metrics() | {rule["record"].split(":")[1] for rule in rules() if "record" in rule}

    def unknown(expression):
        # What stands between quotes is a label's value.
        return named_metrics(re.sub(r'"[^"]*"', "", expression)) - known

    for name, title, target in queries("prometheus"):
        assert not unknown(target["expr"]), f"{name}: {title}"
    assert unknown('sum(rate(beatlytica_stage_record_total{job="beatlytica"}[5m]))')


MARTS = ROOT / "dbt" / "models" / "marts" / "marts.yml"
#: Words of BigQuery's in the panels' select lists.
WORDS = {"as", "time", "timestamp"}


def test_queries_on_marts_name_columns_that_the_marts_have():
    """Against dbt's own description of the marts."""
    models = yaml.safe_load(MARTS.read_text())["models"]
    columns = {model["name"]: {column["name"] for column in model["columns"]} for model in models}
    for name, title, target in queries("grafana-bigquery-datasource"):
        [mart] = set(re.findall(r"\$\{dataset\}\.(\w+)`", target["rawSql"]))
        chosen = re.match(r"select (.*?)\sfrom ", target["rawSql"], re.DOTALL)[1]
        named = set(re.findall(r"[a-z_]+", chosen)) - WORDS
        assert named and named <= columns[mart], f"{name}: {title} asks {mart} for {named - columns[mart]}"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    from harness import Broker, Engine

    folder = tmp_path_factory.mktemp("dashboards")

    def line(ts, number):
        # A few records do not decode, and a few are late.
        late = 3_600_000 if number % 50 == 7 else 0
        return event(ts - late, number)[:-1] if number % 50 == 3 else event(ts - late, number)

    with Broker(folder / "kafka") as broker, Load(broker, folder / "load", line=line):
        engine = Engine(broker, folder / "engine", **QUICK)
        with engine.start("run"):
            wait_until(lambda: engine.entries() > 8, "uploads", 60)
            with Watch(folder / "watch", [f"127.0.0.1:{engine.port}"]) as watch:
                yield engine, watch


def test_every_query_finds_something_in_prometheus(running):
    _, watch = running
    assert not watch.query("beatlytica_stage_record_total"), "the negative control"
    empty = None

    def all_found():
        nonlocal empty
        empty = [
            (name, title, target["expr"])
            for name, title, target in queries("prometheus")
            if not watch.query(filled(target["expr"]))
        ]
        return not empty

    try:
        wait_until(all_found, "data for every query", 60, every=2)
    except AssertionError:
        raise AssertionError(f"no data: {empty}") from None


def test_every_query_to_the_engines_api_finds_its_columns(running):
    engine, _ = running
    asked = list(queries("yesoreyeram-infinity-datasource"))
    assert asked
    for name, title, target in asked:
        path = filled(target["url"])
        assert urllib.parse.urlsplit(path).scheme == "", "the data source says which engine"
        found = engine.get(path)[target["root_selector"]]
        assert found, f"{name}: {title}"
        for column in target["columns"]:
            assert column["selector"] in found[0], f"{name}: {title}: {column}"
