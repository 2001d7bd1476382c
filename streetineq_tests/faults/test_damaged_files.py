"""Files of every kind are damaged or removed: readers say which, and a run makes them again."""

import contextlib

import pytest

from streetineq_assets.doctor import examine
from streetineq_assets.errors import StoreError
from streetineq_assets.publishing import MANIFEST
from streetineq_tests.faults.children import Work, do
from streetineq_tests.faults.damage import DAMAGES
from streetineq_tests.faults.expected import WAREHOUSE, assert_undisturbed
from streetineq_tests.faults.studies import PAIR, Target, named, want_again

pytestmark = pytest.mark.faults
IMAGES, EVALUATION = Target("street_images", "saltbridge"), Target("lsoa_evaluation", PAIR)
CODES = Target("image_codes", "saltbridge/000")
FILES = {
    "Parquet": (IMAGES, ["street_images.parquet"]),
    "Parquet and PNG": (EVALUATION, ["metrics.parquet", "*.png"]),
    "HDF5 of codes": (CODES, ["*.h5"]),
    "HDF5 of shards": (Target("hdf5_shards", "saltbridge"), ["*.h5"]),
    "Keras": (Target("trained_model", PAIR), ["*.keras"]),
    "HTML": (Target("inequality_report", None), ["*.html"]),
    "GeoPackage and CSV": (Target("evidence_pack", None), ["*.gpkg", "*.csv"]),
    "DuckDB": (Target(WAREHOUSE, None), ["*.duckdb"]),
    "manifest of one file": (Target("image_repeats", "saltbridge"), [MANIFEST]),
    "manifest of several": (EVALUATION, [MANIFEST]),
}
WHOLE = [
    IMAGES,
    EVALUATION,
    Target("image_codes", "saltbridge/000"),
    Target("transfer_report", None),
]


def file_of(store, target, pattern):
    if pattern == MANIFEST:
        return store.manifest_file(*target)
    return sorted(store.open(*target).folder.glob(pattern))[0]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_are_named_and_made_again(store, undisturbed, fault, kind, damage):
    target, patterns = FILES[kind]
    label = store.manifest(*target).label
    files = [file_of(store, target, pattern) for pattern in patterns]
    with contextlib.ExitStack() as faults:
        for file in files:
            faults.enter_context(
                fault("removed by hand" if damage == "removed" else "damaged file")
            )
            DAMAGES[damage](file)
        with pytest.raises(StoreError) as raised:
            store.open(*target)
        said = str(raised.value)
        assert any(str(file) in said or str(file.parent) in said for file in files)
        assert f"materialise {label}" in said
        assert "\n" not in said
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)


@pytest.mark.parametrize("target", WHOLE, ids=named)
def test_an_artefact_that_was_removed_is_made_again(store, undisturbed, fault, target):
    with fault("removed by hand"):
        DAMAGES["removed"](store.folder(*target))
        with pytest.raises(StoreError, match="is not there"):
            store.open(*target)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed, warehouse=target.asset == WAREHOUSE)


def test_an_asset_that_was_removed_whole_is_made_again(store, undisturbed, fault):
    with fault("removed by hand"):
        keys = [m.partition for m in store.manifests("lsoa_predictions")]
        DAMAGES["removed"](store.folder("lsoa_predictions"))
        for key in keys:
            again = do(Work(store.root, "lsoa_predictions", key))
            assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed)


def test_what_somebody_laid_into_the_place_of_a_file_is_theirs(store, undisturbed, fault):
    target = Target("image_repeats", "saltbridge")
    file = file_of(store, target, "image_repeats.parquet")
    want_again(store, target)
    with fault("damaged file"):
        DAMAGES["a folder in its place"](file)
        (file / "notes.txt").write_text("mine")
        refused = do(Work(store.root, *target))
        assert f"{file} is a folder" in refused.said
        assert "\n" not in refused.said
        assert (file / "notes.txt").read_text() == "mine"
        DAMAGES["removed"](file)
        again = do(Work(store.root, *target))
        assert again.succeeded, again.said
        assert_undisturbed(store, undisturbed)


def test_the_doctor_names_what_is_damaged(store, fault):
    with fault("damaged file"):
        DAMAGES["cut"](file_of(store, IMAGES, "street_images.parquet"))
        DAMAGES["a folder in its place"](store.manifest_file(*EVALUATION))
        wrong = [row["what"] for row in examine(store)["artefacts"] if row["status"] == "wrong"]
        assert wrong == ["street_images[saltbridge]", f"lsoa_evaluation/{PAIR}"]
