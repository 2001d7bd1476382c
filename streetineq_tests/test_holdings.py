"""An artefact that holds something gives way to none that holds nothing, or less than half."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets import holdings
from streetineq_assets.errors import LossError
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore

COUNTS = st.dictionaries(st.sampled_from(["rows", "leeds/crime", "images"]), st.integers(0, 9))
AWAY = Unavailable("inputs/iod/File_7.csv", "no file holds it")
PAIR = "leeds/crime"


def put(store, findings, n_rows=0, **consent):
    def write(folder):
        pd.DataFrame({"area": range(n_rows)}).to_parquet(folder / "table.parquet")
        return findings

    return store.publish("table", PAIR, Recipe(code_version="1"), write, **consent)


@pytest.fixture
def store(tmp_path):
    return DataStore(tmp_path)


@given(COUNTS, COUNTS)
def test_what_fell_below_half_or_to_nothing_is_named(before, after):
    named = " ".join(holdings.losses(before, after))
    fell = {n for n in before.keys() & after.keys() if after[n] < before[n] / 2}
    counted_by_rows = set(before) == {"rows"} and not any(after.values())
    emptied = any(before.values()) and (after == {} or counted_by_rows)
    assert bool(named) == bool(fell or emptied)
    assert all(name in named for name in fell)


@given(COUNTS)
def test_the_same_again_is_no_loss(before):
    assert holdings.losses(before, before) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=6))
def test_rows_never_halve_without_consent(tmp_path_factory, steps):
    store, held = DataStore(tmp_path_factory.mktemp("study")), 0
    for n_rows, consent in steps:
        loses = n_rows < held / 2
        try:
            manifest = put(store, Findings(), n_rows, allow_loss=consent)
        except LossError:
            assert loses
            assert not consent
        else:
            assert consent or not loses
            assert bool(manifest.allowed_losses) == loses
            held = n_rows
        assert len(store.open("table", PAIR).table()) == held


def test_an_unavailable_artefact_replaces_none_that_holds_something(store):
    put(store, Findings(), 3)
    with pytest.raises(LossError, match=r"table\[leeds/crime\].*3 to 0.*File_7.*--allow-loss"):
        put(store, Findings(unavailable=AWAY), 3)
    assert store.manifest("table", PAIR).unavailable is None


def test_an_unavailable_artefact_follows_another(store):
    put(store, Findings(unavailable=AWAY))
    assert put(store, Findings(unavailable=AWAY)).allowed_losses == []


def test_what_the_study_does_not_ask_for_any_more_is_given_up(store):
    put(store, Findings(), 3)
    why = Unavailable("source under [transfer]", "no source is named", by_settings=True)
    assert put(store, Findings(unavailable=why)).unavailable == why


def test_a_name_that_the_study_dropped_is_not_missed(store):
    put(store, Findings(holdings={"areas of leeds/crime": 9, "areas of leeds/education": 9}))
    put(store, Findings(holdings={"areas of leeds/crime": 9}))


def test_a_bucket_may_be_empty_when_there_are_more_of_them(store):
    put(store, Findings(holdings={"locations with codes, of 1 buckets": 3}))
    put(store, Findings(holdings={"locations with codes, of 8 buckets": 0}))


def test_one_key_of_many_may_not_vanish(store):
    keys = {f"areas of leeds/{n}": 9 for n in range(13)}
    put(store, Findings(holdings=keys))
    with pytest.raises(LossError, match=r"areas of leeds/4 \(9 to 0\)"):
        put(store, Findings(holdings=keys | {"areas of leeds/4": 0}))


def test_consent_is_recorded(store):
    put(store, Findings(), 9)
    manifest = put(store, Findings(), 2, allow_loss=True)
    assert store.manifest("table", PAIR).allowed_losses == ["rows (9 to 2)"]
    assert manifest.holdings == {"rows": 2}


def test_an_artefact_of_an_earlier_version_is_counted_by_its_rows(store):
    manifest = put(store, Findings(), 9)
    file = store.folder("table", PAIR) / "manifest.json"
    file.write_text(manifest.model_copy(update={"holdings": {}}).model_dump_json())
    with pytest.raises(LossError, match="9 to 0"):
        put(store, Findings(unavailable=AWAY))


def test_a_damaged_artefact_of_an_earlier_version_is_replaced(store):
    manifest = put(store, Findings(), 9)
    folder = store.folder("table", PAIR)
    (folder / "manifest.json").write_text(
        manifest.model_copy(update={"holdings": {}}).model_dump_json()
    )
    (folder / "table.parquet").write_bytes(b"half of a ta")
    assert put(store, Findings(), 1).holdings == {"rows": 1}
