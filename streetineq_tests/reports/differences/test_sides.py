"""What can be compared: a study, a pack of Parquet or of CSV; and what is refused, by name."""

import hashlib
import json
import shutil

import pandas as pd
import pytest

from streetineq_assets import tables
from streetineq_assets.errors import StreetineqError
from streetineq_assets.predictions.tables import LSOA_PREDICTIONS
from streetineq_assets.reports.differences.differences import compare
from streetineq_assets.reports.differences.packs import PackError
from streetineq_assets.reports.differences.sides import open_side
from streetineq_assets.reports.exports import write_csv
from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.differences.made_up_sides import write_pack


@pytest.fixture(scope="module", params=[".parquet", ".csv"])
def made_pack(request, evaluated_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "pack"
    return write_pack(DataStore(evaluated_study), folder, request.param)


@pytest.fixture
def pack(made_pack, tmp_path):
    """A copy of a pack, to be changed at will."""
    return shutil.copytree(made_pack, tmp_path / "pack")


def change_table(pack, stem, change):
    """Rewrite a table of a pack, whichever kind of file it is."""
    (file,) = pack.glob(f"{stem}.*")
    if file.suffix == ".csv":
        write_csv(change(pd.read_csv(file)), file)
    else:
        change(tables.read(file)).to_parquet(file, index=False)


def test_a_pack_does_not_differ_from_its_study(evaluated_study, made_pack):
    study, pack = open_side(evaluated_study), open_side(made_pack)
    assert (study.kind, pack.kind) == ("study", "pack")
    assert study.pairs == pack.pairs == {"alpha/crime", "beta/crime"}
    assert not compare(study, pack).any


def test_a_city_called_null_and_a_cell_that_spreadsheets_calculate_are_text(store, tmp_path):
    pack = write_pack(store, tmp_path / "pack", ".csv")
    change_table(pack, "lsoa_predictions", lambda t: t.head(1).assign(city="null", area="=1"))
    assert open_side(pack).areas[["city", "area"]].to_numpy().tolist() == [["null", "=1"]]


def test_a_folder_without_metrics_is_no_pack(pack):
    next(pack.glob("metrics.*")).unlink()
    with pytest.raises(PackError, match=f"{pack}: a pack has metrics.parquet or metrics.csv"):
        open_side(pack)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.drop(columns="is_published"), "column is_published"),
        (lambda t: t.assign(decile=11), "column decile"),
        (lambda t: t.assign(score=None), "score"),
        (lambda t: t.assign(decile="five"), "table"),
        (lambda t: pd.concat([t, t]), "two rows are of alpha, crime, E01000000"),
    ],
)
def test_a_table_that_does_not_fit_is_told_by_its_file(pack, change, named):
    change_table(pack, "lsoa_predictions", change)
    with pytest.raises(PackError, match=named) as error:
        open_side(pack)
    assert str(pack / "lsoa_predictions") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\xff\xfe\x00"])
def test_a_damaged_table_is_told_by_its_file(pack, content):
    (file,) = pack.glob("lsoa_predictions.*")
    file.write_bytes(content)
    with pytest.raises(PackError, match="lsoa_predictions") as error:
        open_side(pack)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [("{", "JSON"), ("[]", "provenance.json"), ('{"title": "x"}', "at version")],
)
def test_a_provenance_that_is_none_is_told(pack, content, named):
    (pack / "provenance.json").write_text(content)
    with pytest.raises(PackError, match=named):
        open_side(pack)


def test_a_file_is_compared_with_the_digest_that_the_pack_has_of_it(pack):
    files = sorted(pack.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (pack / "SHA256SUMS").write_text("".join(sums))
    assert open_side(pack).pairs
    told = json.loads((pack / "provenance.json").read_text())
    (pack / "provenance.json").write_text(json.dumps(told | {"title": "Another"}))
    with pytest.raises(PackError, match=r"provenance\.json: is not the file of which SHA256SUMS"):
        open_side(pack)


def test_a_column_that_a_later_version_adds_is_left_alone(pack):
    change_table(pack, "lsoa_predictions", lambda t: t.assign(new=1))
    told = json.loads((pack / "provenance.json").read_text())
    (pack / "provenance.json").write_text(json.dumps(told | {"new": 1}))
    assert open_side(pack).pairs


def test_what_is_neither_study_nor_pack_is_told(tmp_path):
    with pytest.raises(StreetineqError, match=r"study\.toml"):
        open_side(tmp_path)
    with pytest.raises(StreetineqError, match="no folder"):
        open_side(tmp_path / "absent")


def test_a_study_without_any_result_has_no_pair(tmp_path):
    store = studies.new_study(tmp_path, studies.SIMULATED)
    side = open_side(store.root)
    assert side.pairs == set()
    assert side.provenance.pairs.keys() == {"alpha/crime", "alpha/mean_income", "beta/crime"}


def test_a_damaged_study_is_told_with_what_to_materialise(store):
    file = store.open("lsoa_predictions", "alpha/crime").file("lsoa_predictions.parquet")
    file.write_bytes(b"cut")
    with pytest.raises(StreetineqError, match=r"materialise lsoa_predictions\[alpha/crime\]"):
        open_side(store.root)


def test_results_of_what_stands_no_more_are_left_out_by_name(store):
    made_up_study.make_again(store, "trained_model", "alpha/crime", n_folds=4)
    side = open_side(store.root)
    assert side.pairs == {"beta/crime"}
    (why,) = side.left_out
    assert "alpha/crime" in why
    assert "trained_model" in why


def test_predictions_of_an_earlier_version_are_left_out_by_name(store):
    old = tables.conform(store.open("lsoa_predictions", "beta/crime").table(), LSOA_PREDICTIONS)
    fields = LSOA_PREDICTIONS.remove(LSOA_PREDICTIONS.get_field_index("is_published"))
    content = {"lsoa_predictions": (old.drop(columns="is_published"), fields)}
    made_up_study.publish(store, "lsoa_predictions", "beta/crime", content)
    made_up_study.make_again(store, "lsoa_evaluation", "beta/crime")
    side = open_side(store.root)
    assert side.pairs == {"alpha/crime"}
    (why,) = side.left_out
    assert "lsoa_predictions[beta/crime]" in why
    assert "materialise" in why


def test_areas_of_two_vintages_are_not_compared(evaluated_study, pack):
    """Nine in ten codes are of both."""
    file = pack / "provenance.json"
    provenance = json.loads(file.read_text())
    assert provenance["area_vintage"] == "lsoa11"
    file.write_text(json.dumps(provenance | {"area_vintage": "lsoa21"}))
    (pack / "SHA256SUMS").unlink(missing_ok=True)
    with pytest.raises(StreetineqError, match=r"is of the LSOAs of 2011 and B .*LSOAs of 2021"):
        compare(open_side(evaluated_study), open_side(pack))
    del provenance["area_vintage"]  # as a pack of an earlier version
    file.write_text(json.dumps(provenance))
    assert not compare(open_side(evaluated_study), open_side(pack)).any
