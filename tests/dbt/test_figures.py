"""Every mart's figures against SQL over the input files, written from what the figure means and not from the models."""

import sys

import pytest

from project import ROOT

sys.path.insert(0, str(ROOT / "report"))

from figures import Figures  # noqa: E402

# Plays with the time listened: until the session's next event of any table, at most the song's length (and an hour).
PLAYS = """
create or replace temp view plays as
select l.ts, l.user_id, l.session_id, l.item_in_session, l.level, l.artist, l.song, l.gender, l.state,
       make_timestamp(l.ts * 1000)::date as day,
       least(
         round(l.duration * 1000)::bigint, 3600000,
         coalesce((n.ts - l.ts), 3600000)
       ) as heard_ms
from input.listen_events l
asof left join (select distinct session_id, ts, item_in_session, ts * 100000 + item_in_session as place
                from input.page_view_events) n
  on l.session_id = n.session_id and l.ts * 100000 + l.item_in_session < n.place
"""
RULES = {"billboard-2026": (5, 2), "billboard-2018": (3, 2), "plain": (1, 1)}
DAY_POINTS = """
create or replace temp table day_points as
select day, artist, song, rule_set, sum(points) as points, count(*) as charted, max(ts) as last
from (
  select day, artist, song, level, ts, user_id,
         row_number() over (partition by day, artist, song, user_id order by ts, session_id, item_in_session) as nth
  from plays where heard_ms >= 30000
) counted
join (values {rules}) as weights (rule_set, level, points) using (level)
where nth <= 20
group by all
"""


@pytest.fixture(scope="module")
def db(truth):
    """`truth` with plays and points."""
    truth.execute(PLAYS)
    weights = [f"('{name}', 'paid', {paid}), ('{name}', 'free', {free})" for name, (paid, free) in RULES.items()]
    truth.execute(DAY_POINTS.format(rules=", ".join(weights)))
    return truth


def same(db, built, expected):
    """Two queries give the same rows, each as often, and some."""
    columns = db.execute(expected).fetchall()
    assert columns, "the expectation is empty"
    for left, right, side in ((built, expected, "built only"), (expected, built, "expected only")):
        rows = db.execute(f"select * from ({left}) except all select * from ({right}) order by all limit 5").fetchall()
        assert not rows, f"{side}: {rows}"


def test_plays_and_seconds_listened(db):
    same(
        db,
        "select userId, sessionId, itemInSession, ts, round(secondsListened * 1000)::bigint, counted from built.core.fact_streams",
        """select user_id, session_id, item_in_session, make_timestamp(ts * 1000), heard_ms, heard_ms >= 30000 from plays""",
    )


def test_wide_stream_joins_every_play_once(db):
    same(
        db,
        "select timestamp, userId, artistName, songName, firstName, level, city, dateHour from built.core.wide_stream",
        """select make_timestamp(ts * 1000), user_id, artist, song, first_name, level, city,
           date_trunc('hour', make_timestamp(ts * 1000)) from input.listen_events""",
    )


@pytest.mark.parametrize("mart, period, step", [("chart_daily", "chart_date", 1), ("chart_weekly", "week_start", 7)])
def test_charts(db, mart, period, step):
    """Ranks with ties, last rank, peak, time on chart, streak, debut and re-entry, from the rules' text."""
    start = "day" if step == 1 else "(day - ((date_diff('day', date '2024-05-03', day) % 7 + 7) % 7)::integer)::date"
    db.execute(
        f"""create or replace temp table ranks as
        select * from (
          select rule_set, start, artist, song, points,
                 rank() over (partition by rule_set, start order by points desc, charted desc, last, artist, song) as place
          from (select rule_set, {start} as start, artist, song, sum(points) as points, sum(charted) as charted,
                       max(last) as last from day_points group by all)
        ) where place <= 200"""
    )
    tied = db.execute(
        "select count(*) from (select 1 from ranks group by rule_set, start, points having count(*) > 1)"
    ).fetchone()[0]
    assert tied > 100, "the input has no ties to order"
    # A streak ends where the place of the period before is missing: counted back period by period.
    db.execute(
        f"""create or replace temp table streaks as
        with recursive back as (
          select rule_set, artist, song, start, start as reached, 1 as streak from ranks
          union all
          select b.rule_set, b.artist, b.song, b.start, r.start, b.streak + 1
          from back b join ranks r on r.rule_set = b.rule_set and r.artist = b.artist and r.song = b.song
            and r.start = b.reached - {step}
        )
        select rule_set, artist, song, start, max(streak) as streak from back group by all"""
    )
    same(
        db,
        f"""select rule_set, {period}, artist, song, chart_rank, points, last_rank, peak_rank,
            {'days' if step == 1 else 'weeks'}_on_chart, streak, is_debut, is_re_entry from built.marts.{mart}""",
        f"""select r.rule_set, r.start, r.artist, r.song, r.place, r.points,
            (select b.place from ranks b where b.rule_set = r.rule_set and b.artist = r.artist and b.song = r.song
             and b.start = r.start - {step}),
            h.peak, h.times, s.streak, h.times = 1, h.times > 1 and s.streak = 1
        from ranks r join streaks s using (rule_set, artist, song, start)
        join (select a.rule_set, a.artist, a.song, a.start, min(b.place) as peak, count(*) as times
              from ranks a join ranks b on a.rule_set = b.rule_set and a.artist = b.artist and a.song = b.song
                and b.start <= a.start group by all) h using (rule_set, artist, song, start)""",
    )


def test_the_reports_popular_songs(db):
    """All plays that count, also of days on which a song had none of the chart's places."""
    expected = db.execute(
        """with newest as (select * from day_points where rule_set = 'plain' and day > (select max(day) from day_points) - 28),
        placed as (select *, rank() over (partition by day order by points desc, charted desc, last, artist, song) as place from newest)
        select artist, song, sum(charted)::bigint as plays, min(place) filter (place <= 200) as best_day
        from placed group by all order by plays desc, artist, song limit 1000"""
    ).fetchall()
    db.execute("use built")
    try:
        found = Figures(db).popular_songs(1000)
    finally:
        db.execute("set search_path = 'memory.main'")
    assert [row["place"] for row in found] == list(range(1, 1001))
    assert [(row["artist"], row["song"], row["plays"], row["best_day"]) for row in found] == expected


def test_artist_chart(db):
    same(
        db,
        "select rule_set, week_start, artist, chart_rank, points from built.marts.artist_chart_weekly",
        """select rule_set, start, artist, place, points from (
             select *, row_number() over (partition by rule_set, start order by points desc, charted desc, last, artist) as place
             from (select rule_set, (day - ((date_diff('day', date '2024-05-03', day) % 7 + 7) % 7)::integer)::date as start,
                          artist, sum(points) as points, sum(charted) as charted, max(last) as last
                   from day_points group by all)
           ) where place <= 200""",
    )


@pytest.mark.parametrize(
    "mart, column, unit",
    [("hourly", "event_hour", "hour"), ("daily", "event_date", "day"), ("weekly", "week_start", "week"),
     ("monthly", "month_start", "month")],
)
def test_active_users(db, mart, column, unit):
    grouped = " union all ".join(
        f"""select date_trunc('{unit}', make_timestamp(ts * 1000)), '{dimension}', {value}, count(distinct user_id)
            from input.activity where user_id is not null group by all"""
        for dimension, value in (("all", "'all'"), ("level", "level"), ("gender", "gender"), ("state", "state"))
    )
    same(db, f"select {column}::timestamp, dimension, member, users from built.marts.active_users_{mart}", grouped)


def test_stickiness(db):
    expected = db.execute(
        """select (select avg(users) from (select count(distinct user_id) as users from input.activity
                   where user_id is not null and ts >= 1714521600000 and ts < 1717200000000
                   group by ts // 86400000))
           / (select count(distinct user_id) from input.activity where ts < 1717200000000)"""
    ).fetchone()[0]
    found = db.execute(
        """select stickiness from built.marts.active_users_monthly where dimension = 'all' and month_start = '2024-05-01'"""
    ).fetchone()[0]
    assert found == pytest.approx(expected)


def shown_groups(people):
    """What may be shown of one month's groups, (gender, level, state) -> [listeners, who played, plays]: none of fewer than ten who played."""
    folded = {}
    for (gender, level, state), figures in people.items():
        key = (gender, level, state if figures[1] >= 10 else "other")
        folded[key] = [sum(each) for each in zip(folded.get(key, (0, 0, 0)), figures, strict=True)]
    shown = {key: figures for key, figures in folded.items() if figures[1] >= 10}
    if 0 < sum(figures[1] for key, figures in folded.items() if key not in shown) < 10:
        del shown[min(shown, key=lambda key: (shown[key][1], key))]
    return shown


def test_demographics(db):
    """What is shown is exact, and no group is of fewer than ten who played, nor what is left out."""
    db.execute(
        """create or replace temp table people as
        select month, user_id, arg_max(level, place) as level, any_value(gender) as gender, any_value(state) as state
        from (select date_trunc('month', make_timestamp(ts * 1000))::date as month, *, ts as place from (
                select ts, user_id, level, gender, state, session_id, item_in_session from input.page_view_events
                where user_id is not null))
        group by all"""
    )
    months = {}
    for month, *group, listeners, players, plays in db.execute(
        """select p.month, gender, level, state, count(*), count(h.plays), coalesce(sum(h.plays), 0)::bigint from people p
        left join (select date_trunc('month', day)::date as month, user_id, count(*) as plays from plays group by all) h
        using (month, user_id) group by all"""
    ).fetchall():
        months.setdefault(month, {})[tuple(group)] = [listeners, players, plays]
    expected = sorted(
        (month, *key, listeners, plays)
        for month, people in months.items() for key, (listeners, _, plays) in shown_groups(people).items()
    )
    found = db.execute("select month_start, gender, level, state, listeners, plays from built.marts.demographics order by all").fetchall()
    assert found == expected
    assert len({state for *_, state, _, _ in found}) > 5 and "other" in {state for *_, state, _, _ in found}


def test_listening_clock(db):
    same(
        db,
        "select month_start, day_of_week, hour_of_day, plays, counted_plays, listened_ms from built.marts.listening_clock",
        """select date_trunc('month', day)::date, dayofweek(day) + 1, (ts // 3600000) % 24, count(*),
           count(*) filter (heard_ms >= 30000), sum(heard_ms) from plays group by all""",
    )


def test_funnel(db):
    def users(page):
        return f"count(distinct user_id) filter (page = '{page}')"

    same(
        db,
        "select event_date, guests, registered, paid, downgraded, cancelled from built.marts.funnel",
        f"""select make_timestamp(ts * 1000)::date, count(distinct session_id) filter (auth = 'Guest'),
        {users('Submit Registration')}, {users('Submit Upgrade')}, {users('Submit Downgrade')},
        {users('Cancellation Confirmation')} from input.page_view_events group by all""",
    )


def test_sessions(db):
    same(
        db,
        """select session_id, started_at, ended_at, user_id, page_views, plays, counted_plays, listened_ms
        from built.core.fact_sessions""",
        """select session_id, make_timestamp(min(ts) * 1000), make_timestamp(max(ts) * 1000), max(user_id), count(*),
        coalesce(any_value(h.n), 0), coalesce(any_value(h.c), 0), coalesce(any_value(h.ms), 0)
        from input.page_view_events left join (
          select session_id, count(*) as n, count(*) filter (heard_ms >= 30000) as c, sum(heard_ms) as ms
          from plays group by session_id) h using (session_id) group by session_id""",
    )


def test_versions_of_users(db):
    """A new version where a listener's level differs from that of the event before."""
    same(
        db,
        "select userId, level, validFrom from built.core.dim_users",
        """select user_id, level, make_timestamp(ts * 1000) from (
          select user_id, level, ts, lag(level) over (partition by user_id order by ts, session_id, item_in_session) as before
          from (select distinct user_id, level, ts, session_id, item_in_session from input.page_view_events
                where user_id is not null)
        ) where before is null or before != level""",
    )


def test_conversion_and_retention(db):
    db.execute(
        """create or replace temp table seen as
        select user_id, min(ts) as first, min(ts) filter (level = 'paid') as paid,
               date_trunc('week', make_timestamp(min(ts) * 1000))::date as cohort from input.activity
        where user_id is not null group by user_id"""
    )
    same(
        db,
        """select cohort_week, users, users_first_seen_paid, converted, converted_within_7_days, converted_within_28_days
        from built.marts.conversion""",
        """select cohort, count(*), count(*) filter (paid = first), count(*) filter (paid > first),
           count(*) filter (paid > first and paid - first <= 604800000),
           count(*) filter (paid > first and paid - first <= 2419200000) from seen group by cohort""",
    )
    same(
        db,
        "select cohort_week, weeks_later, cohort_users, active_users from built.marts.retention_cohorts",
        """select cohort, date_diff('day', cohort, week) // 7, any_value(size), count(*) from (
             select distinct user_id, date_trunc('week', make_timestamp(ts * 1000))::date as week from input.activity
             where user_id is not null) join seen using (user_id)
           join (select cohort, count(*) as size from seen group by cohort) using (cohort) group by all""",
    )


def test_wrapped(db):
    same(
        db,
        """select user_id, plays, counted_plays, listened_ms, songs, artists, days, top_song_plays, top_artist_plays
        from built.marts.wrapped_user""",
        """select user_id, count(*), count(*) filter (heard_ms >= 30000), sum(heard_ms), count(distinct (artist, song)),
           count(distinct artist), count(distinct day),
           (select max(n) from by_song s where s.user_id = plays.user_id),
           (select max(n) from by_artist a where a.user_id = plays.user_id)
        from plays group by user_id""".replace(
            "by_song s", "(select user_id, count(*) filter (heard_ms >= 30000) as n from plays group by user_id, artist, song) s"
        ).replace(
            "by_artist a", "(select user_id, count(*) filter (heard_ms >= 30000) as n from plays group by user_id, artist) a"
        ),
    )
    same(
        db,
        "select place, artist, song, counted_plays, listeners from built.marts.wrapped_global where kind = 'song'",
        """select row_number() over (order by n desc, listeners desc, ms desc, artist, song) as place, artist, song, n, listeners
        from (select artist, song, count(*) filter (heard_ms >= 30000) as n, count(distinct user_id) as listeners,
              sum(heard_ms) as ms from plays group by all) order by place limit 100""",
    )


def test_longest_streak(db):
    """Days in a row, counted by walking back from each day."""
    same(
        db,
        "select user_id, longest_streak_days from built.marts.wrapped_user",
        """with recursive days as (select distinct user_id, day from plays),
           walk as (select user_id, day, 1 as n from days
                    union all select w.user_id, w.day - 1, n + 1 from walk w join days d
                      on d.user_id = w.user_id and d.day = w.day - 1)
           select user_id, max(n) from walk group by user_id""",
    )


def test_quality_and_reconciliation(db):
    measures = dict(db.execute(
        "select topic || '.' || measure, sum(amount) from built.marts.data_quality group by 1"
    ).fetchall())
    for table in ("listen_events", "page_view_events", "auth_events", "status_change_events"):
        assert measures[f"{table}.records"] == db.execute(f"select count(*) from input.{table}").fetchone()[0]
        assert measures[f"{table}.duplicates"] == 0
        assert measures[f"{table}.gap_offsets"] == measures[f"{table}.lost"] == 0
    repeats = db.execute(
        """select count(*) from input.auth_events a join input.page_view_events p using (session_id, item_in_session)
        where p.status between 300 and 399"""
    ).fetchone()[0]
    assert measures["auth_events.repeated_sign_ins"] == repeats > 0
    plays = db.execute(
        "select sum(recounted), sum(abs(difference)) from built.marts.reconciliation where count_table = 'song_counts'"
    ).fetchone()
    assert plays == (measures["listen_events.records"], 0)
