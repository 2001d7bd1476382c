"""A city's audit through Dagster: its tables, its checks, when it is made again."""

import shutil

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.audit.data_audit import AUDIT_FILES
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests import harness
from streetineq_tests.reports import made_up_study

ASSET = "data_audit"
RIGHTS = '\n[rights.agreements.google]\nallows = ["store_images"]\nreason = "a letter"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Alpha's 60 areas are of twelve MSOAs; all are ranked, of five tenths with a known licence."""
    store = made_up_study.write(tmp_path_factory.mktemp("audited") / "study")
    lsoas = sorted(store.open("lsoa_labels").table()["area"].unique())
    numbers = [f"E02{n // 5:06d}" for n in range(len(lsoas))]
    harness.publish(store, "postcode_lsoa", None, postcode_lsoa=pd.DataFrame(
        {"postcode": lsoas, "area": lsoas, "msoa": numbers}))  # fmt: skip
    change_locations(store)
    return store, harness.run(store, ASSET, "alpha")


def change_locations(store, **columns):
    table = store.open("locations", "alpha").table()
    n = len(table)
    days = pd.to_datetime(np.where(np.arange(n) % 10 < 3, "2013-09-30", "2018-09-30"))
    given = {
        "provider": np.where(np.arange(n) % 2, "Mapillary", None),
        "licence": np.where(np.arange(n) % 2, "CC BY-SA 4.0", None),
        "captured_at": days.where(np.arange(n) % 10 > 0),
    }
    harness.publish(store, "locations", "alpha", locations=table.assign(**(given | columns)))


@pytest.fixture
def store(made, tmp_path):
    """A copy, to be changed at will."""
    return DataStore(shutil.copytree(made[0].root, tmp_path / "study"))


def row(store, outcome="crime"):
    return store.open(ASSET, "alpha").table().set_index("outcome").loc[outcome]


@pytest.mark.parametrize("name", AUDIT_FILES)
def test_every_published_table_has_its_schema(made, name):
    store, _ = made
    harness.assert_schema(store.open(ASSET, "alpha").file(f"{name}.parquet"), AUDIT_FILES[name])


def test_an_outcome_has_its_time_its_dates_and_its_areas(made):
    found = row(made[0])
    assert (found["described_from"], found["described_to"]) == ("2012-04-01", "2013-03-31")
    assert found["is_modelled"]
    assert found["n_locations"] == 180  # without the one that has no area
    assert found["n_dated"] == 162
    assert found["years_apart"] == found["years_after"] == pytest.approx(6, abs=0.01)
    assert (found["n_lsoas"], found["n_ranked"], found["n_msoas"]) == (60, 60, 12)
    assert (found["share_ranked"], found["mean_decile_ranked"]) == (1, 5.5)


def test_an_outcome_without_labels_has_no_areas_and_stops_nothing(made):
    found = row(made[0], "mean_income")
    assert (found["n_lsoas"], found["n_ranked"]) == (0, 0)
    assert found[["share_ranked", "difference", "p_value"]].isna().all()


def test_years_and_rights_are_counted(made):
    artefact = made[0].open(ASSET, "alpha")
    years = artefact.table("capture_years.parquet")
    assert years["year"].tolist()[:2] == [2013, 2018]
    assert years["n_locations"].tolist() == [36, 126, 18]
    rights = artefact.table("image_rights.parquet")
    assert rights[["provider", "licence", "n_locations"]].to_numpy().tolist() == [
        ["unknown", "unknown", 91],
        ["mapillary", "CC-BY-SA-4.0", 90],
    ]


def test_what_the_ui_shows(made):
    shown = harness.metadata(made[1], ASSET)
    assert shown["n_locations"] == 180
    assert {"image_rights", "capture_years", "coverage_by_decile"} <= set(shown)
    results = {name: c.metadata["result"].value for name, c in harness.checks(made[1]).items()}
    assert results == {
        "available": "holds",
        "rights_known": "does not hold",
        "captured_near_labels": "does not hold",
        "captured_together": "holds",
        "coverage_even": "holds",
    }


def test_areas_that_lack_images_by_deprivation_are_found(store):
    """The poorer half loses three areas in four."""
    predicted = store.open("lsoa_predictions", "alpha/crime").table()
    poor = predicted["actual_decile"] <= 5
    kept = predicted[~poor | (np.arange(len(predicted)) % 4 == 0)]
    harness.publish(store, "lsoa_predictions", "alpha/crime", lsoa_predictions=kept)
    result = harness.run(store, ASSET, "alpha")
    assert harness.checks(result)["coverage_even"].metadata["result"].value == "does not hold"
    assert row(store)["difference"] > 0.5
    shares = store.open(ASSET, "alpha").table("coverage_by_decile.parquet")
    assert shares.loc[shares["outcome"] == "crime", "share_ranked"].iloc[-1] == 1


def test_predictions_that_are_not_made_yet_are_not_tested(store):
    shutil.rmtree(store.folder("lsoa_predictions", "alpha/crime"))
    shutil.rmtree(store.folder("lsoa_predictions", "alpha/mean_income"))
    result = harness.run(store, ASSET, "alpha")
    assert harness.checks(result)["coverage_even"].metadata["result"].value == "not tested"
    assert row(store)["n_ranked"] == 0
    assert row(store)["n_dated"] == 162


@pytest.mark.parametrize(
    "setting",
    ['iod_edition = "2019"\n', RIGHTS],
)
def test_it_is_made_again_by_settings_that_shape_it(store, setting):
    assert harness.metadata(harness.run(store, ASSET, "alpha"), ASSET)["skipped"]
    text = store.study_file.read_text(encoding="utf-8")
    text = setting + text if setting.startswith("iod") else text + setting
    store.study_file.write_text(text, encoding="utf-8")
    assert not harness.metadata(harness.run(store, ASSET, "alpha"), ASSET)["skipped"]


def test_it_disagrees_once_the_predictions_were_made_again(store):
    def disagreements():
        return Lineage(store, load_study(store.study_file)).disagreements(ASSET, "alpha")

    assert disagreements() == ()
    harness.publish_again(store, "lsoa_predictions", "alpha/crime", changes={"score": 0.0})
    assert {each.read for each in disagreements()} == {"lsoa_predictions[alpha/crime]"}


def test_a_city_without_a_list_has_an_empty_audit(store):
    nothing = store.open("locations", "alpha").table().head(0)
    why = Findings(unavailable=Unavailable("locations/alpha.csv", "no list"))
    harness.publish(store, "locations", "alpha", why, locations=nothing)
    result = harness.run(store, ASSET, "alpha", allow_loss=True)
    assert harness.failed(result) == {"available"}
    assert store.open(ASSET, "alpha").table().empty
