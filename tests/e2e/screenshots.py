"""Pictures of the live page for the documentation: real broker, real engine, invented listeners.

`make screenshots` runs it; fonts and pngquant come from Debian (fonts-inter, fonts-noto-core, pngquant).
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import feed
from browser import DESK, PHONE, chromium
from harness import ROOT, Broker, Engine, replay, wait_until

HOUR_MS = 3_600_000
LISTENS, VIEWS, USERS = 120_000, 40_000, 4_000
HOURS = 50
TALL = {**DESK, "height": 1240}
SHOTS = {
    "desk-light": (TALL, "light", 1), "desk-dark": (TALL, "dark", 1),
    "phone-light": (PHONE, "light", 2), "phone-dark": (PHONE, "dark", 2),
}
LARGEST = 200_000


def fill(broker, folder):
    """Two days of listeners that end now."""
    now = int(time.time() * 1000)
    listeners = feed.Feed(USERS)
    events = {
        "listen_events": listeners.listens(now - HOURS * HOUR_MS, now, LISTENS),
        "page_view_events": listeners.views(now - HOURS * HOUR_MS, now, VIEWS),
        "auth_events": [], "status_change_events": [],
    }
    files = {table: [feed.write(folder / f"{table}.jsonl", rows)] for table, rows in events.items()}
    replay(broker, folder, files, 1)


def take(browser, engine, folder):
    for name, (viewport, scheme, scale) in SHOTS.items():
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, device_scale_factor=scale, locale="en-GB", timezone_id="UTC",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{engine.port}/?window=24h")
        page.wait_for_selector("#rows tr")
        page.wait_for_selector("#states .shade-4")
        page.wait_for_selector("#verdict.good")
        path = folder / f"page-{name}.png"
        page.screenshot(path=path)
        context.close()
        subprocess.run(["pngquant", "--force", "--strip", "--output", path, "128", path], check=True)
        assert path.stat().st_size <= LARGEST, f"{path} is larger than {LARGEST} bytes"
        print(path)


def main():
    for needed in ("chromium", "pngquant"):
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; install Debian's package of that name")
    pictures = ROOT / "docs" / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as named:
        folder = pathlib.Path(named)
        with Broker(folder / "kafka") as broker, chromium() as browser:
            fill(broker, folder)
            engine = Engine(broker, folder / "engine", windows__idle_after="1s", lake__upload_interval="30s")
            with engine.start("run") as process:
                wait_until(lambda: process.poll() or (engine.get("/api/v1/status") or {}).get("last_upload"), "an upload")
                take(browser, engine, pictures)


if __name__ == "__main__":
    main()
