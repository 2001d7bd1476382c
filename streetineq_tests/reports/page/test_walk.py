"""The report in a browser: by keyboard alone, by rules of accessibility, small, dark and printed.

Nothing is requested from anywhere, and the console stays empty.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from streetineq_assets.labels.tables import POSTCODE_LSOA
from streetineq_assets.reports.report import REPORT_FILE
from streetineq_assets.store import DataStore
from streetineq_tests import harness
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.conftest import write_boundaries

pytestmark = pytest.mark.slow

A4_PX = 703  # the width of a page of A4 between its margins
PICTURES = os.environ.get("STREETINEQ_SCREENSHOTS")


@pytest.fixture(scope="module")
def study(evaluated_study, tmp_path_factory) -> DataStore:
    """Alpha and Beta with a postcode in each area, Alpha with boundaries, and the report."""
    import shutil

    root = tmp_path_factory.mktemp("walked") / "study"
    shutil.copytree(evaluated_study, root)
    store = DataStore(root)
    write_boundaries(store)
    labels = store.open("lsoa_labels").table()[["city", "area"]].drop_duplicates()
    units = [f"{a}{b}" for a in "ABDEFGHJLN" for b in "PQRSTUWXYZ"][: len(labels)]
    codes = dict.fromkeys(("authority", "oa", "msoa", "lat", "lon", "usertype"))
    dates = dict.fromkeys(("introduced", "terminated"))
    postcodes = labels.assign(postcode=[f"BR1 1{unit}" for unit in units], **codes, **dates)
    content = {"postcode_lsoa": (postcodes, POSTCODE_LSOA)}
    made_up_study.publish(store, "postcode_lsoa", None, content)
    harness.run(store, "inequality_report")
    return store


@pytest.fixture(scope="module")
def predicted(study) -> pd.DataFrame:
    return study.open("lsoa_predictions", "alpha/crime").table().set_index("area")


@contextlib.contextmanager
def opened(browser, study: DataStore, width: int = 1280, **context) -> Iterator:
    """The report; afterwards nothing may have been said or requested."""
    said, requested = [], []
    inside = browser.new_context(viewport={"width": width, "height": 900}, **context)
    page = inside.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    address = study.open("inequality_report").file(REPORT_FILE).as_uri()
    page.goto(address)
    if context.get("java_script_enabled", True):
        page.locator("#explorer").wait_for(state="visible")
    yield page
    assert said == []
    assert [url for url in requested if not url.startswith("data:")] == [address]
    inside.close()


def tab_to(page, name: str, most: int = 80) -> None:
    """Press Tab until an element whose id or accessible name is this has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "[document.activeElement.id, document.activeElement.getAttribute('aria-label'), "
            "document.activeElement.textContent.trim()]"
        )
        if name in focus:
            return
    raise AssertionError(f"no {name} within {most} steps of Tab")


def first_cells(page, column: int) -> list[str]:
    return page.locator(f"#areas tbody tr td:nth-child({column})").all_inner_texts()


def test_an_area_is_found_by_its_postcode_with_the_keyboard_alone(browser, study, predicted):
    with opened(browser, study) as page:
        tab_to(page, "Skip to the content", most=1)
        tab_to(page, "search")
        page.keyboard.type("br11ar")  # the third area's, without its space
        assert page.locator("#search-status").inner_text().startswith("1 area")
        page.keyboard.press("Enter")
        card, area = page.locator("#card").inner_text(), predicted.loc["E01000002"]
        assert "E01000002" in card
        assert f"Predicted decile {area['decile']} of 10 for crime deprivation" in card
        assert f"The interval at 90% is {area['lower']} to {area['upper']}." in card
        assert f"The official statistics say {area['actual_decile']}" in card
        assert "Never a ground for decisions" in card
        assert page.locator("#search-status").inner_text() == ""


def test_suggestions_are_chosen_by_arrows_and_left_by_escape(browser, study):
    with opened(browser, study) as page:
        tab_to(page, "search")
        page.keyboard.type("E0100000")
        assert page.locator("#suggestions li").count() == 10
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.locator("#search").get_attribute("aria-activedescendant") == "option-2"
        page.keyboard.press("Enter")
        assert "E01000002" in page.locator("#card h3").inner_text()
        page.locator("#search").fill("nowhere")
        assert "Nothing here is called nowhere" in page.locator("#search-status").inner_text()
        page.locator("#search").fill("E01")
        page.keyboard.press("Escape")
        assert page.locator("#suggestions").is_hidden()


def test_the_map_answers_keys_and_the_pointer(browser, study):
    with opened(browser, study) as page:
        tab_to(page, "map")
        names = set()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
            page.keyboard.press(key)
            names.add(page.locator("#card h3").inner_text())
        assert len(names) >= 3
        whole = page.locator("#map svg").get_attribute("viewBox")
        page.keyboard.press("+")
        assert page.locator("#map svg").get_attribute("viewBox") != whole
        page.keyboard.press("0")
        assert page.locator("#map svg").get_attribute("viewBox") == whole
        page.locator("#map [data-area='7']").hover()
        assert "E01000007: predicted decile" in page.locator("#map-status").inner_text()
        page.locator("#map [data-area='7']").click()
        assert "E01000007" in page.locator("#card h3").inner_text()


def test_the_table_is_sorted_by_the_keyboard(browser, study, predicted):
    residual = predicted["decile"].astype(int) - predicted["actual_decile"].astype(int)
    with opened(browser, study) as page:
        tab_to(page, "Difference")
        page.keyboard.press("Enter")
        assert [int(text) for text in first_cells(page, 5)] == sorted(residual)[:25]
        page.keyboard.press("Enter")
        assert [int(t) for t in first_cells(page, 5)] == sorted(residual, reverse=True)[:25]
        heads = page.locator("#areas th[aria-sort='descending'] button")
        assert heads.all_inner_texts() == ["Difference"]
        assert page.locator("#pager output").inner_text() == "1 to 25 of 60 areas"
        tab_to(page, "Next")
        page.keyboard.press("Space")
        assert page.locator("#pager output").inner_text() == "26 to 50 of 60 areas"


def test_colours_follow_what_the_map_shows(browser, study, predicted):
    with opened(browser, study) as page:
        before = page.locator("#map [data-area='0']").get_attribute("fill")
        page.locator("#layer").select_option(label="Width of the interval")
        assert page.locator("#map [data-area='0']").get_attribute("fill") != before
        assert "1 to 2 deciles" in page.locator("#map-legend").inner_text()


def test_the_other_city_is_chosen_with_its_own_areas(browser, study):
    with opened(browser, study) as page:
        page.locator("#outcome").select_option(label="Beta: Crime deprivation")
        assert page.locator("#pager output").inner_text() == "1 to 12 of 12 areas"
        assert page.locator("#map circle").count() == 12, "Beta has no boundaries"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_breaks_no_rule_of_accessibility_and_fits(browser, study, width, scheme):
    with opened(browser, study, width, color_scheme=scheme) as page:
        page.locator("#search").fill("BR1 1AR")
        page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found] == []
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{PICTURES}/report_{width}_{scheme}.png", full_page=True)


def test_it_is_of_use_without_its_script(browser, study):
    with opened(browser, study, java_script_enabled=False) as page:
        text = page.locator("#main").inner_text()
        assert "The answer" in text
        assert "Finding an area needs JavaScript" in text
        assert page.locator("#explorer").is_hidden()
        assert page.locator("#main .maps img").count() == 10
        page.locator("summary").first.click()
        assert page.locator("details table").first.is_visible()


def test_print_has_what_is_folded_and_nothing_is_clipped(browser, study):
    with opened(browser, study, A4_PX, java_script_enabled=False) as page:
        page.emulate_media(media="print")
        folded = page.locator("details table")
        assert folded.count() > 5
        heights = [folded.nth(n).bounding_box()["height"] for n in range(folded.count())]
        assert min(heights) > 10
        assert page.locator("#find").is_hidden()
        assert page.locator("nav").is_hidden()
        boxes = page.locator("main table").evaluate_all(
            "tables => tables.filter((t) => t.offsetParent).map((t) => "
            "[t.getBoundingClientRect().right, t.caption.textContent])"
        )
        assert [caption for right, caption in boxes if right > A4_PX] == []
        printed = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 5
