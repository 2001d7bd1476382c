"""Repeats through training: left out, counted, and wanted by name where they are not there."""

from pathlib import Path

import pandas as pd
import pytest

from streetineq_assets.codes.tables import IMAGE_REPEATS
from streetineq_assets.models.dataset import read_slices
from streetineq_assets.models.pair_training import plan_pair
from streetineq_assets.models.training_plan import resolve_profile
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_assets.tables import conform
from streetineq_tests import studies
from streetineq_tests.harness import metadata, publish, run
from streetineq_tests.models.running import failure

pytestmark = pytest.mark.usefixtures("plain_steps")
PAIR = Pair("alpha", "crime")


def with_repeats(root: Path, toml: str = studies.WITH_CODES) -> tuple[DataStore, pd.DataFrame]:
    """The study with folds, in which one location of fold 0 shows what two of others show."""
    store = studies.write_with_codes(root, toml=toml)
    run(store, "area_folds", "alpha")
    _, rows = studies.codes_of("alpha")
    fold = store.open("area_folds", "alpha").table().set_index("area")["fold"]
    by_fold = rows.assign(fold=rows["area"].map(fold)).groupby("fold")["location_id"].first()
    pairs = [(by_fold[0], by_fold[1], "exact", 0.0), (by_fold[2], by_fold[0], "near", 9.0)]
    columns = ["location_id", "other_location_id", "kind", "distance"]
    table = conform(pd.DataFrame(pairs, columns=columns), IMAGE_REPEATS)
    publish(store, "image_repeats", "alpha", image_repeats=table)
    return store, by_fold


def splits(store: DataStore) -> tuple[pd.DataFrame, dict]:
    from streetineq_assets.models.dataset import labelled_rows

    study = load_study(store.study_file)
    plan = plan_pair(store, study, PAIR, resolve_profile(study))
    rows = labelled_rows(plan.slices, plan.outcomes).rows
    return rows, plan.split(rows, plan.folds)


def test_a_fold_does_not_learn_from_what_repeats_its_test(tmp_path: Path) -> None:
    store, named = with_repeats(tmp_path)
    rows, found = splits(store)
    dropped = {
        fold: set(rows["location_id"][~(split.train | split.validation | split.test)])
        for fold, split in found.items()
    }
    assert dropped == {0: {named[1], named[2]}, 1: {named[0]}, 2: {named[0]}, 3: set(), 4: set()}


def test_a_study_may_keep_them_and_then_reads_none(tmp_path: Path) -> None:
    toml = studies.WITH_CODES.replace("[folds]", "[repeats]\ndrop = false\n\n[folds]")
    store, _ = with_repeats(tmp_path, toml)
    _, found = splits(store)
    assert all((s.train | s.validation | s.test).all() for s in found.values())
    kept = read_slices(store, "alpha", ("crime",), drop_repeats=False)
    assert "alpha/image_repeats" not in kept.digests()


def test_what_was_dropped_is_shown_by_fold_and_kind(tmp_path: Path) -> None:
    store, _ = with_repeats(tmp_path)
    shown = metadata(run(store, "trained_model", PAIR.key), "trained_model")
    folds = pd.DataFrame(record.data for record in shown["folds"].records)
    folds = folds.set_index("fold")
    assert folds["n_dropped_as_repeats"].tolist() == [2, 1, 1, 0, 0]
    assert folds["n_dropped_as_exact"].tolist() == [1, 1, 0, 0, 0]
    assert folds["n_dropped_as_near"].tolist() == [1, 0, 1, 0, 0]
    assert shown["n_dropped_as_repeats"] == 4


def test_where_they_are_not_there_yet_the_asset_is_named(tmp_path: Path) -> None:
    store = studies.write_with_codes(tmp_path)
    run(store, "area_folds", "alpha")
    (store.folder("image_repeats", "alpha") / "manifest.json").unlink()
    assert "materialise image_repeats[alpha]" in failure(store, "trained_model", PAIR.key)


def test_a_buffer_of_locations_is_published_with_the_folds(tmp_path: Path) -> None:
    toml = studies.WITH_CODES.replace("k = 5", "k = 5\nbuffer_m = 30")
    store = studies.write_with_codes(tmp_path, toml=toml)
    locations = store.open("locations", "alpha").table()
    # All at one place but those of the first area, so that these alone are in no buffer.
    alone = locations["area"] == locations["area"].min()
    placed = locations.assign(lat=51.5 + 0.1 * alone, lon=-0.1)
    publish(store, "locations", "alpha", locations=placed)
    shown = metadata(run(store, "area_folds", "alpha"), "area_folds")
    rows, found = splits(store)
    lone = set(locations["location_id"][alone])
    for split in found.values():
        learned = set(rows["location_id"][split.train | split.validation])
        assert learned <= lone
    assert shown["n_locations_in_buffers"] == 4 * 147
