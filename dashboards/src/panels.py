"""What all dashboards have in common: data sources, variables, panels with a unit, a description and an empty state."""

from grafana_foundation_sdk.builders import bigquery, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import bigquery as bigquery_models
from grafana_foundation_sdk.models import common, dashboard as models

PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")
INFINITY = common.DataSourceRef(type_val="yesoreyeram-infinity-datasource", uid="infinity")
BIGQUERY = common.DataSourceRef(type_val="grafana-bigquery-datasource", uid="bigquery")
#: A dashboard's width in columns, and half of it.
FULL, HALF = 24, 12
#: How far an axis reaches at least, by unit; 1 with any other.
TOPS = {"s": 0.1, "Bps": 1000}


def board(uid, title, description, *variables):
    """An empty dashboard of ours, linked to the others."""
    made = (
        dashboard.Dashboard(title).uid(uid).description(description).tags(["beatlytica"]).readonly()
        .time("now-1h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Beatlytica").type(models.DashboardLinkType.DASHBOARDS).tags(["beatlytica"]))
        .with_variable(
            dashboard.ConstantVariable("docs").label("Documents").value("/usr/share/doc/beatlytica")
        )
    )
    for variable in variables:
        made.with_variable(variable)
    return made


def label_variable(name, label, query):
    """A choice among a label's values; all by default."""
    return (
        dashboard.QueryVariable(name).label(label).datasource(PROMETHEUS).query(query).multi(True).include_all(True)
        .all_value(".*").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


INSTANCE = label_variable("instance", "Engine", 'label_values(up{job="beatlytica"}, instance)')
TOPIC = label_variable("topic", "Topic", 'label_values(beatlytica_partition_position{instance=~"$instance"}, topic)')
PARTITION = label_variable(
    "partition", "Partition", 'label_values(beatlytica_partition_position{topic=~"$topic"}, partition)'
)


def thresholds(*steps):
    """Colours from a value on; the first has none."""
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(
        [models.Threshold(value=value, color=color) for value, color in steps]
    )


def finish(panel, title, description, unit, empty, runbooks):
    """What every panel has."""
    panel.title(title).description(description).unit(unit).no_value(empty)
    return panel.links([
        dashboard.DashboardLink(f"Runbook: {name}").type(models.DashboardLinkType.LINK).target_blank(True)
        .url(f"${{docs}}/runbooks/{name}.md")
        for name in runbooks
    ])


def query(expression, legend, instant=False):
    made = prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).legend_format(legend)
    return made.instant() if instant else made.range()


def targets(panel, queries, instant=False):
    for number, (expression, legend) in enumerate(queries):
        panel.with_target(query(expression, legend, instant).ref_id(chr(ord("A") + number)))
    return panel


def series(title, description, unit, *queries, span=HALF, empty="no data", runbooks=(), limits=None, stacked=False, top=None, log=False):
    """Lines over time; `queries` are pairs of expression and legend. The axis reaches at least to `top`, so that next to
    nothing does not look like much; with `log` it is logarithmic, for values of very different size."""
    panel = (
        timeseries.Panel().datasource(PROMETHEUS).span(span).height(8).line_width(1).fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .legend(common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE)
                .placement(common.LegendPlacement.RIGHT).show_legend(True).calcs(["lastNotNull", "max"])
                .sort_by("Last *").sort_desc(True))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    )
    if log:
        panel.scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(2))
    else:
        panel.min(0).axis_soft_max(TOPS.get(unit, 1) if top is None else top)
    if limits:
        panel.thresholds(thresholds(*limits)).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")).fill_opacity(40)
    return finish(targets(panel, queries), title, description, unit, empty, runbooks)


def figure(title, description, unit, expression, legend="", span=4, empty="-", runbooks=(), limits=((None, "green"),), decimals=None, line=True):
    """One figure, coloured by its limits, with its line over time."""
    panel = (
        stat.Panel().datasource(PROMETHEUS).span(span).height(4).thresholds(thresholds(*limits))
        .color_mode(common.BigValueColorMode.VALUE).graph_mode(common.BigValueGraphMode.AREA if line else common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if decimals is not None:
        panel.decimals(decimals)
    return finish(targets(panel, [(expression, legend)]), title, description, unit, empty, runbooks)


class InfinityQuery(variants.Dataquery):
    """A query of the Infinity data source: JSON rows of an address; the SDK has no model of it."""

    def __init__(self, url, root, columns):
        self.json = {
            "refId": "A", "datasource": INFINITY.to_json(), "type": "json", "parser": "backend", "source": "url",
            "format": "table", "url": url, "url_options": {"method": "GET"}, "root_selector": root,
            "columns": [{"selector": name, "text": text, "type": kind} for name, text, kind in columns],
        }

    def to_json(self):
        return self.json


class Built(builder.Builder):
    """A query that is built already."""

    def __init__(self, query):
        self.query = query

    def build(self):
        return self.query


def rows(title, description, url, root, *columns, span=HALF, height=12, widths=None, bar=None, empty="nothing counted yet"):
    """A table from the engine's JSON API; `columns` are (member, heading, type), `widths` maps headings to pixels, `bar` is the
    heading of a column that is drawn as bars."""
    panel = table.Panel().datasource(INFINITY).span(span).height(height)
    panel.with_target(Built(InfinityQuery(url, root, columns)))
    for heading, width in (widths or {}).items():
        panel.override_by_name(heading, [models.DynamicConfigValue(id_val="custom.width", value=width)])
    if bar:
        panel.override_by_name(bar, [
            models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}),
            models.DynamicConfigValue(id_val="min", value=0),
            models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "blue"}),
        ])
    return finish(panel, title, description, "locale", empty, ())


def mart(title, description, unit, sql, kind="series", span=HALF, height=8, widths=None, units=None, empty="no rows in this range"):
    """A panel on a mart in BigQuery; of a table, `widths` maps columns to pixels, and `units` those that have another unit."""
    if kind == "series":
        # A month is one point.
        panel = (
            timeseries.Panel().min(0).axis_soft_max(0.1 if unit == "percentunit" else 1)
            .show_points(common.VisibilityMode.ALWAYS).point_size(5)
            .legend(common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
                    .placement(common.LegendPlacement.BOTTOM).show_legend(True).calcs([]))
        )
        form = bigquery_models.QueryFormat.TIMESERIES
    else:
        panel, form = table.Panel(), bigquery_models.QueryFormat.TABLE
        # It also stands for what is null in a row.
        empty = "-"
    for column, width in (widths or {}).items():
        panel.override_by_name(column, [models.DynamicConfigValue(id_val="custom.width", value=width)])
    for column, other in (units or {}).items():
        panel.override_by_name(column, [models.DynamicConfigValue(id_val="unit", value=other)])
    panel.datasource(BIGQUERY).span(span).height(height).with_target(
        bigquery.Dataquery().ref_id("A").datasource(BIGQUERY).raw_query(True).raw_sql(sql.strip()).format(form)
        .editor_mode(bigquery_models.EditorMode.CODE).location("${location}")
    )
    return finish(panel, title, description, unit, empty, ())
