"""Checklists: all items in their order, nothing claimed that was not recorded."""

import dataclasses
import re

import pandas as pd
import pytest

from streetineq_assets import tables
from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.reports.pack.checklists import CHECKLISTS, FILLERS, answer
from streetineq_tests.reports.pack.conftest import cells, with_pairs, without_results

REFORMS, TRIPOD = CHECKLISTS
# By Kapoor et al. 2024, table 1: items of the eight modules.
OF_REFORMS = {"1": "abc", "2": "abcde", "3": "abcdefg", "4": "abc", "5": "abcdef", "6": "abc"} | {
    "7": "abc",
    "8": "ab",
}
# By Collins et al. 2024, table 2: the items that have parts.
PARTS_OF_TRIPOD = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg"} | {
    18: "abcdef",
    20: "abc",
    23: "ab",
    27: "abc",
}


def test_reforms_has_its_32_items():
    expected = [f"{module}{part}" for module, parts in OF_REFORMS.items() for part in parts]
    assert [item.number for item in REFORMS.items] == expected
    assert len(expected) == 32
    assert len({item.section for item in REFORMS.items}) == 8


def test_tripod_has_its_27_items():
    expected = [
        f"{number}{part}" for number in range(1, 28) for part in PARTS_OF_TRIPOD.get(number, [""])
    ]
    assert [item.number for item in TRIPOD.items] == expected


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda each: each.stem)
def test_an_item_has_a_filler_or_a_hint(checklist):
    for item in checklist.items:
        assert bool(item.filler) != bool(item.hint), item.number
        assert not item.filler or item.filler in FILLERS, item.number


def test_no_filler_is_unused():
    named = {item.filler for checklist in CHECKLISTS for item in checklist.items}
    assert set(FILLERS) == named - {""}


@pytest.mark.parametrize("stem", ["reforms", "tripod_ai"])
def test_what_is_filled_has_a_source_and_what_is_not_has_none(pack, stem):
    table = cells(pack, f"{stem}.csv")
    filled = table["status"] == "filled"
    assert (table.loc[filled, "source"] != "").all()
    assert (table.loc[~filled, "source"] == "").all()
    assert (table["answer"] != "").all()
    known = {"filled", "not in this study", "not applicable", "author to answer"}
    assert set(table["status"]) <= known


def test_about_twenty_items_of_each_can_be_filled():
    """As far as the platform knows; what a study has not is told."""
    assert sum(bool(item.filler) for item in REFORMS.items) == 28
    numbers = {re.match("[0-9]+", item.number)[0] for item in TRIPOD.items if item.filler}
    assert len(numbers) == 21


@pytest.mark.parametrize("name", sorted(FILLERS))
def test_nothing_is_claimed_of_a_study_without_results(material, name):
    found = FILLERS[name](without_results(material))
    assert found.text
    assert (found.status == "filled") == bool(found.sources)


@pytest.mark.parametrize("name", ["equity_method", "equity_results"])
def test_an_equity_audit_that_is_absent_is_said_to_be(material, name):
    found = FILLERS[name](material)
    assert found.status == "not in this study"
    assert "equity_audit" in found.text


def test_groups_that_differ_are_named_with_their_error(material):
    rows = {
        "city": "alpha",
        "outcome": "crime",
        "grouping": "authority",
        "group": ["E1", "E2", "E3"],
        "n_lsoas": 20,
        "measure": "error_at_same_decile",
        "value": [1.25, -0.1, 0.0],
        "differs": [True, False, None],
    }
    frame = pd.DataFrame(rows).reindex(columns=EQUITY.names)
    audited = tables.conform(frame, EQUITY)
    first, *others = material.results.pairs
    given = with_pairs(material, [dataclasses.replace(first, equity=audited), *others])
    found = FILLERS["equity_results"](given)
    assert "2 groups were tested" in found.text
    assert "alpha/crime, authority E1: +1.25 deciles" in found.text
    assert "E2" not in found.text


def test_the_metrics_are_those_of_the_table(material):
    """0.8 is the made-up network's, 0.5 that of the nearest areas."""
    found = FILLERS["performance"](material)
    text = "spearman_score: Network 0.80 (0.70 to 0.90), Nearest areas (map) 0.50 (0.40 to 0.60)"
    assert f"alpha/crime, 60 areas: {text}" in found.text


def test_folds_and_seed_are_those_that_were_recorded(material):
    assert "area, k = 5" in FILLERS["splits"](material).text
    assert "Seed of the study: 7" in FILLERS["uncertainty"](material).text


def test_networks_of_other_cities_are_not_called_of_the_same_place(material):
    first, *others = material.results.pairs
    moved = dataclasses.replace(first, metrics=first.metrics.assign(scheme="city"))
    found = FILLERS["same_place"](with_pairs(material, [moved, *others]))
    assert "alpha/crime learned in other cities" in found.text


def test_a_leaking_scheme_is_told_where_separation_is_claimed(material):
    first, *others = material.results.pairs
    leaking = dataclasses.replace(first, metrics=first.metrics.assign(scheme="location"))
    found = FILLERS["separation"](with_pairs(material, [leaking, *others]))
    assert "the label leaks" in found.text


def test_authors_are_left_to_answer_with_a_hint(material):
    (ethics,) = [item for item in TRIPOD.items if item.number == "17"]
    found = answer(ethics, material)
    assert (found.status, found.text) == ("author to answer", ethics.hint)


def test_the_page_has_every_item(pack):
    for checklist in CHECKLISTS:
        text = (pack / f"{checklist.stem}.md").read_text()
        for item in checklist.items:
            assert f"**{item.number}. {item.item}**" in text
