"""`make observe`: the demo, Prometheus and Alertmanager, one page that links them, and a clean end."""

import contextlib
import os
import re
import signal
import socket
import urllib.parse
import urllib.request

from browser import DESK, chromium
from harness import ROOT, Process, binary, free_ports, wait_until


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def observed(environment, log):
    """The script; what goes wrong ends it as Ctrl-C does, with all that it started."""
    process = Process([], environment, log, program=str(ROOT / "scripts" / "observe.sh"))
    try:
        yield process
    finally:
        process.send(signal.SIGINT)
        process.wait(60)


def test_one_page_links_all_and_all_ends_with_it(tmp_path):
    ports = free_ports(4)
    environment = {
        "BEATLYTICA_BIN": binary(), "OBSERVE_FOLDER": str(tmp_path / "observed"), "OBSERVE_PORTS": " ".join(map(str, ports)),
        "DEMO_FLAGS": "--history 20m --users 5000",
    }
    page = f"http://127.0.0.1:{ports[3]}/"
    with observed(environment, tmp_path / "observe.log") as process:
        def started():
            assert process.poll() is None, process.tail()
            return f"everything is linked at {page}" in process.tail()

        wait_until(started, "the page's address", 90)
        with chromium() as browser:
            tab = browser.new_page(viewport=DESK)

            def settled():
                tab.goto(page)
                text = tab.inner_text("body")
                return "does not answer" not in text and "None fires" in text and len(re.findall(r"\n[\d,]+(?: s)?(?=\n)", text)) == 4

            wait_until(settled, "figures and no alert", 60, every=1)
            links = tab.eval_on_selector_all("a", "all => all.map(a => a.href)")
            assert {urllib.parse.urlsplit(link).port for link in links} == set(ports), links
            for link in links:
                assert urllib.request.urlopen(link, timeout=10).status == 200, link
            targets = urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/api/v1/targets").read().decode()
            assert targets.count('"health":"up"') == 2, "the engine and Prometheus itself"
            runbook = tab.goto(page + "docs/runbooks/BeatlyticaDown.md")
            assert runbook.status == 200 and "## What to do" in tab.inner_text("body"), "what an alert links to is shown"
            if named := os.environ.get("OBSERVE_PICTURE"):
                tab.goto(page)
                tab.screenshot(path=named, full_page=True)
    assert process.ended.code == 0, process.tail()
    assert ": 0 findings of damage" in process.tail(), process.tail()
    assert not any(map(answers, ports)), "something goes on running"
