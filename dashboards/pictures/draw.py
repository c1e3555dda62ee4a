"""Takes pictures of the dashboards (docs/images/dashboard-*.png), drawn with Grafana's own components, of a run of the demo.

`make dashboards-pictures` runs it. `make observe`'s demo runs for MINUTES (5), its lake becomes marts, and every panel's queries
are asked as Grafana would ask them: Prometheus, the engine's API, and the marts (on DuckDB, for there is no BigQuery here).
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from browser import chromium  # noqa: E402
from harness import Process, binary, free_ports, wait_until  # noqa: E402

BOARDS = ("pipeline", "live-charts", "slo", "business")
#: Grafana's components, and draw.jsx bundled with them.
BUNDLE = ROOT / ".cache" / "grafana"
DBT = ROOT / ".cache" / "dbt-venv" / "bin"
#: Of a picture, and of one row of Grafana's grid.
WIDTH, ROW = 1600, 38
#: Points of a series, as many as Grafana would ask for a panel of some hundred pixels.
POINTS = 240
PAGE = """<!doctype html><meta charset="utf-8"><style>body{margin:16px;font-family:Inter,Helvetica,Arial,sans-serif}</style>
<div id="dashboard"></div>"""


def get(url, **query):
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}" if query else url, timeout=20) as answer:
        return json.load(answer)


class Run:
    """What is asked, of the last so many minutes."""

    def __init__(self, prometheus, engine, marts, minutes):
        self.prometheus, self.engine, self.marts = prometheus, engine, marts
        self.end = time.time()
        self.start = self.end - 60 * minutes
        self.variables = {
            # A longer rate would leave nothing to draw of a short run.
            "$__rate_interval": "60s", "$__range": f"{round(60 * minutes)}s", "$instance": ".*", "$topic": ".*", "$partition": ".*",
            "${window}": "1h", "$window": "1h", "`${project}.${dataset}.": "`marts.", "${rules}": "plain",
            "$__timeFrom()": "timestamp '2000-01-01'", "$__timeTo()": "timestamp '2100-01-01'",
        }

    def filled(self, text):
        for name, value in self.variables.items():
            text = text.replace(name, value)
        return text

    def found(self, panel):
        """What a panel's queries find: series or columns."""
        kind = panel["datasource"]["type"]
        if kind == "prometheus":
            return {"series": [each for target in panel["targets"] for each in self.series(target)]}
        if kind == "yesoreyeram-infinity-datasource":
            return {"columns": self.columns(panel["targets"][0])}
        columns = self.mart(panel["targets"][0])
        return {"series": as_series(columns)} if panel["type"] == "timeseries" else {"columns": columns}

    def series(self, target):
        step = (self.end - self.start) / POINTS
        answer = get(
            f"{self.prometheus}/api/v1/query_range", query=self.filled(target["expr"]), start=self.start, end=self.end, step=step
        )
        for each in answer["data"]["result"]:
            times, values = zip(*each["values"])
            yield {
                "name": re.sub(r"\{\{(\w+)\}\}", lambda label: each["metric"].get(label[1], ""), target["legendFormat"]),
                "times": [round(at * 1000) for at in times],
                # JSON has no NaN.
                "values": [None if value in ("NaN", "+Inf", "-Inf") else float(value) for value in values],
            }

    def columns(self, target):
        rows = get(self.engine + self.filled(target["url"]))[target["root_selector"]]
        return [
            {"name": column["text"], "type": column["type"], "values": [row[column["selector"]] for row in rows]}
            for column in target["columns"]
        ]

    def mart(self, target):
        asked = subprocess.run(
            [DBT / "python", pathlib.Path(__file__).with_name("marts.py"), self.marts], input=json.dumps([self.filled(target["rawSql"])]),
            capture_output=True, text=True, check=True,
        )
        return json.loads(asked.stdout)[0]


def as_series(columns):
    """A table as Grafana makes series of it: one for each number column and each combination of texts."""
    [times] = [column["values"] for column in columns if column["type"] == "timestamp"]
    texts = [column["values"] for column in columns if column["type"] == "string"]
    made = {}
    for column in columns:
        if column["type"] == "number":
            for at, (when, value) in enumerate(zip(times, column["values"])):
                name = " ".join([text[at] for text in texts] or [column["name"]])
                series = made.setdefault(name, {"name": name, "times": [], "values": []})
                series["times"].append(when)
                series["values"].append(value)
    return list(made.values())


def serve(route):
    """The page, and the icons that Grafana's components ask for; nothing else is there."""
    path = urllib.parse.urlsplit(route.request.url).path
    icon = BUNDLE / "node_modules/@grafana/ui/dist/public" / path.removeprefix("/public/").removeprefix("build/")
    if path == "/":
        route.fulfill(content_type="text/html", body=PAGE)
    elif icon.is_file():
        route.fulfill(path=icon)
    else:
        route.fulfill(status=404)


def draw(browser, name, run, picture):
    """One dashboard's picture; names of its panels without data."""
    board = json.loads((ROOT / "dashboards" / f"{name}.json").read_text())
    panels = board["panels"]
    found = [None if panel["type"] == "row" else run.found(panel) for panel in panels]
    times = [at for each in found if each for series in each.get("series", []) for at in series["times"]]
    # Tables draw only what is in sight.
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    page = browser.new_page(viewport={"width": WIDTH, "height": bottom * ROW + 90})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.route("**/*", serve)
    page.goto("http://dashboard.invalid/")
    page.add_style_tag(path=BUNDLE / "draw.css")
    page.add_script_tag(path=BUNDLE / "draw.js")
    page.evaluate("([board, found, from, to]) => drawDashboard(board, found, from, to)", [board, found, min(times), max(times)])
    page.wait_for_function("n => document.querySelectorAll('[data-panel], [data-row]').length == n || null", arg=len(panels), timeout=30000)
    page.wait_for_load_state("networkidle")
    assert not problems, f"{name}: {problems}"
    page.screenshot(path=picture, full_page=True)
    empty = page.eval_on_selector_all("[data-empty=true]", "all => all.map(panel => panel.dataset.panel)")
    page.close()
    subprocess.run(["pngquant", "--force", "--strip", "--output", picture, "128", picture], check=True)
    return empty


def main():
    for needed in ("chromium", "pngquant"):
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; install Debian's package of that name")
    minutes = float(os.environ.get("MINUTES", "5"))
    pictures = ROOT / "docs" / "images"
    ports = free_ports(4)
    with tempfile.TemporaryDirectory() as named:
        folder = pathlib.Path(named)
        environment = {
            "BEATLYTICA_BIN": binary(), "OBSERVE_FOLDER": str(folder / "observed"), "OBSERVE_PORTS": " ".join(map(str, ports)),
        }
        with Process([], environment, folder / "log", program=str(ROOT / "scripts" / "observe.sh")) as observed:
            try:
                wait_until(lambda: observed.poll() or "is linked at" in observed.tail(), "the demo", 120)
                print(f"the demo runs for {minutes:g} minutes")
                time.sleep(60 * minutes)
                marts = folder / "beatlytica.duckdb"
                settings = {"LAKE": str(folder / "observed" / "lake"), "MARTS": str(marts), "DBT": str(DBT / "dbt")}
                subprocess.run([ROOT / "scripts" / "marts.sh"], env={**os.environ, **settings}, check=True, stdout=subprocess.DEVNULL)
                run = Run(f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[0]}", marts, minutes)
                with chromium() as browser:
                    for name in BOARDS:
                        empty = draw(browser, name, run, pictures / f"dashboard-{name}.png")
                        print(f"{name}: panels without data: {', '.join(empty) or 'none'}")
            finally:
                observed.send(signal.SIGINT)
                observed.wait(60)


if __name__ == "__main__":
    main()
