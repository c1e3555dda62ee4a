"""Charts as SVG text, drawn by Vega-Lite through Altair. Colours are the page's variables, so they follow light and dark."""

import datetime

import altair as alt
import vl_convert
from markupsafe import Markup

INK, MUTED, LINE, ACCENT, SECOND = (f"var(--{name})" for name in ("ink", "muted", "line", "accent", "second"))
WIDTH, HEIGHT = 480, 220
SHADES = [f"var(--shade-{number})" for number in range(1, 6)]


def drawn(chart, height=HEIGHT):
    """SVG of a chart. What it says is told by the page, so it carries no roles of its own."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    spec = (
        chart.properties(width=WIDTH, height=height, background="transparent", autosize=fit)
        .configure(aria=False, font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, domainColor=LINE, gridColor=LINE, ticks=False, labelFontSize=12, titleFontSize=12,
            titleFontWeight="normal", labelPadding=6, labelLimit=220,
        )
        .configure_axisX(grid=False)
        .configure_axisY(domain=False)
        .configure_legend(labelColor=INK, titleColor=MUTED, labelFontSize=12, orient="top", title=None, symbolType="square")
    )
    # The drawing's text is escaped by Vega, its colours are ours.
    return Markup(vl_convert.vegalite_to_svg(spec.to_dict(), allowed_base_urls=[]))


def data(rows):
    return alt.InlineData(values=rows)


def with_empty_days(rows, name):
    """The rows, and 0 at both ends of days that have none: a line from one neighbour to the other would tell of what was not."""
    found = []
    for row in rows:
        day = datetime.date.fromisoformat(row["day"])
        if found:
            after = datetime.date.fromisoformat(found[-1]["day"]) + datetime.timedelta(days=1)
            ends = {after, day - datetime.timedelta(days=1)} if after < day else ()
            found += [{"day": each.isoformat(), name: 0} for each in sorted(ends)]
        found.append(row)
    return found


def days(rows, name, title):
    """A value for each day."""
    base = alt.Chart(data(with_empty_days(rows, name))).encode(
        # Days are UTC's, wherever the report is made.
        x=alt.X("day:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(format="%-d %b", tickCount=6)),
        y=alt.Y(f"{name}:Q", title=title, axis=alt.Axis(tickCount=4, tickMinStep=1, format=",d")),
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2, point={"size": 12, "color": ACCENT, "filled": True})
    return drawn(base.mark_area(color=ACCENT, opacity=0.15) + line)


def levels(rows, format):
    """Active users by level, stacked, for each period."""
    axis = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr=f"utcFormat(toDate(datum.value), '{format}')")
    chart = alt.Chart(data(rows)).mark_bar().encode(
        x=alt.X("period:O", title=None, axis=axis),
        y=alt.Y("users:Q", title="active users", axis=alt.Axis(tickCount=4, tickMinStep=1, format=",d")),
        color=alt.Color("member:N", scale=alt.Scale(domain=["paid", "free"], range=[ACCENT, SECOND])),
        order=alt.Order("member:N", sort="descending"),
    )
    return drawn(chart)


def bars(rows, name, value, format=",d"):
    """Horizontal bars in the order of the rows, each with its value."""
    base = alt.Chart(data(rows)).encode(
        y=alt.Y(f"{name}:N", sort=None, title=None, axis=alt.Axis(labelColor=INK)),
        x=alt.X(f"{value}:Q", title=None, axis=None, scale=alt.Scale(nice=False, domainMin=0, padding=28)),
    )
    text = base.mark_text(align="left", dx=5, color=MUTED, fontSize=12).encode(text=alt.Text(f"{value}:Q", format=format))
    return drawn(base.mark_bar(color=ACCENT, height={"band": 0.7}) + text, height=alt.Step(24))


def shades(rows, x, y, value, x_title, y_order=None, format=",d"):
    """A field of squares, stronger for more."""
    # Where all are of one value there are no steps to explain, and they would be drawn infinitely wide.
    legend = alt.Legend(format=format, title=None) if len({row[value] for row in rows}) > 1 else None
    chart = alt.Chart(data(rows)).mark_rect(stroke="var(--paper)", strokeWidth=2).encode(
        x=alt.X(f"{x}:O", title=x_title, axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False)),
        y=alt.Y(f"{y}:O", title=None, sort=y_order or "ascending"),
        color=alt.Color(f"{value}:Q", scale=alt.Scale(type="quantize", range=SHADES), legend=legend),
    )
    return drawn(chart)


def places(rows, first):
    """Places over weeks, a line for each song; `first` of them in colour."""
    weeks = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr="utcFormat(toDate(datum.value), '%-d %b')")
    ranks = alt.Axis(values=[1, 2, 3, 5, 10, 20, 50, 100, 200])
    shown = [{**row, "leads": row["key"] == first} for row in rows]
    base = alt.Chart(data(shown)).encode(
        x=alt.X("week:O", title=None, axis=weeks),
        y=alt.Y("chart_rank:Q", title="place", scale=alt.Scale(type="log", reverse=True, nice=False), axis=ranks),
        detail="key:N",
        color=alt.condition("datum.leads", alt.value(ACCENT), alt.value(SECOND)),
    )
    return drawn(base.mark_line(strokeWidth=2) + base.mark_circle(size=36, opacity=1), height=300)


def steps(rows, name, value, x_title, y_title):
    """Counts in steps."""
    chart = alt.Chart(data(rows)).mark_bar(color=ACCENT).encode(
        x=alt.X(f"{name}:O", title=x_title, axis=alt.Axis(labelAngle=0)),
        y=alt.Y(f"{value}:Q", title=y_title, axis=alt.Axis(tickCount=4, tickMinStep=1, format=",d")),
    )
    return drawn(chart)
