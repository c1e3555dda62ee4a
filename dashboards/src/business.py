"""Business: the marts in BigQuery."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Row, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import VariableOption

from panels import board, mart

#: Widths of a chart's columns; the names take what is left.
RANKS = {"chart_rank": 90, "points": 80, "last_rank": 80, "peak_rank": 85, "weeks_on_chart": 125, "is_debut": 75}
DAYS = "event_date between date($__timeFrom()) and date($__timeTo())"


def source(name):
    return f"`${{project}}.${{dataset}}.{name}`"


def make():
    made = board(
        "beatlytica-business", "Beatlytica: Business", "Charts, listeners and money, from the hourly marts.",
        TextBoxVariable("project").label("Project").default_value("my-project"),
        TextBoxVariable("dataset").label("Dataset").default_value("beatlytica_marts"),
        TextBoxVariable("location").label("Location").default_value("EU"),
        CustomVariable("rules").label("Chart rules").values("billboard-2026,billboard-2018,plain").current(VariableOption(selected=True, text="billboard-2026", value="billboard-2026")),
    )
    made.time("now-30d", "now").refresh("1h")
    made.with_row(Row("Charts"))
    made.with_panel(mart("This week's chart", "The newest week's ranks, with last week's rank, peak and weeks on the chart.", "locale", f"""
select chart_rank, artist, song, points, last_rank, peak_rank, weeks_on_chart, is_debut
from {source("chart_weekly")}
where rule_set = '${{rules}}' and week_start = (select max(week_start) from {source("chart_weekly")} where week_start <= date($__timeTo()))
order by chart_rank limit 100""", kind="table", height=14, widths=RANKS))
    made.with_panel(mart("This week's artists", "The newest week's ranks by artist.", "locale", f"""
select chart_rank, artist, points, last_rank, peak_rank, weeks_on_chart
from {source("artist_chart_weekly")}
where rule_set = '${{rules}}' and week_start = (select max(week_start) from {source("artist_chart_weekly")} where week_start <= date($__timeTo()))
order by chart_rank limit 100""", kind="table", height=14, widths=RANKS))
    made.with_row(Row("Listeners"))
    made.with_panel(mart("How many users are active each day?", "Distinct users of a day, all of them.", "locale", f"""
select timestamp(event_date) as time, users from {source("active_users_daily")}
where {DAYS} and dimension = 'all' order by time"""))
    made.with_panel(mart("How many of a month's users come each day?", "Daily over monthly active users.", "percentunit", f"""
select timestamp(month_start) as time, stickiness from {source("active_users_monthly")}
where month_start between date($__timeFrom()) and date($__timeTo()) and dimension = 'all' order by time"""))
    made.with_panel(mart("Do they stay?", "Share of a week's new users that are active so many weeks later.", "locale", f"""
select cohort_week, weeks_later, cohort_users, retention from {source("retention_cohorts")}
where cohort_week between date($__timeFrom()) and date($__timeTo()) order by cohort_week, weeks_later""", kind="table", units={"retention": "percentunit"}))
    made.with_panel(mart("When do they listen?", "Plays by day of the week and hour, of the newest month.", "locale", f"""
select day_of_week, hour_of_day, plays from {source("listening_clock")}
where month_start = (select max(month_start) from {source("listening_clock")} where month_start <= date($__timeTo()))
order by day_of_week, hour_of_day""", kind="table"))
    made.with_row(Row("Money"))
    made.with_panel(mart("How do they come and go?", "Guests, registrations, paying, downgraded and cancelled users of a day.", "locale", f"""
select timestamp(event_date) as time, guests, registered, paid, downgraded, cancelled from {source("funnel")}
where {DAYS} order by time"""))
    made.with_panel(mart("How many begin to pay?", "Share of a week's new free users that have paid since. Newer weeks have had less time to.", "percentunit", f"""
select timestamp(cohort_week) as time, conversion from {source("conversion")}
where cohort_week between date($__timeFrom()) and date($__timeTo()) order by time"""))
    made.with_row(Row("Can it be trusted?"))
    made.with_panel(mart("Do the streamed counts agree with the recount?", "What the engine counted less what dbt recounts, by hour and table of counts, and in how many groups they differ, for differences may add up to nothing; all must be 0.", "locale", f"""
select event_hour as time, count_table, difference, differing_groups from {source("reconciliation")}
where {DAYS} order by time"""))
    made.with_panel(mart("How good is the data?", "Measures of quality by topic and day. Those of offsets and of records beyond the calendar are of no day, and stand first.", "locale", f"""
select event_date, topic, measure, amount from {source("data_quality")}
where {DAYS} or event_date is null order by event_date desc nulls first, topic, measure""", kind="table"))
    return made
