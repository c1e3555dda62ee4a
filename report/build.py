"""Builds the report: pages that show the marts to people who do not write SQL. Each page is one file and asks nobody for anything.

    build.py MARTS.duckdb FOLDER
"""

import datetime
import os
import pathlib
import sys

import duckdb
import jinja2

import charts
from figures import DAYS, Figures

PAGES = [
    ("index", "Popular songs"),
    ("users", "Active users"),
    ("demographics", "Demographics"),
    ("charts", "Weekly charts"),
    ("wrapped", "Wrapped"),
]
WEEKS_SHOWN = 12


def popular(figures):
    return {
        "totals": figures.totals(), "songs": figures.popular_songs(25), "days": (days := figures.plays_by_day()),
        "clock": (clock := figures.clock()),
        "plays_chart": charts.days(days, "plays", "plays"),
        "clock_chart": charts.shades(clock, "hour", "day", "hours", "hour of the day, UTC", y_order=list(DAYS.values())),
    }


def short(day):
    """A day as a chart's axis has it."""
    return f"{datetime.date.fromisoformat(day):%-d %b}"


def of_all(rows):
    return [row for row in rows if row["dimension"] == "all"]


def by_level(rows):
    return [row for row in rows if row["dimension"] == "level"]


def cohorts(rows):
    """The chart of who comes back."""
    named = [{**row, "cohort": short(row["cohort_week"])} for row in rows]
    order = list(dict.fromkeys(row["cohort"] for row in named))
    return charts.shades(named, "weeks_later", "cohort", "retention", "weeks later", y_order=order, format=".0%")


def users(figures):
    daily, weekly, monthly = (figures.active(period) for period in ("daily", "weekly", "monthly"))
    retention = figures.retention()
    return {
        "daily": of_all(daily), "weekly": of_all(weekly), "monthly": of_all(monthly), "retention": retention,
        "states": (states := figures.states(12)),
        "daily_chart": daily and charts.days([{"day": row["period"], "users": row["users"]} for row in of_all(daily)], "users", "active users"),
        "weekly_chart": weekly and charts.levels(by_level(weekly), "%-d %b"),
        "states_chart": states and charts.bars(states, "state", "users"),
        "retention_chart": retention and cohorts(retention),
    }


def demographics(figures):
    page = {"month": figures.demographics_month(), "funnel": figures.funnel()}
    for column in ("account_age", "gender", "level", "state"):
        rows = figures.demographics(column)
        page[column] = rows
        page[f"{column}_chart"] = rows and charts.bars(rows[:12], "member", "listeners")
    rows = sorted(page["level"], key=lambda row: -row["hours_each"])
    page["hours_chart"] = rows and charts.bars(rows, "member", "hours_each", format=".1f")
    return page


def weekly(figures):
    week, rules = figures.newest_week(), figures.rules()
    if week is None:
        return {"week": None, "rules": rules}
    songs, climb = figures.chart(week, 40), figures.climb(week, 10, WEEKS_SHOWN)
    first = next(row["key"] for row in climb if row["chart_rank"] == 1 and row["week"] == week.isoformat())
    artists = figures.artists(week, 15)
    last_day = week + datetime.timedelta(days=6)
    return {
        "week": week, "rules": rules, "last_day": last_day, "is_over": last_day < figures.today(), "songs": songs, "artists": artists, "climb": climb,
        "climb_chart": charts.places(climb, first),
        "artists_chart": charts.bars(artists, "artist", "points"),
    }


def wrapped(figures):
    year = figures.year()
    if year is None:
        return {"year": None}
    songs, artists = figures.year_list(year, "song", 10), figures.year_list(year, "artist", 10)
    hours = figures.year_hours(year)
    return {
        "year": year, "is_over": year < figures.today().year, "totals": figures.year_totals(year), "songs": songs, "artists": artists,
        "listeners": figures.year_listeners(year), "hours": hours,
        "artists_chart": charts.bars(artists, "artist", "counted_plays"),
        "hours_chart": hours and charts.steps(hours, "from_hours", "listeners", "hours listened, from", "listeners"),
    }


MAKERS = dict(zip([name for name, _ in PAGES], (popular, users, demographics, weekly, wrapped), strict=True))


def pages(db):
    """Name and text of each page."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).with_name("templates")),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    templates.filters["day"] = lambda day: f"{(datetime.date.fromisoformat(day) if isinstance(day, str) else day):%-d %B %Y}"
    templates.filters["whole"] = lambda number: f"{number:,.0f}"
    figures = Figures(db)
    totals = figures.totals()
    for name, title in PAGES:
        # Without a play there is nothing that a page could show.
        shown = MAKERS[name](figures) if totals["plays"] else {}
        template = templates.get_template(f"{name}.html" if shown else "empty.html")
        yield name, template.render(name=name, title=title, pages=PAGES, through=totals["last_day"], **shown)


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: build.py MARTS.duckdb FOLDER")
    marts, folder = map(pathlib.Path, sys.argv[1:])
    if not marts.is_file():
        raise SystemExit(f"{marts} is missing: build the marts first (`make marts`), or name another file with MARTS=")
    with duckdb.connect(str(marts), read_only=True) as db:
        # All before the first is written: pages of one report are of one age.
        made = list(pages(db))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made:
        partial = folder / f"{name}.partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, folder / f"{name}.html")
    print(f"The report is in {folder / 'index.html'}")


if __name__ == "__main__":
    main()
