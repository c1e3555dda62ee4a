"""The deployment's settings of Airflow, read by Airflow itself."""

import json
import re

import yaml

from conftest import ROOT

SETTING = re.compile(r"\b(AIRFLOW__\w+?)(?:=|: )(\"?)([^\s\"]+)\2")
# A provider's section, which Airflow's own list does not have.
PROVIDERS = {"cosmos"}
KNOWN = """
import json
from airflow.configuration import conf
print(json.dumps({section: sorted(of["options"]) for section, of in conf.configuration_description.items()}))
"""


def settings():
    """What image, entry script and compose set, by variable."""
    image = (ROOT / "infra" / "airflow.Dockerfile").read_text() + (ROOT / "infra" / "stack" / "airflow.sh").read_text()
    found = {name: value for name, _, value in SETTING.findall(image)}
    compose = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())["services"]["airflow"]["environment"]
    return found | {name: value for name, value in compose.items() if name.startswith("AIRFLOW__")}


def test_airflow_knows_every_setting_of_the_deployment(airflow):
    known = json.loads(airflow.run("python", "-c", KNOWN).splitlines()[-1])
    assert len(settings()) >= 8
    for name in settings():
        section, option = name.removeprefix("AIRFLOW__").lower().split("__", 1)
        assert section in PROVIDERS or option in known.get(section, ()), f"{name} is no setting of this Airflow"


def test_airflow_finds_nothing_to_change_in_them(airflow):
    # The folder of DAGs is the image's; looking into it is not what is asked.
    given = {name: value for name, value in settings().items() if name != "AIRFLOW__CORE__DAGS_FOLDER"}
    assert "No issues found" in airflow.run("airflow", "config", "lint", **given)
    old = {"AIRFLOW__WEBSERVER__WEB_SERVER_PORT": "8081"}
    assert "web_server_port" in airflow.run("airflow", "config", "lint", **given, **old)
