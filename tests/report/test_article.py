"""The web article in a real browser: evidence opens by mouse, by keyboard and by address, on a desk and a phone.

`make test-article` makes the article of a run and hands it over in ARTICLE.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.report.conftest import PHONE, opened, seen

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def path() -> Path:
    if "ARTICLE" not in os.environ:
        pytest.fail("ARTICLE must name the article; run make test-article")
    return Path(os.environ["ARTICLE"]).resolve()


@pytest.fixture
def browser(driver: webdriver.Chrome, path: Path) -> Iterator[webdriver.Chrome]:
    """The article, freshly opened; what the browser complained of, or asked for, fails the test."""
    yield from opened(driver, path)


def open_panels(browser: webdriver.Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "[popover]:popover-open")


def first_link(browser: webdriver.Chrome, to: str) -> WebElement:
    """The first link of the text to a number (`zl:`), a verdict (`zl:claim:`), a setting (`zl:case:`)."""
    kinds = "" if ":" in to[3:] else ':not([href^="#zl:claim:"]):not([href^="#zl:case:"])'
    return browser.find_element(By.CSS_SELECTOR, f'main a[href^="#{to}"]{kinds}')


def test_every_link_inside_leads_somewhere(browser: webdriver.Chrome) -> None:
    broken = browser.execute_script("""
        return [...document.querySelectorAll('a[href^="#"]')].map((one) => one.getAttribute('href'))
            .filter((href) => !document.getElementById(decodeURIComponent(href.slice(1))))""")
    assert broken == []
    assert browser.execute_script("return document.querySelectorAll('a:not([href])').length") == 0


def test_nothing_was_lost_on_the_way(browser: webdriver.Chrome) -> None:
    assert browser.find_elements(By.CSS_SELECTOR, '.ltx_ERROR, [class*="ltx_missing"]') == []
    assert "??" not in browser.find_element(By.TAG_NAME, "main").text
    sizes = browser.execute_script("return [...document.querySelectorAll('figure img')].map((one) => one.naturalWidth)")
    assert sizes and min(sizes) > 0


@pytest.mark.parametrize(("to", "words"), [("zl:", "estimate"), ("zl:claim:", "asked for"), ("zl:case:", "setting")])
def test_evidence_opens_by_mouse_and_closes(browser: webdriver.Chrome, to: str, words: str) -> None:
    link = first_link(browser, to)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    (panel,) = open_panels(browser)
    assert panel.get_attribute("id") == str(link.get_attribute("href")).partition("#")[2]
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
    for panel in browser.find_elements(By.CSS_SELECTOR, '[popover]:has(a[href^="#zl:claim:"])')[:3]:
        browser.execute_script("location.hash = arguments[0]", panel.get_attribute("id"))
        panel.find_element(By.CSS_SELECTOR, "a").click()
        (claim,) = open_panels(browser)
        assert str(claim.get_attribute("id")).startswith("zl:claim:")
        claim.find_element(By.CSS_SELECTOR, "button").click()


def test_an_address_opens_a_panel(browser: webdriver.Chrome, path: Path) -> None:
    target = str(first_link(browser, "zl:").get_attribute("href")).partition("#")[2]
    browser.get("about:blank")
    browser.get(f"{path.as_uri()}#{target}")
    assert [panel.get_attribute("id") for panel in open_panels(browser)] == [target]


def test_it_is_readable_on_a_phone(browser: webdriver.Chrome) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.refresh()
    fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert browser.execute_script("return innerWidth") == PHONE["width"]
    assert browser.execute_script(fits)
    link = first_link(browser, "zl:claim:")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    assert seen(browser, open_panels(browser)[0]) and browser.execute_script(fits)


def test_axe_finds_nothing_serious(browser: webdriver.Chrome) -> None:
    """With axe-selenium-python, whose releases ask for Python 3.12: it is not in the lock."""
    axe = pytest.importorskip("axe_selenium_python").Axe(browser)
    axe.inject()
    found = axe.run()["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in {"serious", "critical"}
    ] == []
