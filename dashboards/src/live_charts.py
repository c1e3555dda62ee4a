"""Live charts: top songs by name from the engine's JSON API, series from Prometheus."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Row
from grafana_foundation_sdk.models.dashboard import VariableOption

from panels import INSTANCE, bars, board, figure, rows, series

ENGINE = 'job="beatlytica", instance=~"$instance", window="$window"'
WINDOW = (
    CustomVariable("window").label("Window").values("5m,1h,24h").current(VariableOption(selected=True, text="1h", value="1h"))
)


def make():
    made = board("beatlytica-live", "Beatlytica: Live charts", "What is played, and who listens, right now?", INSTANCE, WINDOW)
    made.with_row(Row("Songs"))
    made.with_panel(rows("Top songs", "Most played songs of the live window, from the engine's API.",
                         "/api/v1/charts/songs?window=${window}&limit=50", "songs",
                         ("rank", "#", "number"), ("artist", "Artist", "string"), ("song", "Song", "string"),
                         ("plays", "Plays", "number"), ("listeners", "Listeners", "number"), ("last_played", "Last played", "timestamp"),
                         height=16))
    made.with_panel(series("How many plays has each rank?", "Plays of the songs at ranks 1 to 10. A rank may change its song.", "short",
                           (f"beatlytica_chart_plays{{{ENGINE}}}", "rank {{rank}}")))
    made.with_panel(series("How many listeners has each rank?", "Distinct listeners of the songs at ranks 1 to 10.", "short",
                           (f"beatlytica_chart_listeners{{{ENGINE}}}", "rank {{rank}}")))
    made.with_row(Row("Listeners"))
    made.with_panel(figure("Active users", "Distinct users with an event in the live window.", "short", f"sum(beatlytica_active_users{{{ENGINE}}})", span=6))
    made.with_panel(figure("Live window ends", "Event time at the end of the live window.", "dateTimeFromNow",
                           f'1000 * max(beatlytica_window_end_timestamp_seconds{{{ENGINE}, at="live"}})', span=6))
    made.with_panel(figure("Closed window ends", "Event time at the end of the last closed window.", "dateTimeFromNow",
                           f'1000 * max(beatlytica_window_end_timestamp_seconds{{{ENGINE}, at="closed"}})', span=6, empty="none closed yet",
                           runbooks=["BeatlyticaWatermarkStuck"]))
    made.with_panel(figure("Streams open", "Browsers that follow the live page.", "short", 'sum(beatlytica_http_streams{job="beatlytica", instance=~"$instance"})', span=6))
    made.with_panel(series("How many users are active?", "By subscription level.", "short",
                           (f"sum by (level) (beatlytica_active_users_by_level{{{ENGINE}}})", "{{level}}"), stacked=True))
    made.with_panel(bars("Which gender are they?", "Active users by gender.", "short", f"sum by (gender) (beatlytica_active_users_by_gender{{{ENGINE}}})", "{{gender}}"))
    for by, title in (("level", "Which plan have they?"), ("gender", "Which gender, exactly?"), ("state", "Where are they?")):
        made.with_panel(rows(title, f"Active users of the live window by {by}, from the engine's API.",
                             f"/api/v1/active-users?window=${{window}}&by={by}", "groups",
                             (by, by.capitalize(), "string"), ("users", "Users", "number"), span=8, height=10))
    return made
