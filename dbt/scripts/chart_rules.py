"""Writes seeds/chart_rules.csv from config/charts/*.toml, the one source of the chart rules.

    chart_rules.py            write the seed
    chart_rules.py --check    exit 1 when the seed is not what the rules say
"""

import csv
import datetime
import io
import pathlib
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "config" / "charts"
SEED = ROOT / "dbt" / "seeds" / "chart_rules.csv"
WEEKDAYS = ("thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday")  # 1970-01-01 was a Thursday
NUMBERS = ("min_listened_ms", "max_plays_per_listener_day", "positions")
KEYS = {"name", "week_starts_on", "points", *NUMBERS}
COLUMNS = ("rule_set", "level", "points", "points_per_paid_play", "week_anchor", *NUMBERS)


def fail(path, cause):
    raise SystemExit(f"{path}: {cause}")


def positive(path, key, value, least=1):
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        fail(path, f"{key} is {value!r}: give a whole number from {least}")
    return value


def rows_of(path):
    """One row for each level of a rule set."""
    rules = tomllib.loads(path.read_text())
    unknown, missing = sorted(set(rules) - KEYS), sorted(KEYS - set(rules))
    if unknown or missing:
        fail(path, f"unknown keys {unknown}, missing keys {missing}")
    if rules["name"] != path.stem:
        fail(path, f"name is {rules['name']!r}: it must be the file's, {path.stem!r}")
    if rules["week_starts_on"] not in WEEKDAYS:
        fail(path, f"week_starts_on is {rules['week_starts_on']!r}: give one of {', '.join(sorted(WEEKDAYS))}")
    if "paid" not in rules["points"]:
        fail(path, "points names no level paid")
    anchor = datetime.date(1970, 1, 1) + datetime.timedelta(days=WEEKDAYS.index(rules["week_starts_on"]))
    numbers = [positive(path, key, rules[key]) for key in NUMBERS]
    paid = positive(path, "points.paid", rules["points"]["paid"])
    return [
        [rules["name"], level, positive(path, f"points.{level}", points, 0), paid, anchor.isoformat(), *numbers]
        for level, points in sorted(rules["points"].items())
    ]


def seed():
    """The seed's text."""
    rows = [row for path in sorted(RULES.glob("*.toml")) for row in rows_of(path)]
    if len({row[4] for row in rows}) != 1:
        fail(RULES, "the rule sets differ in week_starts_on: a chart week is one for all")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def main():
    text = seed()
    if "--check" not in sys.argv[1:]:
        SEED.write_text(text)
    elif not SEED.is_file() or SEED.read_text() != text:
        fail(SEED, "not what config/charts says: run dbt/scripts/chart_rules.py")


if __name__ == "__main__":
    main()
