"""The pages that a newcomer opens, walked in Chromium: what they say first, and a picture of each.

Pictures go to the folder `STREETINEQ_SCREENSHOTS`, where it is named, to be looked at.
"""

import re
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.slow

LOAD_LIMIT_MS = 60_000
GROUPS = [
    "labels",
    "images",
    "codes",
    "models",
    "predictions",
    "transfer",
    "evidence",
    "audit",
    "reports",
]
PAIR = "northmere/mean_income"
# Settings of a run that are wrong, and what the launchpad says of them.
WRONG = {
    "device": ("resources: {gpu: {config: {kind: cuda}}}", "not in enum type DeviceKind got cuda"),
    "profile": (
        "ops: {trained_model: {config: {profile: fastest}}}",
        "not in enum type ProfileChoice got fastest",
    ),
    "override": (
        "ops: {trained_model: {config: {overrides: {learning_rat: 0.1}}}}",
        'unexpected config entry "learning_rat"',
    ),
}

# Page to its address, and what is read there, from top to bottom.
PAGES = {
    "report": ("/assets/inequality_report", ["report", "report.html", "n_pairs"]),
    "labels": (
        "/assets/lsoa_labels",
        ["How well-off each small area", "[from census", "deciles_northmere_plot", "folder"],
    ),
    "evaluation": (
        f"/assets/lsoa_evaluation?partition={quote(PAIR, safe='')}&view=partitions",
        ["headline", "confusion_plot", "spearman", "folder"],
    ),
    "network": (
        f"/assets/trained_model?partition={quote(PAIR, safe='')}&view=partitions",
        ["learning_curves_plot", "n_folds", "folder"],
    ),
    "an input": ("/assets/iod", ["found", "edition", "publisher"]),
    "the list of locations": ("/assets/location_list", ["found", "saltbridge.csv"]),
    "checks": (
        "/assets/area_folds?view=checks&checkDetail=folds_balanced",
        ["folds_balanced", "the largest fold has", "limit 0.5"],
    ),
    "timeline": (
        "/overview/activity/timeline",
        ["extract_codes", "list_images", "publish_report", "train_and_predict"],
    ),
    "automation": (
        "/automation",
        ["failure_notices", "keep_up_to_date", "weekly_digest", "weekly_labels", "weekly_report"],
    ),
    "schedule": (
        "/locations/streetineq/schedules/weekly_report",
        ["Make report, evidence pack and warehouse again every Monday"],
    ),
    "lineage": ("/asset-groups", [f"{n}_{name}" for n, name in enumerate(GROUPS, start=1)]),
}


@pytest.fixture
def page(browser):
    """A page of the size of a laptop's screen."""
    return browser.new_page(viewport={"width": 1500, "height": 950})


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_a_reader_asks_first(name, ui, page, screenshots):
    address, expected = PAGES[name]
    page.goto(ui + address)
    page.get_by_text(expected[-1]).first.wait_for(timeout=LOAD_LIMIT_MS, state="attached")
    text = page.locator("body").inner_text()
    positions = [text.find(each) for each in expected]
    page.screenshot(path=screenshots / f"{name}.png", full_page=True)
    assert -1 not in positions, dict(zip(expected, positions, strict=True))
    assert positions == sorted(positions), dict(zip(expected, positions, strict=True))


def test_numbers_have_three_digits_and_tables_a_page(ui, page):
    page.goto(f"{ui}/assets/trained_model?partition={quote(PAIR, safe='')}&view=partitions")
    page.get_by_text("learning_curves_plot").first.wait_for(timeout=LOAD_LIMIT_MS)
    text = page.locator("body").inner_text()
    assert not re.findall(r"\b\d+\.\d{7,}", text)


@pytest.mark.parametrize("name", WRONG)
def test_the_launchpad_refuses_a_wrong_value(name, ui, page, screenshots):
    config, said = WRONG[name]
    page.goto(f"{ui}/locations/streetineq/jobs/train_and_predict/playground")
    page.get_by_text("No errors").wait_for(timeout=LOAD_LIMIT_MS)
    page.evaluate("text => document.querySelector('.CodeMirror').CodeMirror.setValue(text)", config)
    page.get_by_text(said).first.wait_for(timeout=LOAD_LIMIT_MS)
    page.screenshot(path=screenshots / f"launchpad, wrong {name}.png")
    assert page.get_by_role("button", name="Launch Run").is_disabled()


def test_an_outcome_is_found_by_its_tag(ui, page, screenshots):
    page.goto(f"{ui}/asset-groups")
    search = page.locator(".CodeMirror").first
    search.wait_for(timeout=LOAD_LIMIT_MS)
    search.click()
    page.keyboard.type("mean_income")
    suggested = page.get_by_text("outcome/mean_income").first
    suggested.wait_for(timeout=LOAD_LIMIT_MS)
    page.screenshot(path=screenshots / "search.png")
