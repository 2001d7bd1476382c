"""Exporting networks: whose they are, how they were made, and labels that are theirs no longer."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.errors import TrainingError
from streetineq_assets.models.bundles.bundle import Bundle, export_bundle, open_bundle, predict
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.reports.history import made_with
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies
from streetineq_tests.harness import publish_again, run
from streetineq_tests.models.bundles import train, trained_study
from streetineq_tests.models.running import JOINT

pytestmark = pytest.mark.usefixtures("plain_steps")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    return trained_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def bundle(store: DataStore, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    target = tmp_path_factory.mktemp("bundles") / "crime.streetineq"
    return open_bundle(export_bundle(store, Pair("alpha", "crime"), target))


def test_an_export_without_an_evaluation_says_so(store: DataStore, tmp_path: Path) -> None:
    target = tmp_path / "crime.streetineq"
    asked = ["model", "export", "alpha/crime", str(target), "--root", str(store.root)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0
    assert "without metrics" in result.stdout
    assert open_bundle(target).about["metrics"] == []
    with zipfile.ZipFile(target) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    assert "- folds: area, k = 5" in card
    assert "- spatial blocks: squares of 2 km, with a margin of 0.5 km" in card
    assert "- arithmetic of training: float32" in card


def test_the_card_tells_how_they_were_made_whatever_study_toml_says_now(
    store: DataStore, tmp_path: Path
) -> None:
    root, pair = tmp_path / "study", Pair("alpha", "crime")
    shutil.copytree(store.root, root)
    copy = DataStore(root)
    text = copy.study_file.read_text(encoding="utf-8")
    edited = text.replace("k = 5", "k = 3").replace("block_km = 2.0", "block_km = 4.0")
    copy.study_file.write_text(edited, encoding="utf-8")
    settings = made_with(copy, Lineage(copy, load_study(copy.study_file)), pair)
    assert settings["Folds"] == "area, k = 5"
    run(copy, "area_folds", "alpha")
    settings = made_with(copy, Lineage(copy, load_study(copy.study_file)), pair)
    assert settings["Folds"].startswith("area, 5 networks (not known")


def test_edges_of_other_labels_than_were_learned_from_are_left_out(
    store: DataStore, tmp_path: Path
) -> None:
    root = tmp_path / "study"
    shutil.copytree(store.root, root)
    copy = DataStore(root)
    publish_again(copy, "lsoa_labels", None, changes={"decile": lambda t: 11 - t["decile"]})
    target, pair = tmp_path / "x.streetineq", Pair("alpha", "crime")
    with pytest.raises(
        TrainingError, match=r"trained_model\[alpha/crime\] was trained on other labels"
    ):
        export_bundle(copy, pair, target)
    assert not target.exists()
    bundle = open_bundle(export_bundle(copy, pair, target, allow_stale=True))
    assert bundle.about["decile_edges"] == []
    said = bundle.stale_labels(copy, load_study(copy.study_file))
    assert said.startswith("x.streetineq was trained on other labels of alpha than the lsoa_labels")
    assert bundle.stale_labels(store, load_study(store.study_file)) is None


def test_stale_networks_are_used_from_the_command_line_only_if_asked_for(
    store: DataStore, bundle: Bundle, tmp_path: Path
) -> None:
    root = tmp_path / "study"
    shutil.copytree(store.root, root)
    publish_again(
        DataStore(root), "lsoa_labels", None, changes={"decile": lambda t: 11 - t["decile"]}
    )
    for asked, made in (
        (["export", "alpha/crime"], tmp_path / "x.streetineq"),
        (["predict", str(bundle.path), "alpha"], tmp_path / "x.csv"),
    ):
        command = ["model", *asked, str(made), "--root", str(root)]
        refused = CliRunner().invoke(app, command)
        assert refused.exit_code == 1
        assert "was trained on other labels of alpha than the lsoa_labels" in refused.stderr
        assert "--allow-stale" in refused.stderr
        assert not made.exists()
        assert CliRunner().invoke(app, [*command, "--allow-stale"]).exit_code == 0
        assert made.exists()


def test_labels_of_another_place_by_the_same_name_are_not_compared(
    store: DataStore, bundle: Bundle, tmp_path: Path
) -> None:
    text = store.study_file.read_text(encoding="utf-8")
    (own,) = load_study(store.study_file).cities["alpha"].authorities
    root = tmp_path / "study"
    shutil.copytree(store.root, root)
    other = DataStore(root)
    other.study_file.write_text(text.replace(own, "E08000999"), encoding="utf-8")
    publish_again(other, "lsoa_labels", None, changes={"decile": lambda t: 11 - t["decile"]})
    assert bundle.stale_labels(other, load_study(other.study_file)) is None


def test_an_unavailable_pair_has_no_bundle(store: DataStore, tmp_path: Path) -> None:
    train(store, "alpha/mean_income")
    with pytest.raises(TrainingError, match=r"household_income/estimates\.csv"):
        export_bundle(store, Pair("alpha", "mean_income"), tmp_path / "x.streetineq")


def test_it_names_the_encoder_of_the_codes_that_were_learned_from(
    store: DataStore, tmp_path: Path
) -> None:
    """Codes that were made again by another encoder since are not those of the networks."""
    shards = store.open("hdf5_shards", "alpha")
    ids = shards.table("rows.parquet")["location_id"].tolist()
    codes = open_codes([shards], 2**30).reader.read()
    studies.publish_shards(store, "alpha", codes, ids, weights_sha256="2" * 64)
    target = export_bundle(store, Pair("alpha", "crime"), tmp_path / "x.streetineq")
    studies.publish_shards(store, "alpha", codes, ids)
    assert open_bundle(target).description.encoder.weights_sha256 == "0" * 64


@pytest.mark.slow
def test_a_joint_pair_exports_its_own_networks(tmp_path: Path) -> None:
    store = studies.write_with_codes(tmp_path, toml=JOINT)
    train(store, "alpha/education")
    bundle = open_bundle(
        export_bundle(store, Pair("alpha", "education"), tmp_path / "e.streetineq")
    )
    table = predict(bundle, open_codes([store.open("hdf5_shards", "alpha")], 2**30))
    scores = store.open("trained_model", "alpha/education").table("scores.parquet")
    own = bundle.networks()
    features = open_codes([store.open("hdf5_shards", "alpha")], 2**30).reader.read()
    fold = scores.set_index("location_id")["fold"][table["location_id"]].to_numpy()
    h = np.array([np.asarray(own[f](features[i : i + 1]))[0, 0] for i, f in enumerate(fold)])
    expected = scores.set_index("location_id")["h"][table["location_id"]]
    np.testing.assert_allclose(h, expected, atol=1e-4)
