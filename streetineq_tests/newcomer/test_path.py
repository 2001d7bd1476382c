"""The path of a newcomer by clicks: materialise, switch on automation, meet a broken file, mend it.

Run after the other tests of the demo, which it changes and mends again.
"""

import csv

import pytest

from streetineq_tests.newcomer.test_walk import LOAD_LIMIT_MS
from streetineq_tests.served import ask, wait_for

pytestmark = pytest.mark.slow

RUN_LIMIT_S = 300
SWITCH_LIMIT_S = 30
SWITCHED_ON = ("failure_notices", "weekly_labels")
LATEST = """
    { runsOrError(limit: 1, filter: {pipelineName: "__ASSET_JOB"}) { ... on Runs { results {
        runId status } } } }
"""
AUTOMATION = """
    { repositoryOrError(repositorySelector: {
          repositoryName: "__repository__", repositoryLocationName: "streetineq"}) {
        ... on Repository { schedules { name scheduleState { status } }
                            sensors { name sensorState { status } } } } }
"""


def materialise(page, ui, asset):
    """Click *Materialize*; the run that it launched, once it has ended."""
    before = latest(ui)
    page.goto(f"{ui}/assets/{asset}")
    page.get_by_role("button", name="Materialize").first.click(timeout=LOAD_LIMIT_MS)

    def ended():
        run = latest(ui)
        return run if run != before and run["status"] in ("SUCCESS", "FAILURE") else None

    return wait_for(ended, RUN_LIMIT_S)


def latest(ui):
    found = ask(ui, LATEST)["runsOrError"]["results"]
    return found[0] if found else None


def switch(page, ui, names, screenshots):
    """Click the switch of each schedule or sensor."""
    page.goto(f"{ui}/automation")
    for name in names:
        row = page.locator("[data-index]", has=page.get_by_text(name, exact=True))
        toggle = row.locator("input").nth(1)  # the first selects the row
        wait_for(toggle.is_enabled, RUN_LIMIT_S)  # once it is known whether it is on
        toggle.dispatch_event("click")  # a drawn switch covers the input
    page.wait_for_timeout(3000)
    page.screenshot(path=screenshots / "path 2, switched on.png")


def running(ui):
    """Names of the schedules and sensors that are on."""
    found = ask(ui, AUTOMATION)["repositoryOrError"]
    states = {each["name"]: each["scheduleState"] for each in found["schedules"]}
    states |= {each["name"]: each["sensorState"] for each in found["sensors"]}
    return {name for name, state in states.items() if state["status"] == "RUNNING"}


def spoil(file, column):
    """Write a word into the first row of a column of ranks."""
    with file.open(newline="") as opened:
        rows = list(csv.reader(opened))
    rows[1][rows[0].index(column)] = "many"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)


def test_a_broken_file_is_noticed_mended_and_run_again(demo, ui, browser, screenshots):
    store, _ = demo
    page = browser.new_page(viewport={"width": 1500, "height": 950})
    assert materialise(page, ui, "lsoa_labels")["status"] == "SUCCESS"
    page.screenshot(path=screenshots / "path 1, materialised.png")
    switch(page, ui, SWITCHED_ON, screenshots)
    wait_for(lambda: running(ui) == set(SWITCHED_ON), SWITCH_LIMIT_S)

    (file,) = store.inputs("iod").glob("*.csv")
    sound = file.read_bytes()
    spoil(file, "Living Environment Rank (where 1 is most deprived)")
    published = store.manifest("lsoa_labels")
    try:
        failed = materialise(page, ui, "lsoa_labels")
        assert failed["status"] == "FAILURE"
        page.goto(f"{ui}/runs/{failed['runId']}")
        page.get_by_text(file.name).first.wait_for(timeout=LOAD_LIMIT_MS)
        page.screenshot(path=screenshots / "path 3, failed.png")
        log = store.dagster_home / "notices.log"
        notice = wait_for(lambda: log.is_file() and log.read_text(), RUN_LIMIT_S)
    finally:
        file.write_bytes(sound)
    assert "lsoa_labels failed" in notice
    assert f"{file.name}, line 2" in notice
    assert store.manifest("lsoa_labels") == published

    assert materialise(page, ui, "lsoa_labels")["status"] == "SUCCESS"
    page.goto(f"{ui}/assets/lsoa_labels")
    page.get_by_text("nothing was made").first.wait_for(timeout=LOAD_LIMIT_MS)
    page.screenshot(path=screenshots / "path 4, mended.png")
