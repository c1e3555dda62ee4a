"""SLO: is the promise of freshness kept, and how much of its budget is left?"""

from grafana_foundation_sdk.builders.dashboard import Row

from panels import board, figure, series

STALE = "job:beatlytica_stale_partitions:ratio"
OBJECTIVE = 0.995
BUDGET = "0.005"


def make():
    made = board("beatlytica-slo", "Beatlytica: SLO",
                 "The promise: 99.5 % of the time, over partitions, each record is in the lake within five minutes.")
    made.time("now-7d", "now")
    made.with_row(Row("The promise"))
    fast = ["BeatlyticaFreshnessBurnFast"]
    made.with_panel(figure("Fresh, over this range", "Share of partition time that kept the promise.", "percentunit",
                           f"1 - avg_over_time({STALE}[$__range])", span=6, decimals=3,
                           limits=((None, "red"), (OBJECTIVE, "green")), runbooks=["BeatlyticaFreshnessBurnSlow"]))
    made.with_panel(figure("Budget left, of this range", "1: none of the allowed stale time was used. Below 0: the promise was broken.", "percentunit",
                           f"1 - avg_over_time({STALE}[$__range]) / {BUDGET}", span=6, decimals=1,
                           limits=((None, "red"), (0, "yellow"), (0.5, "green")), runbooks=["BeatlyticaFreshnessBurnSlow"]))
    made.with_panel(figure("Stale now", "Share of partitions that hold a record older than five minutes.", "percentunit", STALE, span=6,
                           limits=((None, "green"), (0.001, "red")), runbooks=fast))
    made.with_panel(figure("Alerts firing", "Alerts of ours that fire now.", "none",
                           'count(ALERTS{alertname=~"Beatlytica.*", alertstate="firing"}) or vector(0)', span=6,
                           limits=((None, "green"), (1, "red"))))
    made.with_row(Row("The budget"))
    made.with_panel(series("How fast is the budget used?", "1: exactly used up by the end of the 30 days. 14.4 in the last hour and 6 in the last six hours page.", "none",
                           *((f"{STALE}_avg{window} / {BUDGET}", f"over {window}") for window in ("5m", "1h", "6h", "3d")),
                           limits=((None, "transparent"), (6, "orange"), (14.4, "red")), top=20, runbooks=fast))
    made.with_panel(series("Which share of partitions is stale?", "Older than five minutes, or not served at all.", "percentunit", (STALE, "stale"), top=0.1, runbooks=fast))
    made.with_row(Row("Why?"))
    made.with_panel(series("How old is each topic's oldest record that is not in the lake?", "Of the worst partition; the dashboard Pipeline shows all.", "s",
                           ('max by (topic) (beatlytica_partition_lag_seconds{job="beatlytica"})', "{{topic}}"),
                           limits=((None, "transparent"), (300, "red")), runbooks=["BeatlyticaNotMoving"]))
    made.with_panel(series("Was every engine there?", "1: the engine answered its scrape.", "none", ('up{job="beatlytica"}', "{{instance}}"), runbooks=["BeatlyticaDown"]))
    return made
