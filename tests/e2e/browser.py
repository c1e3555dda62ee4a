"""Chromium as the system has it, driven by Playwright; nothing is downloaded, nothing else is asked."""

import contextlib
import shutil

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 1000}


@contextlib.contextmanager
def chromium():
    """A headless browser."""
    path = shutil.which("chromium")
    assert path, "chromium is missing; scripts/packages.sh installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
