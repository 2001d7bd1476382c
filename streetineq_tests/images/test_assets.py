"""Listing a city's images and joining its locations through Dagster: files, plots, skips."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets.findings import Findings
from streetineq_assets.images import assets, catalogue
from streetineq_assets.images.plots import plot_locations_per_lsoa
from streetineq_assets.images.tables import (
    ARCHIVE_MEMBERS,
    FOREIGN_FILES,
    LOCATIONS,
    STREET_IMAGES,
)
from streetineq_assets.plotting import png_bytes
from streetineq_tests.codes.encoded_study import IDS, Platform
from streetineq_tests.harness import checks, failed, metadata, run
from streetineq_tests.images.pictures import views_of, write_files, write_tar


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Alpha has 14 locations, one in an archive and one without images; beta is not listed."""
    platform = Platform(tmp_path_factory.mktemp("study"))
    platform.write()
    platform.list_locations([*IDS, "archived", "nothing"])
    write_tar(platform.images / "more.tar", views_of(["archived"]))
    write_files(platform.images, {"readme.txt": b""})
    return platform.store


@pytest.fixture(scope="module")
def made(store):
    """What both assets say of both cities."""
    return {
        (asset, city): run(store, asset, city)
        for asset in ("street_images", "locations")
        for city in ("alpha", "beta")
    }


@pytest.mark.parametrize("city", ["alpha", "beta"])
@pytest.mark.parametrize(
    ("asset", "name", "schema"),
    [
        ("street_images", "street_images.parquet", STREET_IMAGES),
        ("street_images", "foreign_files.parquet", FOREIGN_FILES),
        ("street_images", "archive_members.parquet", ARCHIVE_MEMBERS),
        ("locations", "locations.parquet", LOCATIONS),
    ],
)
def test_every_published_table_has_its_schema(store, made, city, asset, name, schema):
    file = store.open(asset, city).file(name)
    stored = pq.read_schema(file)
    assert stored.remove_metadata().equals(schema.remove_metadata())
    assert [field.metadata for field in stored] == [field.metadata for field in schema]


def test_a_city_without_a_list_of_locations_is_unavailable(store, made):
    for asset in ("street_images", "locations"):
        assert store.manifest(asset, "beta").unavailable.wanted.endswith("locations/beta.csv")
        shown = metadata(made[asset, "beta"], asset)
        assert shown["status"] == "unavailable"
        assert shown["wanted"].endswith("locations/beta.csv")
        assert store.manifest(asset, "alpha").unavailable is None
    assert failed(made["street_images", "beta"]) == {"city_listed"}


def test_a_listing_accounts_for_locations_and_files(made):
    shown = metadata(made["street_images", "alpha"], "street_images")
    states = ("complete", "incomplete", "missing")
    assert [shown[f"n_locations_{state}"] for state in states] == [13, 0, 1]
    assert shown["n_listed"] == 14
    assert (shown["n_files"], shown["n_foreign_files"], shown["n_archives"]) == (53, 1, 1)
    assert shown["dagster/partition_row_count"] == 56
    assert failed(made["street_images", "alpha"]) == {"locations_complete", "files_known"}
    assert checks(made["street_images", "alpha"])["accounting"].passed


def test_the_folder_is_walked_once(store, made, monkeypatch):
    walked = []
    real = catalogue.walk_files

    def walk(root):
        walked.append(root)
        return real(root)

    monkeypatch.setattr(assets, "walk_files", walk)
    monkeypatch.setattr(catalogue, "walk_files", walk)
    (store.inputs("images", "alpha") / "another.txt").write_bytes(b"")
    shown = metadata(run(store, "street_images", "alpha"), "street_images")
    assert not shown["skipped"]
    assert walked == [store.inputs("images", "alpha")]


def test_a_plot_stands_beside_the_table(store, made):
    shown = metadata(made["locations", "alpha"], "locations")
    assert shown["locations_per_lsoa_plot"].startswith("![")
    assert shown["dagster/partition_row_count"] == 14
    assert (shown["n_listed"], shown["n_matched"], shown["n_lsoas"]) == (14, 10, 10)
    files = set(store.manifest("locations", "alpha").files)
    assert files == {"locations.parquet", "locations_per_lsoa.png"}
    assert set(store.manifest("locations", "beta").files) == {"locations.parquet"}


def test_locations_of_one_file_as_earlier_versions_made_them_are_skipped(store, made):
    before = store.open("locations", "alpha")
    table = before.table()

    def write(folder):
        table.to_parquet(folder / "locations.parquet", index=False)
        return Findings.from_summary(before.manifest.summary)

    store.publish("locations", "alpha", before.manifest.recipe, write)
    assert metadata(run(store, "locations", "alpha"), "locations")["skipped"]
    pd.testing.assert_frame_equal(store.open("locations", "alpha").table(), table)


@pytest.mark.parametrize("most", [1, 7, 500])
def test_the_plot_counts_the_locations_of_each_lsoa(most):
    lsoas = ["E01000001"] * most + ["E01000002", None]
    frame = pd.DataFrame({"lsoa11": lsoas, "status": ["matched"] * (most + 1) + ["rejected"]})
    figure = plot_locations_per_lsoa(frame, "Alpha")
    (axis,) = figure.axes
    assert sum(bar.get_height() for bar in axis.patches) == 2
    assert axis.get_title() == f"Alpha: {most + 1} matched locations in 2 LSOAs"
    assert len(png_bytes(figure)) < 100_000
