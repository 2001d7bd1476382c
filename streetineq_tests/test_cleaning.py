"""`streetineq clean` removes what is of no use any more, and nothing that something still reads."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cleaning import Leftovers, examine_leftovers, remove_unneeded
from streetineq_assets.cli import app
from streetineq_assets.codes.tables import BucketRecord
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.training_plan import fingerprint
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.harness import publish
from streetineq_tests.studies import new_study, two_towns

ROWS = pd.DataFrame({"n": [1, 2]})
OTHER = pd.DataFrame({"n": [3]})


@pytest.fixture
def store(tmp_path) -> DataStore:
    return new_study(tmp_path / "study", two_towns())


def examine(store: DataStore) -> Leftovers:
    return examine_leftovers(store, load_study(store.study_file))


def names(store: DataStore) -> set[str]:
    return {each.what for each in examine(store).unneeded}


def publish_codes(store: DataStore, key: str, n_buckets: int) -> None:
    record = BucketRecord(n_buckets=n_buckets, n_rejected=0)
    publish(store, "image_codes", key, Findings(record=record), image_codes=ROWS)


def files(store: DataStore) -> set[str]:
    return {p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file()}


def clean(store: DataStore, *options: str) -> str:
    result = CliRunner().invoke(app, ["clean", "--root", str(store.root), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_results_of_what_left_the_study_are_listed_with_their_bytes_and_removed_by_yes(store):
    publish(store, "lsoa_predictions", "alpha/crime", table=ROWS)
    publish(store, "lsoa_predictions", "alpha/education", table=ROWS)
    publish(store, "trained_model", "gone/crime", model=ROWS, history=ROWS)
    publish(store, "street_images", "gone", table=ROWS)
    store.inputs("images", "gone").mkdir(parents=True)
    store.inputs("images", "gone", "1_a.png").write_bytes(b"image")
    before = files(store)
    assert names(store) == {
        "lsoa_predictions[alpha/education]",
        "trained_model[gone/crime]",
        "street_images[gone]",
    }
    listed = clean(store)
    assert "street_images[gone]: the study no longer has this partition" in listed
    assert "--yes" in listed
    assert files(store) == before
    clean(store, "--yes")
    left = {name for name in files(store) if not name.startswith("dagster_home")}
    assert left == {
        "study.toml",
        "inputs/images/gone/1_a.png",
        "assets/lsoa_predictions/alpha/crime/manifest.json",
        "assets/lsoa_predictions/alpha/crime/table.parquet",
    }
    assert not (store.assets / "trained_model").exists()
    assert "nothing to remove" in clean(store)


def test_what_somebody_else_laid_beside_a_result_stays(store):
    publish(store, "street_images", "gone", table=ROWS)
    notes = store.folder("street_images", "gone") / "notes.txt"
    notes.write_text("mine")
    clean(store, "--yes")
    assert notes.read_text() == "mine"
    assert list(notes.parent.iterdir()) == [notes]


def test_a_result_stays_while_something_of_the_study_was_made_of_it(store):
    """Shards of the buckets of before are still read against them."""
    for number in range(4):
        publish_codes(store, f"alpha/{number:03d}", 2 if number < 2 else 4)
    recipe = Recipe(code_version="1", inputs={"alpha/003": "digest", "location_ids": "digest"})
    publish(store, "hdf5_shards", "alpha", recipe=recipe, rows=ROWS)
    found = examine(store)
    assert [each.what for each in found.unneeded] == ["image_codes[alpha/002]"]
    (kept,) = found.kept
    assert kept.what == "image_codes[alpha/003]"
    assert "hdf5_shards[alpha]" in kept.why
    assert "kept  image_codes[alpha/003]" in clean(store)


@pytest.mark.parametrize("moved", [False, True])
def test_codes_of_another_number_of_buckets_stay_until_the_new_ones_have_them(store, moved):
    publish_codes(store, "alpha/002", 4)
    publish_codes(store, "alpha/000", 2)
    publish_codes(store, "alpha/001", 2 if moved else 4)
    assert names(store) == ({"image_codes[alpha/002]"} if moved else set())


def test_litter_of_killed_processes_is_removed_and_what_they_published_is_not(store):
    manifest = publish(store, "trained_model", "alpha/crime", model=ROWS, history=ROWS)
    folder = store.folder("trained_model", "alpha/crime")
    old, half = folder / ("0" * 12), folder / ".staging-123"
    for path in (old, half, store.scratch):
        path.mkdir()
        (path / "part").write_bytes(b"12345")
    assert names(store) == {
        "assets/trained_model/alpha/crime/000000000000",
        "assets/trained_model/alpha/crime/.staging-123",
        "assets/.scratch",
    }
    assert {each.size_bytes for each in examine(store).unneeded} == {5}
    clean(store, "--yes")
    assert {path.name for path in folder.iterdir()} == {"manifest.json", manifest.generation}
    assert store.intact("trained_model", "alpha/crime")


def test_a_publication_that_was_cut_off_between_its_moves_is_finished_not_removed(store):
    """The new file is in place, its manifest still a draft."""
    publish(store, "street_images", "alpha", table=ROWS)
    folder = store.folder("street_images", "alpha")
    shutil.copytree(folder, folder.with_name("kept"))
    publish(store, "street_images", "alpha", table=OTHER)
    (folder / "manifest.json").rename(folder / ".staging-0123456789ab.json")
    shutil.copy(folder.with_name("kept") / "manifest.json", folder)
    shutil.rmtree(folder.with_name("kept"))
    clean(store, "--yes")
    assert len(store.open("street_images", "alpha").table("table.parquet")) == 1


# -- unfinished trainings --------------------------------------------------------------------------

INPUTS = {"alpha/hdf5_shards": "", "weights.h5": "of a file"}
CONFIG = {"profile": {"epochs": 3}, "seed": 7, "seeds": 2}


@pytest.fixture
def training(store):
    """A training that was broken off, of the shards that stand; the folder of its states."""
    publish(store, "hdf5_shards", "alpha", rows=ROWS)
    shards = Standing(store, load_study(store.study_file)).whole(("hdf5_shards", "alpha"))
    inputs = INPUTS | {"alpha/hdf5_shards": shards.digest()}
    return start(store.workspace("trained_model", "alpha/crime"), fingerprint(inputs, CONFIG))


def start(work: Path, found: dict[str, str]) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    (work / "fingerprint.json").write_text(json.dumps(found))
    (work / "fold_0.npz").write_bytes(b"123")
    return work


def test_a_training_that_can_be_resumed_stays_whatever_its_profile(store, training):
    assert names(store) == set()


def test_a_training_of_other_inputs_than_stand_goes(store, training):
    publish(store, "hdf5_shards", "alpha", rows=OTHER)
    (found,) = examine(store).unneeded
    assert found.what == "assets/trained_model/alpha/crime/.work"
    assert "alpha/hdf5_shards is another" in found.why
    assert found.size_bytes > 3


def test_a_training_whose_inputs_are_away_stays(store, training):
    shutil.rmtree(store.folder("hdf5_shards", "alpha"))
    assert names(store) == set()


def test_a_training_by_an_earlier_version_goes(store, training):
    file = training / "fingerprint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"training_version": "0"}))
    (found,) = examine(store).unneeded
    assert "earlier version" in found.why


def test_a_training_whose_networks_were_published_goes_with_its_further_seeds(store, training):
    found = json.loads((training / "fingerprint.json").read_text())
    start(training / "seed_1", found)
    inputs = {name: found[name] for name in INPUTS}
    recipe = Recipe(code_version="1", inputs=inputs, config=CONFIG)
    publish(store, "trained_model", "alpha/crime", recipe=recipe, history=ROWS)
    whys = {each.what: each.why for each in examine(store).unneeded}
    assert set(whys) == {f"assets/trained_model/alpha/crime/.work{s}" for s in ("", "/seed_1")}
    assert all("published since" in why for why in whys.values())
    clean(store, "--yes")
    assert not training.exists()
    assert store.intact("trained_model", "alpha/crime")


def test_a_training_for_a_city_that_left_goes(store, training):
    start(store.workspace("joint_model", "gone"), {})
    assert names(store) == {"assets/joint_model/gone/.work"}


def test_nothing_outside_of_assets_is_ever_removed(store):
    publish(store, "street_images", "gone", table=ROWS)
    (found,) = examine(store).unneeded
    outside = store.inputs("locations")
    outside.mkdir(parents=True)
    with pytest.raises(AssertionError):
        remove_unneeded(store, [type(found)(found.what, found.why, (outside,))])
    assert outside.is_dir()
