"""What the pages show, asked of the marts: every function gives rows as dictionaries, or one value.

The lake keeps whatever time an event has. No day, week, month or year that begins later than today is shown: one wrong clock would else be
the newest day of every page.
"""

import datetime

RULES = "billboard-2026"
# Sunday is 1 in the marts; people here read a week from Monday on.
DAYS = {2: "Mon", 3: "Tue", 4: "Wed", 5: "Thu", 6: "Fri", 7: "Sat", 1: "Sun"}


def shown(name, value):
    """A value as pages and charts have it."""
    if value is None and name in ("artist", "song"):
        # Some plays lack one or both.
        return "unknown"
    return value.isoformat() if isinstance(value, datetime.date) else value


class Figures:
    """Figures of the marts in an open DuckDB database."""

    def __init__(self, db):
        self.db = db
        # The marts' days are UTC; so is `current_date` then.
        db.execute("set TimeZone = 'UTC'")

    def has(self, *marts):
        """Whether these marts are built: the nightly ones come later than the others."""
        built = self.db.execute("select table_name from information_schema.tables where table_schema = 'marts'").fetchall()
        return {name for name, in built} >= set(marts)

    def rows(self, query, *values):
        result = self.db.execute(query, values)
        names = [column[0] for column in result.description]
        return [{name: shown(name, value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]

    def value(self, query, *values):
        found = self.db.execute(query, values).fetchone()
        return found and found[0]

    def today(self):
        """The day, UTC."""
        return self.value("select current_date")

    # Popular songs

    def totals(self):
        """First and last day, plays, hours listened, listeners."""
        return self.rows(
            """select min(event_date) as first_day, max(event_date) as last_day, sum(plays)::bigint as plays,
              sum(listened_ms) / 3600000.0 as hours,
              (select count(distinct userId) from core.dim_users where rowActivationDate <= current_date) as listeners
            from core.play_hours where event_date <= current_date"""
        )[0]

    def popular_songs(self, places):
        """Songs by plays that count, over the newest 28 days, and the best of their places in these days' charts."""
        # Not from the daily charts: those leave out what a song was played on days on which it was behind the last place.
        return self.rows(
            """select row_number() over (order by sum(units.charted_plays) desc, songs.artistName, songs.title) as place,
              songs.artistName as artist, songs.title as song, sum(units.charted_plays)::bigint as plays, min(ranks.position) as best_day
            from charts.chart_day_units as units
            join core.dim_songs as songs on songs.songKey = units.song_key
            left join charts.chart_day_ranks as ranks
              on ranks.rule_set = units.rule_set and ranks.chart_date = units.chart_date and ranks.song_key = units.song_key
            where units.rule_set = 'plain' and units.chart_date <= current_date
              and units.chart_date > (select max(chart_date) from charts.chart_day_units where chart_date <= current_date) - 28
            group by units.song_key, songs.artistName, songs.title order by place limit ?""", places,
        )

    def plays_by_day(self):
        return self.rows(
            """select event_date as day, sum(plays)::bigint as plays, sum(listened_ms) / 3600000.0 as hours
            from core.play_hours where event_date <= current_date group by day order by day"""
        )

    def clock(self):
        """Hours listened by day of the week and hour of the day, of the newest two months."""
        rows = self.rows(
            """select day_of_week, hour_of_day as hour, sum(listened_ms) / 3600000.0 as hours from marts.listening_clock
            where month_start <= current_date
              and month_start >= (select max(month_start) from marts.listening_clock where month_start <= current_date) - interval 1 month
            group by all order by all"""
        )
        return [{**row, "day": DAYS[row["day_of_week"]]} for row in rows]

    # Active users

    def active(self, period):
        """Active users of each day, week or month by level; stickiness of weeks and months."""
        column = {"daily": "event_date", "weekly": "week_start", "monthly": "month_start"}[period]
        stickiness = "null::double" if period == "daily" else "stickiness"
        return self.rows(
            f"select {column} as period, dimension, member, users, {stickiness} as stickiness from marts.active_users_{period} "
            f"where dimension in ('all', 'level') and {column} <= current_date order by all"
        )

    def states(self, places):
        """States by listeners of the newest week."""
        return self.rows(
            """select member as state, users from marts.active_users_weekly
            where dimension = 'state'
              and week_start = (select max(week_start) from marts.active_users_weekly where week_start <= current_date)
            order by users desc, member limit ?""", places,
        )

    def retention(self):
        """Cohorts of ten and more; None where the nightly marts are not built yet."""
        return self.rows(
            """select cohort_week, weeks_later, cohort_users, retention from marts.retention_cohorts
            where cohort_users >= 10 and cohort_week + weeks_later::integer * 7 <= current_date order by all"""
        ) if self.has("retention_cohorts") else None

    # Demographics

    def demographics(self, by):
        """Listeners and hours a listener by one column, of the newest month; groups too small to show are left out of the mart."""
        return self.rows(
            f"""select "{by}" as member, sum(listeners)::bigint as listeners, sum(listened_ms) / 3600000.0 / sum(listeners) as hours_each
            from marts.demographics
            where month_start = (select max(month_start) from marts.demographics where month_start <= current_date)
            group by member order by member = 'other', listeners desc, member"""
        )

    def demographics_month(self):
        """The month, its listeners who are in groups large enough to show, and all; None where no group is."""
        found = self.rows(
            """select month_start as month, sum(listeners)::bigint as shown, (select max(users) from marts.active_users_monthly as monthly
               where dimension = 'all' and monthly.month_start = demographics.month_start) as active
            from marts.demographics where month_start <= current_date group by month_start order by month_start desc limit 1"""
        )
        return found[0] if found else None

    def funnel(self):
        return self.rows(
            """select coalesce(sum(guests), 0)::bigint as guests, coalesce(sum(registered), 0)::bigint as registered,
              coalesce(sum(paid), 0)::bigint as paid, coalesce(sum(downgraded), 0)::bigint as downgraded,
              coalesce(sum(cancelled), 0)::bigint as cancelled
            from marts.funnel
            where event_date <= current_date and event_date > (select max(event_date) from marts.funnel where event_date <= current_date) - 28"""
        )[0]

    # Weekly charts

    def rules(self):
        """What a play of each level weighs, the most first, and from how many seconds it counts."""
        return self.rows(
            """select level, points / points_per_paid_play as weight, min_listened_ms / 1000 as seconds
            from rules.chart_rules where rule_set = ? order by weight desc, level""", RULES,
        )

    def newest_week(self):
        return self.value("select max(week_start) from marts.chart_weekly where rule_set = ? and week_start <= current_date", RULES)

    def chart(self, week, places):
        return self.rows(
            """select chart_rank, artist, song, points, last_rank, peak_rank, weeks_on_chart, is_debut, is_re_entry
            from marts.chart_weekly where rule_set = ? and week_start = ? and chart_rank <= ? order by chart_rank""", RULES, week, places,
        )

    def artists(self, week, places):
        return self.rows(
            """select chart_rank, artist, points, last_rank, peak_rank, weeks_on_chart, is_debut, is_re_entry
            from marts.artist_chart_weekly where rule_set = ? and week_start = ? and chart_rank <= ? order by chart_rank""",
            RULES, week, places,
        )

    def climb(self, week, songs, weeks):
        """Places of the week's first songs in the weeks before."""
        return self.rows(
            """select week_start as week, song_key::varchar as key, artist, song, chart_rank from marts.chart_weekly
            where rule_set = ? and week_start > ?::date - ?::integer * 7 and week_start <= ? and song_key in (
              select song_key from marts.chart_weekly where rule_set = ? and week_start = ? and chart_rank <= ?)
            order by week, chart_rank""", RULES, week, weeks, week, RULES, week, songs,
        )

    # Wrapped

    def year(self):
        """The newest year; None where the nightly marts are not built yet."""
        if not self.has("wrapped_global", "wrapped_user"):
            return None
        return self.value("select max(year) from marts.wrapped_global where year <= extract(year from current_date)")

    def year_totals(self, year):
        found = self.rows(
            """select counted_plays, listeners, listened_ms / 3600000.0 as hours
            from marts.wrapped_global where year = ? and kind = 'all'""", year,
        )
        return found[0] if found else None

    def year_list(self, year, kind, places):
        return self.rows(
            """select place, artist, song, counted_plays, listeners, listened_ms / 3600000.0 as hours from marts.wrapped_global
            where year = ? and kind = ? and place <= ? order by place""", year, kind, places,
        )

    def year_listeners(self, year):
        """Of all listeners: medians, and the longest of each measure."""
        return self.rows(
            """select median(listened_ms) / 3600000.0 as hours, median(songs) as songs, median(artists) as artists,
              median(longest_streak_days) as streak, max(longest_streak_days) as longest_streak, mode(favourite_hour) as hour
            from marts.wrapped_user where year = ?""", year,
        )[0]

    def year_hours(self, year):
        """How many listeners listened how long: hours in twelve equal steps."""
        return self.rows(
            """with heard as (select listened_ms / 3600000.0 as hours from marts.wrapped_user where year = ?),
            step as (select greatest(1, ceil(quantile_cont(hours, 0.98) / 12)) as width from heard),
            stepped as (select least(11, floor(hours / width)) as n, width from heard, step)
            select n, (n * width)::bigint as from_hours, count(*) as listeners from stepped group by all order by n""", year,
        )
