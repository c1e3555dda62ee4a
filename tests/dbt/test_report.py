"""The demo's lake, the marts of it, and the report on them in a real browser."""

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import DESK, PHONE, chromium
from harness import Process, free_ports, wait_until
from tables import TABLES
from truth import connect

from conftest import built
from project import ROOT

sys.path.insert(0, str(ROOT / "report"))

from charts import with_empty_days  # noqa: E402

PAGES = ["index", "users", "demographics", "charts", "wrapped"]
HOSTILE = """</text></svg><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&amp; "it's" """.strip()


def newest(port):
    """Time of the newest event that the engine has read."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=10) as answer:
            return max((row["newest"] or "" for row in json.load(answer)["partitions"]), default="")
    except OSError:
        return ""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The lake of a demo that ran until its history was in, and was ended by Ctrl-C; the marts that `make marts` makes of it."""
    folder = tmp_path_factory.mktemp("demo")
    lake, marts = folder / "lake", folder / "demo.duckdb"
    port = free_ports(1)[0]
    arguments = ["demo", "--folder", str(lake), "--history", "24h", "--users", "800", "--listen", f"127.0.0.1:{port}"]
    with Process(arguments, {}, folder / "demo.log") as running:
        live = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)).isoformat()
        wait_until(lambda: running.poll() or newest(port) >= live, "the live events behind the history", 120)
        assert running.poll() is None, running.tail()
        running.send(signal.SIGINT)
        running.succeed(60)
    environment = {**os.environ, "LAKE": str(lake), "MARTS": str(marts), "DBT": f"{sys.prefix}/bin/dbt"}
    built = subprocess.run([ROOT / "scripts" / "marts.sh"], env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-2000:]
    yield lake, marts
    shutil.rmtree(folder, ignore_errors=True)


def build(marts, folder, **environment):
    """Builds the report; gives the folder."""
    command = [sys.executable, ROOT / "report" / "build.py", marts, folder]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=120, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def report(demo, tmp_path_factory):
    """The report on the demo's marts, the first song and artist of every list named by an attacker."""
    folder = tmp_path_factory.mktemp("report")
    marts = shutil.copy(demo[1], folder / "hostile.duckdb")
    with duckdb.connect(str(marts)) as db:
        for table in ("chart_weekly", "artist_chart_weekly", "wrapped_global"):
            column = "place" if table == "wrapped_global" else "chart_rank"
            named = "artist = $1" if table == "artist_chart_weekly" else "artist = $1, song = $1"
            db.execute(f"update marts.{table} set {named} where {column} = 1", [HOSTILE])
        most_played = "select song_key from charts.chart_day_units where rule_set = 'plain' group by all order by sum(charted_plays) desc limit 1"
        db.execute(f"update core.dim_songs set artistName = $1, title = $1 where songKey = ({most_played})", [HOSTILE])
    return build(marts, folder / "site")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser, report):
    """Opens pages of the report; afterwards none may have complained, or asked for anything but pages."""
    said, contexts = [], []

    def visited(name, viewport=DESK, scheme="light", folder=report):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: request.url.endswith(".html") or said.append(request.url))
        page.goto(f"file://{folder}/{name}.html")
        return page

    yield visited
    for context in contexts:
        context.close()
    assert said == []


def test_the_marts_hold_what_the_demo_wrote(demo):
    lake, marts = demo
    db = connect()
    db.execute(f"attach '{marts}' as built (read_only)")
    files = f"read_parquet('{lake}/lake/v1/listen_events/*/*/*.parquet')"
    plays, users = db.execute(f"select count(*), count(distinct user_id) from {files}").fetchone()
    assert plays > 1000
    assert db.execute("select count(*), count(distinct user_id) from built.core.plays").fetchone() == (plays, users)
    assert db.execute("select sum(abs(difference)) from built.marts.reconciliation").fetchone()[0] == 0


@pytest.mark.parametrize("name", PAGES)
def test_each_chart_has_data(visit, name):
    page = visit(name)
    drawings = page.locator(".drawing")
    for number in range(drawings.count()):
        marks = drawings.nth(number).locator(":is(.mark-rect, .mark-area, .mark-line, .mark-symbol).role-mark path")
        assert marks.count() > 0, f"chart {number}"
        box = drawings.nth(number).bounding_box()
        assert box["width"] > 300 and box["height"] > 30
    assert drawings.count() == {"index": 2, "users": 4, "demographics": 5, "charts": 2, "wrapped": 2}[name]
    for table in page.locator("details table").all():
        assert table.locator("tbody tr").count() > 0


def test_figures_are_the_marts(demo, visit):
    with duckdb.connect(str(demo[1]), read_only=True) as db:
        plays = db.execute("select sum(plays)::bigint from core.play_hours").fetchone()[0]
        second = db.execute(
            """select song, artist, points from marts.chart_weekly
            where rule_set = 'billboard-2026' and chart_rank = 2 order by week_start desc"""
        ).fetchone()
        states = db.execute(
            """select member, users from marts.active_users_weekly
            where dimension = 'state' order by week_start desc, users desc, member"""
        ).fetchone()
    assert visit("index").locator(".figures dd").first.inner_text() == f"{plays:,}"
    row = visit("charts").locator("section").first.locator("tbody tr").nth(1)
    assert [row.locator(".song").inner_text(), row.locator(".artist").inner_text()] == list(second[:2])
    assert row.locator("td").last.inner_text() == f"{second[2]:,}"
    texts = visit("users").locator("section:has(h2:text('By state')) svg text").all_text_contents()
    assert states[0] in texts and f"{states[1]:,}" in texts


@pytest.mark.parametrize("name", ["index", "charts", "wrapped"])
def test_names_are_text(visit, name):
    page = visit(name)
    texts = page.locator(".song").all_inner_texts()
    assert " ".join(HOSTILE.split()) in [" ".join(text.split()) for text in texts]
    assert page.locator("img, script").count() == 0 and "owned" not in page.title()
    if name != "index":
        assert any(text.startswith("</text></svg>") for text in page.locator("svg text").all_text_contents())


@pytest.mark.parametrize(("viewport", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"])
def test_axe_finds_nothing(visit, viewport, scheme):
    for name in PAGES:
        page = visit(name, viewport, scheme)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found = Axe().run(page).response["violations"]
        assert found == [], [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than its window"


def test_marts_without_a_play_are_said_to_be_empty(demo, visit, tmp_path):
    marts = shutil.copy(demo[1], tmp_path / "empty.duckdb")
    with duckdb.connect(str(marts)) as db:
        db.execute("delete from core.play_hours")
    folder = build(marts, tmp_path / "site")
    for name in PAGES:
        assert "hold no play yet" in visit(name, folder=folder).locator("main").inner_text()


def changed(demo, folder, *statements):
    """The demo's marts after these statements."""
    marts = shutil.copy(demo[1], folder / "changed.duckdb")
    with duckdb.connect(str(marts)) as db:
        for statement in statements:
            db.execute(statement)
    return marts


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_listen_of_2099_changes_no_page(demo, tmp_path):
    """What it makes in every mart: a newest day, week, month or year of its own."""
    with duckdb.connect(str(demo[1]), read_only=True) as db:
        dated = dict(db.execute(
            """select table_schema || '.' || table_name, arg_max(column_name, ordinal_position) from information_schema.columns
            where (table_schema = 'marts' or table_name in ('play_hours', 'chart_day_units', 'chart_day_ranks'))
              and column_name in ('event_date', 'chart_date', 'week_start', 'month_start', 'cohort_week', 'year') group by all"""
        ).fetchall())
    future = lambda column: "2099" if column == "year" else "date '2099-01-02'"
    marts = changed(
        demo, tmp_path,
        # Not a copy of all: its figures are to differ from the newest ones.
        *(f"insert into {table} select * replace ({future(column)} as {column}) from {table} where rowid < 9 or rowid % 2 = 0"
          for table, column in dated.items()),
        "insert into core.dim_users select * replace (date '2099-01-02' as rowActivationDate, -1 as userId) from core.dim_users limit 1",
        "insert into marts.retention_cohorts select * replace (3770 as weeks_later) from marts.retention_cohorts where weeks_later = 0",
    )
    assert len(dated) >= 17
    assert contents(build(marts, tmp_path / "future")) == contents(build(demo[1], tmp_path / "today"))


def test_days_are_utcs_wherever_the_report_is_made(demo, tmp_path):
    west, east = (contents(build(demo[1], tmp_path / zone, TZ=zone)) for zone in ("America/New_York", "UTC"))
    assert west == east


def test_what_is_over_is_said_to_be_by_todays_date(demo, visit, tmp_path):
    def said(folder):
        return [visit(name, folder=folder).locator(".lead").inner_text() for name in ("charts", "wrapped")]

    running = said(build(demo[1], tmp_path / "running"))
    assert "the week is not over" in running[0] and "so far" in running[1]
    # Their newest play is none of the week's last day, too: the service was away.
    over = said(build(changed(
        demo, tmp_path,
        *(f"update marts.{name} set week_start = week_start - 70" for name in ("chart_weekly", "artist_chart_weekly")),
        *(f"update marts.{name} set year = year - 3" for name in ("wrapped_global", "wrapped_user")),
        "update core.play_hours set event_date = event_date - 80",
    ), tmp_path / "over"))
    assert "not over" not in over[0] and "so far" not in over[1] and over[1].startswith("Of all listeners")


def test_groups_too_small_to_show_are_said_to_be(demo, visit, tmp_path):
    folder = build(changed(demo, tmp_path, "delete from marts.demographics", "delete from marts.chart_weekly"), tmp_path / "site")
    page = visit("demographics", folder=folder)
    assert "No group of listeners is large enough" in page.locator("main").inner_text() and page.locator("section").count() == 0
    assert "No play counts" in visit("charts", folder=folder).locator("main").inner_text()


def test_plays_of_nobody_make_every_page(broker, visit, tmp_path):
    """A lake whose events name no listener and no session, and some no song or artist."""
    plays, now = tmp_path / "plays.jsonl", int(time.time() * 1000)
    tracks = [{"artist": "A", "song": "S"}, {"artist": "A", "song": "S"}, {"artist": "Songless"}, {"song": "Artistless"}]
    plays.write_text("".join(json.dumps({"ts": now - 1000, "duration": 200.0, "level": "paid", **track}) + "\n" for track in tracks))
    nothing = tmp_path / "nothing.jsonl"
    nothing.touch()
    project, _ = built(broker, tmp_path, {table: [plays if table == "listen_events" else nothing] for table in TABLES}, 1)
    folder = build(project.database, tmp_path / "site")
    pages = {name: visit(name, folder=folder) for name in PAGES}
    texts = {name: page.locator("main").inner_text() for name, page in pages.items()}
    assert "No event says whose it is" in texts["users"] and "No group of listeners" in texts["demographics"]
    assert not [name for name, text in texts.items() if "None" in text or "null" in text]
    rows = [row.inner_text().split() for row in pages["charts"].locator("section").first.locator("tbody tr").all()]
    assert sorted(" ".join(row[2:4]) for row in rows) == ["Artistless unknown", "S A", "unknown Songless"]
    assert "unknown" in pages["wrapped"].locator("svg text").all_text_contents()


NIGHTLY = ("retention_cohorts", "conversion", "wrapped_user", "wrapped_global")


def test_the_charts_page_says_the_rules_of_the_marts(demo, visit, tmp_path):
    said = [
        visit("charts", folder=build(marts, tmp_path / name)).locator(".lead").inner_text()
        for name, marts in (("own", demo[1]), ("other", changed(
            demo, tmp_path, "update rules.chart_rules set min_listened_ms = 45000, points_per_paid_play = 4 where rule_set = 'billboard-2026'",
        )))
    ]
    assert said[0].endswith("Plays from 30 seconds count; a paid listener’s play weighs 1, a free listener’s 0.4.") and "Friday to Thursday" in said[0]
    assert said[1].endswith("Plays from 45 seconds count; a paid listener’s play weighs 1.25, a free listener’s 0.5.")


def test_days_without_data_are_drawn_as_nothing():
    days = lambda *figures: [{"day": f"2024-05-{day:02}", "plays": plays} for day, plays in figures]
    assert with_empty_days(days((1, 5), (2, 6), (4, 7), (8, 9)), "plays") == days((1, 5), (2, 6), (3, 0), (4, 7), (5, 0), (7, 0), (8, 9))


def test_nightly_marts_that_are_not_built_yet_are_named(demo, visit, tmp_path):
    folder = build(changed(demo, tmp_path, *(f"drop table marts.{name}" for name in NIGHTLY)), tmp_path / "site")
    for name, drawings in (("users", 3), ("wrapped", 0)):
        page = visit(name, folder=folder)
        assert "not built yet" in page.locator("main").inner_text()
        assert page.locator(".drawing").count() == drawings


def test_a_page_that_cannot_be_made_leaves_all_as_they_were(demo, tmp_path):
    before = contents(build(demo[1], tmp_path / "site"))
    marts = changed(demo, tmp_path, "delete from charts.chart_day_units", "drop table marts.artist_chart_weekly")
    with pytest.raises(subprocess.CalledProcessError):
        build(marts, tmp_path / "site")
    assert contents(tmp_path / "site") == before


def test_missing_marts_are_named(tmp_path):
    command = [sys.executable, ROOT / "report" / "build.py", tmp_path / "none.duckdb", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "make marts" in ended.stderr
