"""Small line charts as SVG, of what `growth.py` measured: a row for each thing that grows, a column for each figure."""

import html
import math

FIGURES = {"cpu_microseconds_per_event": "CPU, µs an event", "peak_rss_mib": "peak RSS, MiB", "restart_seconds": "restart, s"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 200, 90, 150, 34, 60


def position(values):
    """Where each value goes, 0 to 1: by its logarithm where the values span more than one power of ten."""
    low = min(value for value in values if value > 0)
    spread = max(values) / low > 10
    scaled = [math.log10(max(value, low / 3)) if spread else value for value in values]
    first, last = min(scaled), max(scaled)
    return [(each - first) / ((last - first) or 1) for each in scaled]


def panel(points, figure, x, y):
    """One chart; its vertical axis begins at 0."""
    heights = [point[figure] for point in points]
    top = max(heights) * 1.15 or 1
    places = [
        (x + share * WIDTH, y + HEIGHT - height / top * HEIGHT) for share, height in zip(position([p["value"] for p in points]), heights)
    ]
    parts = [f'<path d="M{x} {y}V{y + HEIGHT}H{x + WIDTH}" fill="none" stroke="#999"/>']
    parts.append('<polyline fill="none" stroke="#0a6" stroke-width="2" points="' + " ".join(f"{a:.1f},{b:.1f}" for a, b in places) + '"/>')
    for (a, b), point, height in zip(places, points, heights):
        parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="#0a6"/>')
        parts.append(f'<text x="{a:.1f}" y="{b - 6:.1f}" text-anchor="middle">{height:.3g}</text>')
        parts.append(f'<text x="{a:.1f}" y="{y + HEIGHT + 13}" text-anchor="middle" fill="#666">{short(point["value"])}</text>')
    return parts


def short(value):
    """1000000 as 1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def draw(results):
    """The whole picture."""
    width, height = LEFT + len(FIGURES) * (WIDTH + GAP), TOP + len(results) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for column, title in enumerate(FIGURES.values()):
        parts.append(f'<text x="{LEFT + column * (WIDTH + GAP)}" y="16" font-size="13" font-weight="bold">{title}</text>')
    for row, (name, points) in enumerate(results.items()):
        y = TOP + row * (HEIGHT + GAP)
        parts.append(f'<text x="8" y="{y + HEIGHT / 2}" font-size="12">{html.escape(name)}</text>')
        for column, figure in enumerate(FIGURES):
            parts += panel(points, figure, LEFT + column * (WIDTH + GAP), y)
    return "\n".join([*parts, "</svg>\n"])
