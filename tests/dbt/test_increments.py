"""Increments against a rebuild: late data, a run that dies, a run after days off, two runs at once, parts of the project."""

import signal

import duckdb
import pytest
from harness import wait_until

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
    plays, distinct = db.execute(
        "select count(*), count(distinct (userId, sessionId, itemInSession, ts)) from core.fact_streams"
    ).fetchone()
    records = db.execute("select count(*) from staging.stg_listen_events").fetchone()[0]
    assert plays == distinct == records - late.copies["listen_events"]


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
    project.run("run")
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


def test_the_ledger_read_anew_makes_everything_new(late):
    """Rebuilding what pins the ranges must not leave any model with what it had."""
    project = late.behind("anew")
    project.run("run", "--full-refresh", "--select", "lake_ranges")
    project.run("run")
    assert differences(project, late.rebuilt) == {}
