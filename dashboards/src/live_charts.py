"""Live charts: top songs by name from the engine's JSON API, series from Prometheus."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Row
from grafana_foundation_sdk.models.dashboard import VariableOption

from panels import INSTANCE, board, figure, rows, series

ENGINE = 'job="beatlytica", instance=~"$instance", window="$window"'
WINDOW = (
    CustomVariable("window").label("Window").values("5m,1h,24h").current(VariableOption(selected=True, text="1h", value="1h"))
)


def make():
    made = board("beatlytica-live", "Beatlytica: Live charts", "What is played, and who listens, right now?", INSTANCE, WINDOW)
    made.with_row(Row("Songs"))
    made.with_panel(
        rows("Top songs", "Most played songs of the live window, from the engine's API.",
             "/api/v1/charts/songs?window=${window}&limit=50", "songs",
             ("rank", "#", "number"), ("artist", "Artist", "string"), ("song", "Song", "string"),
             ("plays", "Plays", "number"), ("listeners", "Listeners", "number"), ("last_played", "Last played", "timestamp"),
             height=16, widths={"#": 45, "Plays": 75, "Listeners": 90, "Last played": 165}))
    made.with_panel(
        series("How many plays has each rank?", "Plays of the songs at ranks 1 to 10. A rank may change its song.", "locale",
               (f"beatlytica_chart_plays{{{ENGINE}}}", "rank {{rank}}")))
    made.with_panel(
        series("How many listeners has each rank?", "Distinct listeners of the songs at ranks 1 to 10.", "locale",
               (f"beatlytica_chart_listeners{{{ENGINE}}}", "rank {{rank}}")))
    made.with_row(Row("Listeners"))
    made.with_panel(figure("Active users", "Distinct users with an event in the live window. Several engines: of the one that sees the most, for one user may be with several of them.", "locale", f"max(beatlytica_active_users{{{ENGINE}}})", span=6))
    made.with_panel(figure("Live window ends", "Event time at the end of the live window.", "dateTimeFromNow",
                           f'1000 * max(beatlytica_window_end_timestamp_seconds{{{ENGINE}, at="live"}})', span=6, line=False))
    made.with_panel(figure("Closed window ends", "Event time at the end of the last closed window.", "dateTimeFromNow",
                           f'1000 * max(beatlytica_window_end_timestamp_seconds{{{ENGINE}, at="closed"}})', span=6, line=False, empty="none closed yet",
                           runbooks=["BeatlyticaWatermarkStuck"]))
    made.with_panel(figure("Streams open", "Browsers that follow the live page.", "locale", 'sum(beatlytica_http_streams{job="beatlytica", instance=~"$instance"})', span=6))
    for by in ("level", "gender"):
        made.with_panel(series(f"How many users of each {by} are active?", f"Distinct users with an event in the live window, by {by}. Several engines: of the one that sees the most.", "locale",
                               (f"max by ({by}) (beatlytica_active_users_by_{by}{{{ENGINE}}})", f"{{{{{by}}}}}"), stacked=True))
    for by in ("level", "gender", "state"):
        made.with_panel(rows(f"Active users by {by}", f"Active users of the live window by {by}, from the engine's API.",
                             f"/api/v1/active-users?window=${{window}}&by={by}", "groups",
                             (by, by.capitalize(), "string"), ("users", "Users", "number"), span=8, height=8,
                             widths={by.capitalize(): 120}, bar="Users"))
    return made
