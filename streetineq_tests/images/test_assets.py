"""Listing a city's images and joining its locations through Dagster: files, plots, skips."""

import tomllib

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets.findings import Findings
from streetineq_assets.images import assets, catalogue
from streetineq_assets.images.assets import build_assets
from streetineq_assets.images.plots import plot_locations_per_lsoa
from streetineq_assets.images.tables import (
    ARCHIVE_MEMBERS,
    FOREIGN_FILES,
    LOCATIONS,
    STREET_IMAGES,
)
from streetineq_assets.partitions import Partitions
from streetineq_assets.plotting import png_bytes
from streetineq_assets.study import Study
from streetineq_tests.codes.encoded_study import IDS, Platform
from streetineq_tests.harness import checks, failed, failure, metadata, run
from streetineq_tests.images.pictures import views_of, write_files, write_tar
from streetineq_tests.studies import two_towns, write_boundaries


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


# -- boundaries ------------------------------------------------------------------------------------

SQUARE = [(0.09, 51.49), (0.11, 51.49), (0.11, 51.51), (0.09, 51.51), (0.09, 51.49)]


@pytest.fixture
def positions(tmp_path):
    """Alpha's list has coordinates and no postcodes; its postcodes lie there too."""
    platform = Platform(tmp_path)
    platform.write()
    text = "\n".join(["location_id,lat,lon", *(f"{each},51.5001,0.1" for each in IDS)])
    write_files(platform.store.inputs("locations"), {"alpha.csv": text.encode()})
    write_boundaries(platform.store, {"E01000003": SQUARE})
    return platform


def inputs_of(platform):
    """What the locations were made of, and from which settings."""
    recipe = platform.store.manifest("locations", "alpha").recipe
    return set(recipe.inputs), recipe.config["places"]


def test_boundaries_are_read_only_where_they_place_locations(positions):
    result = positions.run("locations")
    assert inputs_of(positions) == (
        {"locations", "postcode_lsoa"},
        {"by": "postcode", "within_m": 100.0},
    )
    table = positions.store.open("locations", "alpha").table()
    assert set(table["placed_by"]) == {"nearest_postcode"}
    assert set(table["area"]) == {"E01000000"}  # of the first of ten postcodes at one place
    boundaries = positions.store.inputs("boundaries", "LSOA_2011.geojson")
    boundaries.write_text(boundaries.read_text() + "\n")
    assert metadata(positions.run("locations"), "locations")["skipped"]
    assert "boundaries_precise" not in failed(result)


def test_other_boundaries_place_locations_anew(positions):
    study = positions.store.study_file
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[shards]", '[places]\nby = "boundaries"\n\n[shards]'))
    result = positions.run("locations")
    assert inputs_of(positions)[0] == {"locations", "postcode_lsoa", "boundaries"}
    assert failed(result) == {"boundaries_precise"}  # one of the ten postcodes is of that area
    table = positions.store.open("locations", "alpha").table()
    assert set(table["placed_by"]) == {"boundaries"}
    assert set(table["area"]) == {"E01000003"}
    write_boundaries(positions.store, {"E01000005": SQUARE})
    positions.run("locations")
    assert set(positions.store.open("locations", "alpha").table()["area"]) == {"E01000005"}
    positions.store.inputs("boundaries", "LSOA_2011.geojson").unlink()
    assert "inputs/boundaries" in failure(positions.run("locations", fails=True))


def test_a_study_that_places_by_boundaries_depends_on_them():
    def read_by(settings):
        study = Study.model_validate(tomllib.loads(two_towns(settings)))
        (made,) = [
            each
            for each in build_assets(Partitions(study))
            if isinstance(each, dg.AssetsDefinition) and each.key.to_user_string() == "locations"
        ]
        return {key.to_user_string() for key in made.dependency_keys}

    assert "lsoa_boundaries" not in read_by("")
    assert "lsoa_boundaries" in read_by('[places]\nby = "boundaries"')


@pytest.mark.parametrize("most", [1, 7, 500])
def test_the_plot_counts_the_locations_of_each_lsoa(most):
    lsoas = ["E01000001"] * most + ["E01000002", None]
    frame = pd.DataFrame({"area": lsoas, "status": ["matched"] * (most + 1) + ["rejected"]})
    figure = plot_locations_per_lsoa(frame, "Alpha")
    (axis,) = figure.axes
    assert sum(bar.get_height() for bar in axis.patches) == 2
    assert axis.get_title() == f"Alpha: {most + 1} matched locations in 2 LSOAs"
    assert len(png_bytes(figure)) < 100_000


class TestNamesOfTheStudysOwn:
    """Ten locations whose images are called by headings, as published by patterns that say so."""

    NAMES = '[images]\nnames = ["{id}_{view}", "{id}_{heading}"]\n\n[encoder]'

    def test_by_the_default_the_recipe_does_not_hold_them(self, store, made):
        config = store.manifest("street_images", "alpha").recipe.config
        assert config == {"buckets": 2}, "as in earlier versions, so that their listings stay"

    def test_the_recipe_holds_them_and_the_listing_is_skipped_and_made_by_them(self, tmp_path):
        platform = Platform(tmp_path)
        platform.write()
        for view, heading in zip("abcd", (0, 90, 180, 270), strict=True):
            (platform.images / f"L00_{view}.png").rename(platform.images / f"L00_{heading}.png")
        shown = metadata(run(platform.store, "street_images", "alpha"), "street_images")
        assert (shown["n_locations_complete"], shown["n_foreign_files"]) == (len(IDS) - 1, 4)

        study = platform.store.study_file
        study.write_text(study.read_text().replace("[encoder]", self.NAMES, 1))
        shown = metadata(run(platform.store, "street_images", "alpha"), "street_images")
        assert (shown["n_locations_complete"], shown["n_foreign_files"]) == (len(IDS), 0)
        config = platform.store.manifest("street_images", "alpha").recipe.config
        assert config["names"] == ["{id}_{view}", "{id}_{heading}"]
        assert metadata(run(platform.store, "street_images", "alpha"), "street_images")["skipped"]


class TestNothingIsLostToAnAbsence:
    """A list or folder that is away, or half there, costs neither listing nor matches."""

    @pytest.fixture
    def platform(self, tmp_path):
        """Ten listed locations with images, as published."""
        platform = Platform(tmp_path)
        platform.write()
        for asset in ("street_images", "locations"):
            run(platform.store, asset, "alpha")
        return platform

    @staticmethod
    def failures(store):
        """Why each asset failed; nothing that was published may change meanwhile."""
        before = [store.manifest(asset, "alpha") for asset in ("street_images", "locations")]
        results = {
            asset: run(store, asset, "alpha", fails=True)
            for asset in ("street_images", "locations")
        }
        after = [store.manifest(asset, "alpha") for asset in ("street_images", "locations")]
        assert before == after
        return {asset: failure(each) for asset, each in results.items() if not each.success}

    def test_the_list_is_away(self, platform):
        platform.store.inputs("locations", "alpha.csv").unlink()
        found = self.failures(platform.store)
        assert set(found) == {"street_images", "locations"}
        assert "allow_loss" in found["locations"]

    def test_the_list_is_empty(self, platform):
        platform.list_locations([])
        assert set(self.failures(platform.store)) == {"street_images", "locations"}

    def test_the_list_is_half_copied(self, platform):
        platform.list_locations(IDS[: len(IDS) // 2 - 1])
        found = self.failures(platform.store)
        assert f"locations ({len(IDS)} to {len(IDS) // 2 - 1})" in found["street_images"]
        assert set(found) == {"street_images", "locations"}

    def test_most_images_are_away(self, platform):
        for file in sorted(platform.images.iterdir())[1:]:
            file.unlink()
        assert "images" in self.failures(platform.store)["street_images"]

    def test_a_run_may_allow_it(self, platform):
        platform.list_locations(IDS[:2])
        result = run(platform.store, "street_images", "alpha", allow_loss=True)
        assert f"({len(IDS)} to 2)" in metadata(result, "street_images")["allowed_losses"]


# -- rights ----------------------------------------------------------------------------------------

AGREED = """
[rights.agreements.google]
allows = ["store_images", "derive_codes"]
reason = "letter of 1 March 2026"
"""


@pytest.fixture
def of_google(tmp_path):
    """Alpha is listed already, and then its list says that all images are Google's."""
    platform = Platform(tmp_path)
    platform.write()
    platform.list_locations(IDS)
    platform.run("street_images")
    before = platform.store.manifest("street_images", "alpha")
    path = platform.store.inputs("locations", "alpha.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [f"{lines[0]},provider", *(f"{line},Google" for line in lines[1:])]
    path.write_text("\n".join(named), encoding="utf-8")
    return platform, before


def test_images_with_which_nothing_may_be_done_are_not_listed_anew(of_google):
    platform, before = of_google
    result = platform.run("street_images", fails=True)
    assert failed(result) >= {"rights"}
    assert "[rights.agreements.google_street_view]" in failure(result)
    assert platform.store.manifest("street_images", "alpha") == before


def test_an_agreement_lifts_the_ban_and_its_end_restores_it(of_google):
    """The listing is the same all the while: it is skipped, and its rights are asked again."""
    platform, _ = of_google
    study = platform.store.study_file
    text = study.read_text(encoding="utf-8")
    study.write_text(text + AGREED, encoding="utf-8")
    assert checks(platform.run("street_images"))["rights"].passed
    study.write_text(text, encoding="utf-8")
    made = platform.store.manifest("street_images", "alpha")
    result = platform.run("street_images", fails=True)
    assert not checks(result)["rights"].passed
    assert "The published street_images is unchanged" in failure(result)
    assert platform.store.manifest("street_images", "alpha") == made
