"""The web article in a real browser: evidence opens by mouse, by keyboard and by address, on a desk and a phone.

`make test-article` makes the article of a run and hands it over in ARTICLE, and in AXE the file axe.min.js of axe-core,
whose rules of accessibility it is held to.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

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
PATIENCE = 300  # seconds for axe-core on a busy machine
HERE = ("file:", "data:", "blob:", "about:", "chrome:")
FITS = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def path() -> Path:
    if "ARTICLE" not in os.environ:
        pytest.fail("ARTICLE must name the article; run make test-article")
    return Path(os.environ["ARTICLE"]).resolve()


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
    connection = browser.command_executor
    assert isinstance(connection, RemoteConnection)
    connection.client_config.timeout = PATIENCE  # ends a script too, whatever that is allowed
    browser.set_script_timeout(PATIENCE)
    yield browser
    browser.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome, path: Path) -> Iterator[webdriver.Chrome]:
    """The article, freshly opened; what the browser complained of, or asked for, fails the test."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(path.as_uri())
    yield driver
    assert [entry["message"] for entry in driver.get_log("browser")] == []
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
    return element.is_displayed() and -1 < top < height  # browsers scroll by whole pixels


def open_panels(browser: webdriver.Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "[popover]:popover-open")


def first_link(browser: webdriver.Chrome, to: str) -> WebElement:
    """The first link of the text to a number (`zl:`), a verdict (`zl:claim:`), a setting (`zl:case:`), in view."""
    kinds = "" if ":" in to[3:] else ':not([href*="#zl:claim:"]):not([href*="#zl:case:"])'
    link = browser.find_element(By.CSS_SELECTOR, f'main a[href*="#{to}"]{kinds}')
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    return link


def name_of(link: WebElement) -> str:
    """What the panel of a link is headed by."""
    return unquote(str(link.get_attribute("href"))).partition("#zl:")[2].removeprefix("claim:").removeprefix("case:")


def part(browser: webdriver.Chrome, title: str) -> WebElement:
    """The interactive part of this title."""
    (found,) = (one for one in browser.find_elements(By.CSS_SELECTOR, ".part") if title in one.text)
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", found)
    return found


def test_every_link_inside_leads_somewhere(browser: webdriver.Chrome, path: Path) -> None:
    addresses = browser.execute_script("return [...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))")
    assert None not in addresses
    ids = set(browser.execute_script("return [...document.querySelectorAll('[id]')].map((one) => one.id)"))
    assert {one for one in addresses if one.startswith("#") and unquote(one[1:]) not in ids} == set()
    beside = {one.partition("#")[0] for one in addresses if not re.match("#|https?:", one)}
    assert "evidence.html" in beside and all((path.parent / name).is_file() for name in beside)
    known = browser.execute_script("return Object.keys(JSON.parse(document.getElementById('evidence').textContent))")
    asked = {unquote(one.partition("#")[2]) for one in addresses if one.startswith("evidence.html#")}
    assert asked and asked <= set(known)
    page = (path.parent / "evidence.html").read_text()
    assert asked <= {html.unescape(one) for one in re.findall(r'id="(zl:[^"]+)"', page)}


def test_nothing_was_lost_on_the_way(browser: webdriver.Chrome) -> None:
    assert browser.find_elements(By.CSS_SELECTOR, '.ltx_ERROR, [class*="ltx_missing"]') == []
    assert "??" not in browser.execute_script("return document.querySelector('main').textContent")
    sizes = browser.execute_script("return [...document.querySelectorAll('figure img')].map((one) => one.naturalWidth)")
    assert sizes and min(sizes) > 0


@pytest.mark.parametrize(("to", "words"), [("zl:", "estimate"), ("zl:claim:", "asked for"), ("zl:case:", "setting")])
def test_evidence_opens_by_mouse_and_closes(browser: webdriver.Chrome, to: str, words: str) -> None:
    link = first_link(browser, to)
    link.click()
    (panel,) = open_panels(browser)
    assert panel.find_element(By.TAG_NAME, "h2").text.endswith(name_of(link))
    assert words in panel.text and "zeroloss trace" in panel.text and seen(browser, panel)
    panel.find_element(By.CSS_SELECTOR, "button").click()
    assert open_panels(browser) == []


def test_evidence_opens_by_keyboard_and_gives_the_focus_back(browser: webdriver.Chrome) -> None:
    link = first_link(browser, "zl:")
    browser.execute_script("arguments[0].focus()", link)
    link.send_keys(Keys.ENTER)
    (panel,) = open_panels(browser)
    inside = browser.switch_to.active_element
    assert panel.find_element(By.CSS_SELECTOR, "button") == inside
    inside.send_keys(Keys.ESCAPE)
    assert open_panels(browser) == [] and browser.switch_to.active_element == link


def test_a_number_leads_on_to_its_claim(browser: webdriver.Chrome) -> None:
    for link in browser.find_elements(By.CSS_SELECTOR, '.choice a[href*="#zl:"]:not([href*="#zl:claim:"])')[:3]:
        browser.execute_script("arguments[0].click()", link)
        (panel,) = open_panels(browser)
        panel.find_element(By.CSS_SELECTOR, 'a[href*="#zl:claim:"]').click()
        assert "because" in panel.text
        assert browser.switch_to.active_element == panel.find_element(By.CSS_SELECTOR, "button")
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)


def test_an_address_opens_a_panel(browser: webdriver.Chrome, path: Path) -> None:
    link = first_link(browser, "zl:")
    target, name = str(link.get_attribute("href")).partition("#")[2], name_of(link)
    browser.get("about:blank")
    browser.get(f"{path.as_uri()}#{target}")
    (panel,) = open_panels(browser)
    assert panel.find_element(By.TAG_NAME, "h2").text == name
    panel.find_element(By.CSS_SELECTOR, "button").click()
    assert open_panels(browser) == []


def test_rates_and_pairs_are_chosen_and_open_their_evidence(browser: webdriver.Chrome) -> None:
    for title in ("Each rate", "Predicted against measured"):
        one = part(browser, title)
        menu = Select(one.find_element(By.TAG_NAME, "select"))
        for i in range(len(menu.options)):
            menu.select_by_index(i)
            (choice,) = (each for each in one.find_elements(By.CSS_SELECTOR, ".choice") if each.is_displayed())
            link = choice.find_elements(By.CSS_SELECTOR, 'a[href*="#zl:"]')[-1]
            link.send_keys(Keys.ENTER)
            (panel,) = open_panels(browser)
            assert "estimate" in panel.text
            panel.find_element(By.CSS_SELECTOR, "button").click()


def test_sliders_answer_to_the_keyboard_and_draw(browser: webdriver.Chrome) -> None:
    one = part(browser, "How wide must it be?")
    menu, inputs = Select(one.find_element(By.TAG_NAME, "select")), one.find_elements(By.TAG_NAME, "input")
    computed = json.loads(str(one.find_element(By.TAG_NAME, "script").get_attribute("textContent")))
    answers, known = one.find_element(By.CSS_SELECTOR, '[role="status"]'), 0
    for i, option in enumerate(menu.options):
        menu.select_by_index(i)
        sliders, curves = (computed[option.text][name] for name in ("sliders", "curves"))
        for key, end in ((Keys.HOME, 0), (Keys.END, -1)):
            for slider, its in zip(inputs, sliders, strict=True):
                slider.send_keys(key)
                assert slider.get_attribute("aria-valuetext") == its["values"][end]
            for name, values in curves.items():
                value = values[end][end][end]
                assert f"{name} {'none of those tried' if value is None else f'{value:,.0f}'}" in answers.text
                known += value is not None
        assert one.find_elements(By.CSS_SELECTOR, "svg path.curve0")
    assert known > 2 * len(menu.options), "most answers are numbers"


def test_it_is_readable_on_a_phone(browser: webdriver.Chrome) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.refresh()
    assert browser.execute_script("return innerWidth") == PHONE["width"]
    assert browser.execute_script(FITS)
    first_link(browser, "zl:claim:").click()
    assert seen(browser, open_panels(browser)[0]) and browser.execute_script(FITS)


def test_numbers_of_the_pdf_lead_to_their_rows(driver: webdriver.Chrome, path: Path) -> None:
    """Three links of the PDF, followed: the row of evidence.html says what the PDF says."""
    words = ["pdftohtml", "-xml", "-i", "-stdout", "paper.pdf"]
    pages = subprocess.run(words, cwd=path.parent, capture_output=True, text=True, check=True).stdout
    # A number is in pieces: its point is of another font.
    pieces = re.findall(r'<a href="(evidence\.html#zl:[^"]+)">(.*?)</a>', pages)
    texts = [(to, "".join(piece for _, piece in its)) for to, its in groupby(pieces, key=itemgetter(0))]
    said = ((to, re.match(r"\d+\.\d+", re.sub("<[^>]*>", "", text))) for to, text in texts)
    numbers = [(to, number[0]) for to, number in said if number]
    assert len(numbers) > 3
    for address, number in (numbers[0], numbers[len(numbers) // 2], numbers[-1]):
        driver.get("about:blank")
        driver.get(f"{path.parent.as_uri()}/{address}")
        row = driver.find_element(By.CSS_SELECTOR, ":target")
        assert number in row.text.replace(" ", "") and seen(driver, row)


def test_axe_finds_nothing_serious(browser: webdriver.Chrome) -> None:
    rules = Path(os.environ.get("AXE", ""))
    if not rules.is_file():
        pytest.skip("AXE names no axe.min.js: make test-article fetches one where there is a network")
    browser.execute_script(rules.read_text())
    contrast = "color-contrast"  # formulas and the supplement, most of the page, have the colours of the text
    assert serious(browser, "document", f"rules: {{'{contrast}': {{enabled: false}}}}") == []
    assert serious(browser, "{exclude: ['math', '.ltx_appendix']}", f"runOnly: ['{contrast}']") == []
    first_link(browser, "zl:claim:").click()
    assert serious(browser, "'#panel'") == []


def serious(browser: webdriver.Chrome, where: str, *options: str) -> list[tuple[str, str]]:
    """Rule and first node of each serious finding of axe-core."""
    found = browser.execute_async_script(
        f"axe.run({where}, {{{', '.join(options)}}}).then((all) => arguments[0](all.violations))"
    )
    grave = [one for one in found if one["impact"] in {"serious", "critical"}]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in grave]
