"""The page that links what `make observe` starts, with the state of each; and the runbooks, which the alerts link to.

    observe_page.py HOST:PORT PROCESS ENGINE PROMETHEUS ALERTMANAGER [GRAFANA]
"""

import html
import http.server
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
#: What the page tells of the engine: name, query, and how its number is written.
FIGURES = [
    ("Records a second", "sum(rate(beatlytica_partition_records_read_total[1m]))", "{:,.0f}"),
    ("Oldest record not in the lake", "max(beatlytica_partition_lag_seconds)", "{:,.0f} s"),
    ("Users active in the last hour", 'sum(beatlytica_active_users{window="1h"})', "{:,.0f}"),
    ("Uploads that failed, last hour", 'sum(increase(beatlytica_uploads_total{outcome="failed"}[1h])) or vector(0)', "{:,.0f}"),
]
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Beatlytica, observed</title><style>
body{{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}}
a{{color:#0b57b7}} h1{{font-size:1.5rem}} h2{{font-size:1.1rem;margin:1.8rem 0 .4rem}} code{{background:#eef1f4;padding:.1rem .3rem}}
dl{{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:1rem}} dl div{{border:1px solid #d0d5db;
border-radius:.4rem;padding:.6rem .8rem}} dt{{font-size:.85rem;color:#57606a}} dd{{margin:0;font-size:1.5rem}}
table{{border-collapse:collapse;width:100%}} td{{border-top:1px solid #d0d5db;padding:.5rem .6rem .5rem 0;vertical-align:top}}
.good{{color:#116329}} .bad{{color:#a40e26}} .good,.bad{{font-weight:600;white-space:nowrap}}
@media(prefers-color-scheme:dark){{body{{color:#e6e8eb;background:#14171a}}a{{color:#7ab7ff}}code{{background:#262b31}}
dl div,td{{border-color:#3a4047}}dt{{color:#a5adb6}}.good{{color:#56d364}}.bad{{color:#ff8182}}}}
</style></head><body><h1>Beatlytica, observed</h1>
<h2>Alerts</h2>{alerts}
<h2>Now</h2><dl>{figures}</dl>
<h2>Where to look</h2><table>{rows}</table>
<p>To see an alert fire, stop the demo for three minutes: <code>kill -STOP {process}</code>, later <code>kill -CONT {process}</code>.
The demo's lake is checked when it ends.</p></body></html>
"""


def asked(url):
    """The answer's text, or none."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.read().decode()
    except (OSError, ValueError):
        return None


def result(prometheus, query):
    """What Prometheus finds."""
    answer = asked(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return json.loads(answer)["data"]["result"] if answer else []


def link(url, text):
    return f'<a href="{html.escape(url)}">{html.escape(text)}</a>'


def state(good, yes, no):
    return f'<span class="good">{yes}</span>' if good else f'<span class="bad">{no}</span>'


def alerts(prometheus, alertmanager):
    """What fires, each with its runbook, and whether Alertmanager holds it back."""
    answer = asked(f"{prometheus}/api/v1/alerts")
    if not answer:
        return f"<p>{state(False, '', 'Prometheus does not answer')}</p>"
    firing = [alert for alert in json.loads(answer)["data"]["alerts"] if alert["state"] == "firing"]
    if not firing:
        return f"<p>{state(True, 'None fires', '')}</p>"
    held = {each["labels"]["alertname"] for each in json.loads(asked(f"{alertmanager}/api/v2/alerts?active=false") or "[]")}
    items = [
        f"<li>{state(False, '', html.escape(alert['labels']['severity']))} {html.escape(alert['annotations']['summary'])}: "
        f"{link(alert['annotations']['runbook_url'], 'runbook')}"
        f"{' (nobody is told: another alert explains it)' if alert['labels']['alertname'] in held else ''}</li>"
        for alert in firing
    ]
    return f"<ul>{''.join(items)}</ul>"


def page(process, engine, prometheus, alertmanager, grafana):
    """The page as of now. Debian's Prometheus has its pages below /classic."""
    figures = []
    for name, query, form in FIGURES:
        found = result(prometheus, query)
        figures.append(f"<div><dt>{name}</dt><dd>{form.format(float(found[0]['value'][1])) if found else '-'}</dd></div>")
    graph = "/classic/graph?" + urllib.parse.urlencode({"g0.expr": "beatlytica_partition_lag_seconds", "g0.tab": "0", "g0.range_input": "15m"})
    rows = [
        (asked(f"{engine}/readyz"), link(f"{engine}/", "Live page"),
         [link(f"{engine}/api/v1/status", "status"), link(f"{engine}/metrics", "metrics"), link(f"{engine}/readyz", "ready?")]),
        (asked(f"{prometheus}/-/ready"), link(f"{prometheus}/classic/alerts", "Prometheus: alerts"),
         [link(f"{prometheus}/classic/targets", "targets"), link(f"{prometheus}{graph}", "lag in seconds"), link(f"{prometheus}/classic/rules", "rules")]),
        # Debian's package comes without Alertmanager's pages.
        (asked(f"{alertmanager}/-/ready"), link(f"{alertmanager}/api/v2/alerts", "Alertmanager: alerts (JSON)"),
         [link(f"{alertmanager}/api/v2/status", "status"), link(f"{alertmanager}/api/v2/silences", "silences")]),
    ]
    if grafana:
        rows.append((asked(f"{grafana}/api/health"), link(f"{grafana}/dashboards", "Grafana"), []))
    else:
        rows.append(("", "Grafana: no binary on this machine", ["its dashboards lie in <code>dashboards/</code>, its provisioning in <code>infra/grafana/</code>"]))
    rows.append(("", "Documents", [link("/docs/runbooks/", "runbooks"), link("/docs/operations.md", "operations"), link("/docs/metrics.md", "metrics")]))
    cells = [
        f"<tr><td>{'' if answer == '' else state(answer, 'answers', 'does not answer')}</td><td>{name}</td><td>{', '.join(more)}</td></tr>"
        for answer, name, more in rows
    ]
    return PAGE.format(process=int(process), alerts=alerts(prometheus, alertmanager), figures="".join(figures), rows="".join(cells))


def document(path):
    """A file below docs/, or the links to what a folder holds; none for anything else."""
    found = (DOCS / path.removeprefix("/docs/")).resolve()
    if not found.is_relative_to(DOCS):
        return None
    if found.is_dir():
        names = "".join(f"<li>{link(f'/docs/{each.relative_to(DOCS)}', each.name)}</li>" for each in sorted(found.iterdir()))
        return "text/html; charset=utf-8", f"<!doctype html><title>{html.escape(path)}</title><ul>{names}</ul>".encode()
    if found.suffix == ".md" and found.is_file():
        return "text/plain; charset=utf-8", found.read_bytes()
    return None


def main():
    listen, process, engine, prometheus, alertmanager, *grafana = sys.argv[1:]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/":
                answer = "text/html; charset=utf-8", page(process, engine, prometheus, alertmanager, *(grafana or [None])).encode()
            else:
                answer = document(urllib.parse.unquote(self.path)) if self.path.startswith("/docs/") else None
            self.send_response(200 if answer else 404)
            kind, body = answer or ("text/plain", b"there is no such page\n")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    host, port = listen.rsplit(":", 1)
    http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
