"""A browser, for tests of pages."""

import os
import shutil

import pytest

BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium. Without it these tests are skipped, or fail if NEEDS_CHROMIUM is set, as
    in .ci/run."""
    program, driver = (
        shutil.which("chromium") or shutil.which("google-chrome"),
        shutil.which("chromedriver"),
    )
    try:
        from selenium import webdriver
    except ImportError:
        webdriver = None
    if not (program and driver and webdriver):
        missing = pytest.fail if os.environ.get("NEEDS_CHROMIUM") else pytest.skip
        missing(
            "no Chromium, chromedriver or selenium here: apt-get install chromium chromium-driver, "
            "and pip install -r requirements-dev.txt"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        *BROWSER_FLAGS,
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        "--window-size=1200,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()
