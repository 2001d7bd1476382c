"""A study made by the version before opens: what has not changed is skipped, the rest says why.

Version 1 of a manifest kept what later steps read, and what the UI shows, under `summary.figures`.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets.codes.tables import BucketRecord, ShardsRecord
from streetineq_assets.models.bundles.bundle import export_bundle, open_bundle
from streetineq_assets.models.tables import JointRecord, TrainingRecord
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import view
from streetineq_tests import studies
from streetineq_tests.harness import (
    checks,
    failed,
    give_earlier_names,
    manifest_content,
    metadata,
    run,
)

pytestmark = pytest.mark.usefixtures("plain_steps")

SHARDS = {
    "listed": 160,
    "extracted": 150,
    "rejected": 8,
    "missing": 2,
    **studies.ENCODER_OF_VERSION_1,
    "dtype": "float32",
    "codes_mean": -5.2,
    "shards": 2,
}
WITHOUT_CODES = [{"reason": "missing", "locations": 2}, {"reason": "truncated", "locations": 8}]
FOLDS = {"status": "available", "scheme": "area", "n_areas": 50, "n_folds": 5}
NETWORKS = {
    "status": "available",
    "n_locations_with_codes": 150,
    "n_locations_used": 150,
    "n_locations_trained_on": 150,
    "n_areas_trained_on": 50,
    "scheme": "area",
    "n_folds": 5,
    "val_loss": 2.1,
    "profile": "recommended",
    "head": "binomial",
    "trained_on": "alpha",
    "joint": False,
    "seed": 7,
    **{f"codes_{name}": value for name, value in studies.ENCODER_OF_VERSION_1.items()},
    "codes_synthetic": True,
}

BY_AREA = [
    ("area_folds", "alpha"),
    ("trained_model", "alpha/crime"),
    ("location_predictions", "alpha/crime"),
    ("lsoa_predictions", "alpha/crime"),
]


def write_version_1(
    store: DataStore,
    asset: str,
    partition: str,
    figures: dict[str, Any],
    *,
    tables: dict[str, Any] | None = None,
    checks: tuple[str, ...] = (),
    notes: dict[str, str] | None = None,
) -> None:
    """Put a manifest of version 1 in the place of today's, with these figures and checks."""
    path = store.folder(asset, partition) / "manifest.json"
    manifest = manifest_content(path)
    for field in ("unavailable", "record"):
        del manifest[field]
    summary = {"figures": figures, "tables": tables or {}, "notes": notes or {}, "digest": None}
    about = {"passed": True, "description": "holds", "blocking": False, "figures": {"n": 1}}
    summary["checks"] = [{"name": name} | about for name in checks]
    old = {"schema_version": 1, "summary": summary}
    path.write_text(json.dumps(manifest | old), encoding="utf-8")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    """A trained study whose manifests are those of the version before."""
    store = studies.write_with_codes(tmp_path_factory.mktemp("earlier"))
    run(store, "area_folds", "alpha")
    run(store, "area_folds", "hamlet")
    run(store, "trained_model", "alpha/crime")
    run(store, "joint_model", "alpha")
    write_version_1(store, "hdf5_shards", "alpha", SHARDS, tables={"without_codes": WITHOUT_CODES})
    names = ("available", "areas_once", "folds_filled", "folds_balanced", "no_leak")
    write_version_1(store, "area_folds", "alpha", FOLDS, checks=names)
    nothing = {"status": "unavailable", "wanted": "smaller folds", "reason": "4 areas, 5 folds"}
    write_version_1(store, "area_folds", "hamlet", nothing, checks=names)
    names = (
        "available", "out_of_fold", "no_leakage", "probabilities", "labels_cover_locations",
        "learned",
    )  # fmt: skip
    write_version_1(
        store, "trained_model", "alpha/crime", NETWORKS, checks=names, notes={"leak": "a little"}
    )
    joint = {"status": "available", "n_outcomes": 2, "n_folds": 5, "profile": "recommended"}
    write_version_1(store, "joint_model", "alpha", joint, checks=("available",))
    return store


@pytest.mark.parametrize(
    ("asset", "partition"),
    [
        ("area_folds", "alpha"),
        ("area_folds", "hamlet"),
        ("trained_model", "alpha/crime"),
        ("joint_model", "alpha"),
    ],
)
def test_what_has_not_changed_is_skipped(earlier: DataStore, asset: str, partition: str) -> None:
    digest = earlier.manifest(asset, partition).digest
    result = run(earlier, asset, partition)
    assert metadata(result, asset)["skipped"] is True
    assert earlier.manifest(asset, partition).digest == digest


def test_a_check_is_reported_by_its_present_name(earlier: DataStore) -> None:
    result = run(earlier, "trained_model", "alpha/crime")
    names = {found.check_name for found in result.get_asset_check_evaluations()}
    assert "no_leak" in names
    assert "no_leakage" not in names


def test_what_a_check_counted_and_what_was_noted_is_still_shown(earlier: DataStore) -> None:
    result = run(earlier, "trained_model", "alpha/crime")
    assert metadata(result, "trained_model")["leak"] == "a little"
    assert {found.metadata["n"].value for found in checks(result).values()} == {1}


def test_what_was_unavailable_is_known_as_such(earlier: DataStore) -> None:
    assert earlier.manifest("area_folds", "hamlet").unavailable.reason == "4 areas, 5 folds"
    shown = metadata(run(earlier, "trained_model", "hamlet/crime"), "trained_model")
    assert (shown["status"], shown["wanted"]) == ("unavailable", "smaller folds")


def test_records_are_read_from_the_figures(earlier: DataStore) -> None:
    shards = earlier.manifest("hdf5_shards", "alpha").read_record(ShardsRecord)
    assert (shards.n_listed, shards.n_extracted, shards.n_rejected) == (160, 150, 8)
    assert shards.without_codes == {"missing": 2, "truncated": 8}
    assert (shards.encoder.layer, shards.encoder.mixed_precision) == ("fc6", False)
    networks = earlier.manifest("trained_model", "alpha/crime").read_record(TrainingRecord)
    assert networks.trained_on == ("alpha",)
    assert networks.n_lsoas_trained_on == 50
    bucket = BucketRecord.model_validate({"buckets": 8, "rejected": 1, "listed": 20})
    assert (bucket.n_buckets, bucket.n_rejected) == (8, 1)


def test_records_are_read_from_the_recipe_too(earlier: DataStore) -> None:
    """Version 1 had the joint outcomes nowhere else."""
    joint = earlier.manifest("joint_model", "alpha").read_record(JointRecord)
    assert joint.outcomes == ("crime", "education")
    assert joint.profile_name == "recommended"


def test_new_assets_are_made_from_what_is_there(earlier: DataStore, tmp_path) -> None:
    result = run(earlier, "baseline_scores", "alpha/crime")
    assert metadata(result, "baseline_scores")["skipped"] is False
    assert not failed(result)
    bundle = open_bundle(export_bundle(earlier, Pair("alpha", "crime"), tmp_path / "x.streetineq"))
    assert bundle.description.encoder.layer == "fc6"


def test_what_is_made_again_says_what_changed(
    earlier: DataStore, capfd: pytest.CaptureFixture[str]
) -> None:
    config = {"overrides": {"epochs": 1}}
    result = run(earlier, "trained_model", "alpha/crime", config=config)
    assert metadata(result, "trained_model")["skipped"] is False
    assert "to be made again, changed: config.profile" in capfd.readouterr().err


@pytest.fixture(scope="module")
def of_2011(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    """A trained study whose tables call an area `lsoa11`."""
    store = studies.write_with_codes(tmp_path_factory.mktemp("of_2011"))
    for asset, partition in BY_AREA:
        run(store, asset, partition)
    assert give_earlier_names(store) >= len(BY_AREA)
    names = pq.read_schema(store.open("lsoa_labels").file("lsoa_labels.parquet")).names
    assert "lsoa11" in names
    assert "area" not in names
    return store


@pytest.mark.parametrize(("asset", "partition"), BY_AREA)
def test_tables_that_call_an_area_otherwise_are_found_unchanged(
    of_2011: DataStore, asset: str, partition: str
) -> None:
    assert metadata(run(of_2011, asset, partition), asset)["skipped"] is True


def test_they_are_read_by_the_present_names(of_2011: DataStore, tmp_path: Path) -> None:
    table = of_2011.open("lsoa_predictions", "alpha/crime").table(columns=["area", "decile"])
    assert len(table) == 50
    postcodes = of_2011.open("postcode_lsoa").file("postcode_lsoa.parquet")
    with duckdb.connect() as connection, view(connection, "postcodes", postcodes):
        ((n_areas,),) = connection.sql("SELECT count(DISTINCT area) FROM postcodes").fetchall()
    assert n_areas == of_2011.open("postcode_lsoa").table()["area"].nunique() > 0


def test_what_reads_them_is_made(of_2011: DataStore) -> None:
    for asset in ("baseline_scores", "lsoa_evaluation"):
        assert not failed(run(of_2011, asset, "alpha/crime")) - {"beats_the_map"}


def test_the_warehouse_shows_them_beside_new_ones(of_2011: DataStore) -> None:
    shutil.rmtree(of_2011.folder("lsoa_predictions", "alpha/crime"))
    before = of_2011.open("area_folds", "alpha").table()
    run(of_2011, "lsoa_predictions", "alpha/crime")
    run(of_2011, "warehouse")
    with duckdb.connect(str(of_2011.open("warehouse").file(WAREHOUSE_FILE)), read_only=True) as db:
        folds = db.sql("SELECT area, fold FROM area_folds ORDER BY area").df()
        ((n_ranked,),) = db.sql("SELECT count(area) FROM lsoa_predictions").fetchall()
        columns = db.sql("SELECT * FROM lsoa_labels").columns
    assert n_ranked == 50
    assert "lsoa11" not in columns
    expected = before[["area", "fold"]].sort_values("area", ignore_index=True)
    pd.testing.assert_frame_equal(folds, expected, check_dtype=False)
