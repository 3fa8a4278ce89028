"""The HTML report in a real browser: nothing fetched, nothing complained of, good on a phone.

`make test-report` makes the report of a run and hands it over in REPORT.
"""

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
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [pytest.mark.slow, pytest.mark.browser]

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
JUDGED = ("supported", "inconclusive", "refuted")
HERE = ("file:", "data:", "blob:", "about:", "chrome:")


@pytest.fixture(scope="module")
def path() -> Path:
    if "REPORT" not in os.environ:
        pytest.fail("REPORT must name the report; run make test-report")
    return Path(os.environ["REPORT"]).resolve()


@pytest.fixture(scope="module")
def record(path: Path) -> dict[str, Any]:
    """The verdicts of the run, beside its report."""
    return json.loads((path.parent / "verdicts.json").read_text())


@pytest.fixture(scope="module")
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


@pytest.fixture
def browser(driver: webdriver.Chrome, path: Path) -> Iterator[webdriver.Chrome]:
    """The report, freshly opened; what the browser complained of, or asked for, fails the test."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(path.as_uri())
    yield driver
    # the frame of Snakemake's report may warn (it does, of its style sheet), but not of errors
    assert [
        entry["message"]
        for entry in driver.get_log("browser")
        if entry["level"] == "SEVERE" or not entry["message"].startswith("about:srcdoc")
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


def claims(driver: webdriver.Chrome) -> list[Any]:
    return driver.find_elements(By.CSS_SELECTOR, ".claims details")


def test_it_opens_on_the_verdicts(browser: webdriver.Chrome, record: dict[str, Any]) -> None:
    assert seen(browser, browser.find_element(By.CSS_SELECTOR, "#verdicts h2"))
    shown = claims(browser)
    assert len(shown) == len(record["claims"]) > 0
    assert seen(browser, shown[0])
    words = [one.find_element(By.CSS_SELECTOR, "summary .verdict").text for one in shown]
    assert words == [claim["verdict"] for claim in record["claims"]]


def test_a_claim_opens_on_its_evidence_and_its_figure(browser: webdriver.Chrome, record: dict[str, Any]) -> None:
    pictures = 0
    for one, claim in zip(claims(browser), record["claims"], strict=True):
        one.find_element(By.TAG_NAME, "summary").click()
        rows = one.find_elements(By.CSS_SELECTOR, ".evidence tbody tr")
        assert len(rows) == max(1, len(claim["rows"])) and rows[0].is_displayed()
        judged = [row for row in claim["rows"] if row["verdict"] in JUDGED]
        bars = one.find_elements(By.CSS_SELECTOR, "svg.bar")
        assert judged == [] or bars, f"{claim['id']} draws no interval"
        assert all(bar.is_displayed() and bar.size["width"] > 100 for bar in bars)
        images = one.find_elements(By.CSS_SELECTOR, "figure img")
        pictures += len(images)
        for image in images:
            WebDriverWait(browser, 10).until(lambda _, image=image: width_of(browser, image))
        one.find_element(By.TAG_NAME, "summary").click()
        assert not rows[0].is_displayed()
    assert pictures > len(record["claims"]) / 2


def width_of(driver: webdriver.Chrome, image: Any) -> int:
    return driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth", image)


def test_an_address_leads_to_a_claim(browser: webdriver.Chrome, path: Path) -> None:
    last = claims(browser)[-1]
    name = last.get_attribute("id")
    browser.execute_script("location.hash = arguments[0]", name)
    wait = WebDriverWait(browser, 10)
    assert wait.until(lambda _: last.get_attribute("open") is not None)
    assert wait.until(lambda _: seen(browser, last))


def test_verdicts_can_be_chosen(browser: webdriver.Chrome, record: dict[str, Any]) -> None:
    words = [claim["verdict"] for claim in record["claims"]]
    for button in browser.find_elements(By.CSS_SELECTOR, "button[data-show]"):
        chosen = button.get_attribute("data-show")
        button.click()
        left = [one for one in claims(browser) if one.is_displayed()]
        assert len(left) == (words.count(chosen) if chosen else len(words))


def test_figures_rules_configuration_follow(browser: webdriver.Chrome) -> None:
    order = [section.get_attribute("id") for section in browser.find_elements(By.CSS_SELECTOR, "main > section")]
    assert order == ["verdicts", "figures", "rules", "configuration", "workflow"]
    drawn = browser.find_elements(By.CSS_SELECTOR, "#figures figure")
    assert drawn
    for figure in drawn:
        assert width_of(browser, figure.find_element(By.TAG_NAME, "img")) > 0
        assert figure.find_element(By.TAG_NAME, "figcaption").text
    assert browser.find_elements(By.CSS_SELECTOR, "#rules tbody tr")
    part = browser.find_element(By.CSS_SELECTOR, "#configuration details")
    part.find_element(By.TAG_NAME, "summary").click()
    assert "seed: " in part.find_element(By.TAG_NAME, "pre").text


def test_the_report_of_snakemake_is_inside(browser: webdriver.Chrome) -> None:
    browser.find_element(By.ID, "open-snakemake").click()
    frame = browser.find_element(By.CSS_SELECTOR, "#snakemake-frame iframe")
    browser.switch_to.frame(frame)
    WebDriverWait(browser, 30).until(lambda _: "Statistics" in browser.find_element(By.TAG_NAME, "body").text)
    assert browser.find_elements(By.CSS_SELECTOR, "nav li")
    browser.switch_to.default_content()


def test_it_is_readable_on_a_phone(browser: webdriver.Chrome) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.refresh()
    fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert browser.execute_script("return innerWidth") == PHONE["width"]
    assert browser.execute_script(fits)
    first = claims(browser)[0]
    first.find_element(By.TAG_NAME, "summary").click()
    assert first.find_element(By.CSS_SELECTOR, ".evidence").is_displayed()
    assert browser.execute_script(fits), "an opened claim must not be wider than the screen"
    lines = browser.execute_script("""
        return Math.max(...[...document.querySelectorAll('#rules code, .head span')]
            .map((one) => one.getClientRects().length))""")
    assert lines == 1, "names of rules must not break; wide tables scroll"
    small = browser.execute_script("""
        return [...document.querySelectorAll('summary *, dd, td, p, code')]
            .filter((one) => one.textContent.trim() && one.checkVisibility())
            .map((one) => parseFloat(getComputedStyle(one).fontSize))
            .filter((size) => size < 12).length""")
    assert small == 0, "letters must be 12 px or larger"
