"""Increments against a rebuild: late data, a run that dies, a run after days off, two runs at once, parts of the project."""

import json
import shutil
import signal

import duckdb
import pytest
from harness import wait_until

import scenario
from project import Project, differences


def test_the_parts_differ(late):
    """What the other tests compare would not be equal by chance."""
    found = differences(late.before, late.rebuilt)
    for table in ("core.plays", "core.fact_sessions", "core.dim_users", "marts.chart_daily", "marts.funnel"):
        assert found[table][1] > 0, table
    # Late data take rows away, too: they change what was there.
    assert found["core.plays"][0] > 0


def test_late_data_after_days_off_equal_a_rebuild(late):
    project = late.behind("increment")
    project.run("build")
    assert differences(project, late.rebuilt) == {}
    # Once more: nothing is new, nothing changes.
    project.run("run")
    assert differences(project, late.rebuilt) == {}


def test_tests_read_the_days_that_the_newest_batches_touched_or_all(late):
    project = late.behind("tested")
    with duckdb.connect(str(project.database)) as db:
        first, *_, last = [day for day, in db.execute("select distinct event_date from core.events order by 1").fetchall()]
        db.execute("insert into core.events select * from core.events where event_date = ? limit 1", [first])
        touch = "update lake.lake_objects set batch = 25 where event_date = ?"
        db.execute(touch, [last])
    tests, found = ("test", "--select", "events"), "Failure in test unique_together_events"
    project.run(*tests)
    assert found in project.run(*tests, "--vars", "tested_batches: all", code=1)
    with duckdb.connect(str(project.database)) as db:
        db.execute(touch, [first])
    assert found in project.run(*tests, code=1)


def test_copies_are_counted_and_left_out(late):
    db = late.rebuilt.connect()
    measured = dict(
        db.execute(
            "select topic, sum(amount)::bigint from marts.data_quality where measure = 'duplicates' group by topic"
        ).fetchall()
    )
    assert measured == late.copies
    assert min(late.copies.values()) > 0
    plays, placed, distinct = db.execute(
        """select count(*), count(sessionId), count(distinct (userId, sessionId, itemInSession, ts)) filter (sessionId is not null)
        from core.fact_streams"""
    ).fetchone()
    records = db.execute("select count(*) from staging.stg_listen_events").fetchone()[0]
    assert placed == distinct
    # What has no session is no copy.
    assert plays == placed + 2 == records - late.copies["listen_events"] - len(scenario.BEYOND)


def test_odd_records_are_bounded(late):
    db = late.rebuilt.connect()
    of_session = "select length_ms, listened_ms, lat, lon from core.plays where session_id = ? order by ts"
    hour, point = scenario.HOUR, (42.5, -70.9)
    assert db.execute(of_session, [scenario.ODD_NUMBERS]).fetchall() == [
        (hour, hour, *point), (hour, hour, *point), (0, 0, *point),
        (200_000, 200_000, None, -70.9), (200_000, 200_000, 42.5, None), (200_000, 200_000, None, 180.0),
    ]
    assert db.execute(of_session, [scenario.LENGTHLESS]).fetchall() == [(None, 0, *point), (200_000, 200_000, *point)]
    length = db.execute("select length_ms from core.fact_sessions where session_id = ?", [scenario.PAUSING]).fetchone()[0]
    assert length == 100 * hour
    assert db.execute("select min(year), max(year) from core.dim_datetime").fetchone() == (2024, 2024)


def test_records_beyond_the_calendar_are_counted(late):
    measured = late.rebuilt.connect().execute(
        "select topic, event_date, amount from marts.data_quality where measure = 'beyond_calendar'"
    ).fetchall()
    expected = {table: len(scenario.BEYOND) if table == "listen_events" else 0 for table in late.copies}
    assert sorted(measured) == sorted((table, None, amount) for table, amount in expected.items())


def test_rejected_records_are_counted(late):
    db = late.rebuilt.connect()
    assert db.execute("select sum(amount) from marts.data_quality where measure = 'rejected'").fetchone()[0] == 2


def test_guests_reach_the_funnel(late):
    row = late.rebuilt.connect().execute(
        "select guests, registered, cancelled from marts.funnel where event_date = '2024-05-06'"
    ).fetchone()
    assert row[:2] == (2, 1)
    assert row[2] >= 1


@pytest.mark.parametrize("model", ["core.plays", "marts.active_users_daily"])
def test_a_run_killed_at_a_model_and_retried_equals_an_undisturbed_one(late, model):
    project = late.behind(f"killed-at-{model}")
    child = project.start("run")
    output = project.folder / "dbt.out"
    wait_until(
        lambda: f"START sql incremental model {model}" in output.read_text() or child.poll() is not None,
        f"the start of {model}", 120, every=0.01,
    )
    assert child.poll() is None, output.read_text()[-3000:]
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    assert differences(project, late.rebuilt) != {}, "it was killed too late"
    project.run("run")
    assert differences(project, late.rebuilt) == {}


def test_models_run_apart_and_out_of_turn(late):
    """A model takes no batch that what it reads has not taken, and every model catches up by itself."""
    project = late.behind("apart")
    project.run("run", "--select", "lake", "chart_day_units", "fact_sessions", "active_users_monthly")
    project.run("run", "--select", "core.events", "core.user_spans")
    charts = ("chart_day_units", "chart_week_units", "artist_week_ranks")
    project.run("run", "--select", "core.plays", *charts, "wrapped_user", "wrapped_global")
    # Songs are new and their dimension waits: what is built at night has no fewer of them.
    found = set(differences(project, late.rebuilt))
    assert "core.dim_songs" in found and not found & {"marts.wrapped_user", "marts.wrapped_global"}
    project.run("run")
    assert differences(project, late.rebuilt) == {}


@pytest.mark.parametrize("hours", [800, 10_000])
def test_many_hours_fit_into_a_statement(late, hours):
    """BigQuery takes no statement over a million characters. Hours that are far apart are not even neighbours."""
    project = late.behind(f"{hours}-hours")
    project.run("run", "--select", "lake")
    with duckdb.connect(str(project.database)) as db:
        db.execute(
            f"""insert into lake.lake_objects (object_name, topic, kind, row_count, event_date, event_hour, batch)
            select 'none-' || i, 'listen_events', 'data', 0, event_hour::date, event_hour, (select max(batch) from lake.lake_objects)
            from (select i, timestamp '2001-01-01' + to_hours(3 * i) as event_hour from range({hours}) as r(i))"""
        )
    project.run("run")
    longest = max(path.stat().st_size for path in (project.folder / "target").rglob("*.sql"))
    assert (100_000 if hours < 1000 else 0) < longest < 1_000_000
    with duckdb.connect(str(project.database)) as db:
        db.execute("delete from lake.lake_objects where object_name like 'none-%'")
    project.run("run", "--select", "dim_datetime")
    assert differences(project, late.rebuilt) == {}


def test_two_runs_at_once_change_what_one_changes(late):
    """The first is held while it is at work; the second is refused the database."""
    project = late.behind("twice")
    child = project.start("run")
    output = project.folder / "dbt.out"
    wait_until(lambda: "START sql" in output.read_text(), "the first run at work", 120, every=0.01)
    child.send_signal(signal.SIGSTOP)
    try:
        other = Project(late.engine.lake, late.folder / "twice-other", BEATLYTICA_MARTS=str(project.database))
        printed = other.run("run", code=2)
    finally:
        child.send_signal(signal.SIGCONT)
    assert "lock" in printed
    assert child.wait(300) == 0, output.read_text()[-3000:]
    assert differences(project, late.rebuilt) == {}


def test_objects_of_a_table_that_was_without_files_are_not_left_out(late, tmp_path):
    """A view that was built before a table had its first object knows of none."""
    shutil.copytree(late.engine.lake, tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "lake" / "v1" / "status_change_events")
    project = late.behind("unseen")
    project.environment["BEATLYTICA__LAKE__URL"] = (tmp_path / "lake").as_uri()
    project.run("run", "--select", "lake", "staging")
    project.environment["BEATLYTICA__LAKE__URL"] = late.engine.lake.as_uri()
    assert "build the view of status_change_events anew" in project.run("run", "--select", "events", code=1)
    project.run("run")
    assert differences(project, late.rebuilt) == {}


PIN = ("run", "--select", "lake_applied", "lake_ranges")


def ranges(database):
    with duckdb.connect(str(database), read_only=True) as db:
        return db.execute("select entry from lake.lake_ranges order by 1").fetchall()


def test_a_range_whose_receipt_is_not_listed_yet_waits_with_those_behind_it(late, tmp_path):
    """A listing is of no one moment. A run reads from a chain's end on, so what is behind a hole would hide the hole for good."""
    shutil.copytree(late.engine.lake / "ledger", tmp_path / "lake" / "ledger")
    first, *behind = sorted((tmp_path / "lake" / "ledger" / "v1" / "listen_events" / "e001" / "p00000").glob("*.done.json"))
    assert behind
    first.rename(tmp_path / "unlisted")
    project = late.behind("unlisted")
    project.database.unlink()
    project.environment["BEATLYTICA__LAKE__URL"] = (tmp_path / "lake").as_uri()
    project.run(*PIN)
    found = ranges(project.database)
    assert found and not [entry for entry, in found if entry.startswith("ledger/v1/listen_events/e001/p00000/")]
    (tmp_path / "unlisted").rename(first)
    project.run(*PIN)
    assert ranges(project.database) == ranges(late.rebuilt.database)


def test_marts_of_another_lake_are_refused(late, tmp_path):
    """Its ranges may have the same names: a demo's that was removed and made anew in its folder."""
    shutil.copytree(late.engine.lake / "ledger", tmp_path / "ledger")
    receipt = min((tmp_path / "ledger" / "v1" / "page_view_events" / "e001" / "p00000").glob("*.done.json"))
    known = json.loads(receipt.read_text())
    project = late.behind("other-lake")
    project.environment["BEATLYTICA__LAKE__URL"] = tmp_path.as_uri()
    known["objects"][0]["crc32c"] += 1
    receipt.write_text(json.dumps(known))
    said = project.run(*PIN, code=1)
    assert f"of another lake than {tmp_path}: its {receipt.relative_to(tmp_path)} is not" in said
    receipt.unlink()
    assert "of another lake" in project.run(*PIN, code=1)
    assert ranges(project.database) == ranges(late.before.database)


def test_the_ledger_read_anew_makes_everything_new(late):
    """Rebuilding what pins the ranges must not leave any model with what it had."""
    project = late.behind("anew")
    project.run("run", "--full-refresh", "--select", "lake_ranges")
    project.run("run")
    assert differences(project, late.rebuilt) == {}
