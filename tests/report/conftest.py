"""A headless Chromium, and what a page must not do in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
# No sandbox inside a container of root's; and the browser itself shall not call home.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
)
HERE = ("file:", "data:", "blob:", "about:", "chrome:")


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        if os.environ.get("BROWSER_REQUIRED"):
            pytest.fail("no chromium or no chromedriver, though BROWSER_REQUIRED asks for them")
        pytest.skip("no chromium or no chromedriver: bash workflow/scripts/find-chromium.sh")
    options = Options()
    options.binary_location = str(programs[0])
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(str(programs[1])))
    yield browser
    browser.quit()


def opened(driver: webdriver.Chrome, path: Path, may_warn: str = "nobody") -> Iterator[webdriver.Chrome]:
    """A page, freshly opened; an error, a warning of any other than `may_warn`, or a request fails the test."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(path.as_uri())
    yield driver
    assert [
        entry["message"]
        for entry in driver.get_log("browser")
        if entry["level"] == "SEVERE" or not entry["message"].startswith(may_warn)
    ] == []
    asked = requested(driver)
    assert path.as_uri() in asked, "the log must hold what was asked for"
    assert [url[:100] for url in asked if not url.startswith(HERE)] == []


def requested(driver: webdriver.Chrome) -> list[str]:
    """Addresses of all that was asked for since the last look."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def seen(driver: webdriver.Chrome, element: Any) -> bool:
    """Whether an element lies, at least with its upper edge, on the screen."""
    script = "const b = arguments[0].getBoundingClientRect(); return [b.top, innerHeight]"
    top, height = driver.execute_script(script, element)
    return element.is_displayed() and 0 <= top < height
