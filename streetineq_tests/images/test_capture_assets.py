"""Listing a city of captures through Dagster: files, figure, skips, rights."""

import pyarrow.parquet as pq
import pytest

from streetineq_assets.images.tables import CAPTURE_USE
from streetineq_tests.codes.encoded_study import IDS, Platform
from streetineq_tests.harness import checks, failed, failure, metadata
from streetineq_tests.images.pictures import write_files

LISTED = "capture_id,location_id,compass_deg,second_compass_deg,projection,provider"


class Captured(Platform):
    """Ten locations with images by name; the last two have a panorama and photographs."""

    def write(self):
        super().write()
        for file in [*self.images.glob("L10_?.png"), *self.images.glob("L11_?.png")]:
            file.unlink()
        names = ["pano", *(f"photo{n}" for n in range(12))]
        write_files(self.images, {f"more/{name}.jpg": name.encode() for name in names})
        self.list_captures()

    def list_captures(self, *, provider="own", turned=0):
        lines = [f"pano,L10,12,{12 + turned},pano,{provider}"]
        compasses = [(n * 30, (n * 30 + turned) % 360) for n in range(12)]
        lines += [
            f"photo{n},L11,{one},{other},photo,{provider}"
            for n, (one, other) in enumerate(compasses)
        ]
        text = "\n".join([LISTED, *lines, "gone,L10,0,0,pano,own"])
        write_files(self.store.inputs("captures"), {"alpha.csv": text.encode()})

    @property
    def listing(self):
        return self.store.open("street_images", "alpha")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = Captured(tmp_path_factory.mktemp("study"))
    platform.write()
    return platform


@pytest.fixture(scope="module")
def made(platform):
    return platform.run("street_images")


def test_all_locations_have_their_images(platform, made):
    shown = metadata(made, "street_images")
    assert (shown["n_listed"], shown["n_locations_complete"]) == (len(IDS), len(IDS))
    assert (shown["n_captures"], shown["n_captures_listed"], shown["n_views_of_captures"]) == (
        13,
        14,
        8,
    )
    assert failed(made) == {"captures_usable"}  # of one the file is away
    images = platform.listing.table().set_index(["location_id", "view"])
    assert set(images.loc["L10", "capture_id"]) == {"pano"}
    assert images.loc["L11", "capture_id"].tolist() == ["photo0", "photo3", "photo6", "photo9"]
    assert images.loc["L01", "capture_id"].isna().all()


def test_what_became_of_every_capture_is_published_with_its_schema(platform, made):
    file = platform.listing.file("captures.parquet")
    stored = pq.read_schema(file)
    assert stored.remove_metadata().equals(CAPTURE_USE.remove_metadata())
    assert [field.metadata for field in stored] == [field.metadata for field in CAPTURE_USE]
    status = platform.listing.table("captures.parquet")["status"].value_counts().to_dict()
    assert status == {"used": 5, "not_needed": 8, "missing": 1}


def test_the_figure_of_directions_is_shown(platform, made):
    assert "directions.png" in platform.listing.manifest.files
    assert metadata(made, "street_images")["directions_plot"].startswith("![")
    assert checks(made)["headings_agree"].passed


def test_it_is_skipped_while_nothing_changes_and_asks_for_its_rights(platform, made):
    result = platform.run("street_images")
    assert metadata(result, "street_images")["skipped"]
    assert checks(result)["rights"].passed
    assert "of 10 of 12 locations it is not known" in checks(result)["rights"].description


def test_a_city_without_captures_is_skipped_whatever_the_settings_of_views(tmp_path):
    """As all studies of before are; and its recipe names none of what captures bring."""
    platform = Platform(tmp_path)
    platform.write()
    platform.run("street_images")
    recipe = platform.store.manifest("street_images", "alpha").recipe
    assert set(recipe.inputs) == {"street_image_files", "locations"}
    assert set(recipe.config) == {"buckets"}
    assert not [n for n in platform.store.manifest("street_images", "alpha").files if "png" in n]
    _set(platform, "[views]\nwithin_m = 30\n")
    assert metadata(platform.run("street_images"), "street_images")["skipped"]


class TestChanges:
    @pytest.fixture
    def platform(self, tmp_path):
        platform = Captured(tmp_path)
        platform.write()
        platform.run("street_images")
        return platform

    @pytest.mark.parametrize(
        ("setting", "is_skipped"), [("within_days = 3", False), ("width_px = 512", True)]
    )
    def test_settings_that_choose_captures_list_anew_those_that_cut_do_not(
        self, platform, setting, is_skipped
    ):
        _set(platform, f"[views]\n{setting}\n")
        assert metadata(platform.run("street_images"), "street_images")["skipped"] == is_skipped

    def test_directions_planted_ten_degrees_wrong_are_seen(self, platform):
        platform.list_captures(turned=-10)
        result = platform.run("street_images")
        assert not metadata(result, "street_images")["skipped"]
        assert "headings_agree" in failed(result)
        assert "+10.0 degrees" in checks(result)["headings_agree"].description

    def test_the_terms_of_captures_may_forbid_the_listing(self, platform):
        before = platform.store.manifest("street_images", "alpha")
        platform.list_captures(provider="Google")
        result = platform.run("street_images", fails=True)
        assert "[rights.agreements.google_street_view]" in failure(result)
        assert "2 of 12" in checks(result)["rights"].description
        assert platform.store.manifest("street_images", "alpha") == before

    def test_an_agreement_lifts_the_ban_and_its_end_restores_it(self, platform):
        platform.list_captures(provider="Google")
        text = _set(
            platform,
            '[rights.agreements.google]\nallows = ["store_images", "derive_codes"]\n'
            'reason = "letter of 1 March 2026"\n',
        )
        assert checks(platform.run("street_images"))["rights"].passed
        platform.store.study_file.write_text(text, encoding="utf-8")
        result = platform.run("street_images", fails=True)
        assert "The published street_images is unchanged" in failure(result)

    def test_a_list_that_is_away_loses_no_images(self, platform):
        for file in platform.images.glob("L0?_?.png"):
            file.unlink()
        platform.run("street_images", allow_loss=True)
        platform.store.inputs("captures", "alpha.csv").unlink()
        assert failure(platform.run("street_images", fails=True))


def _set(platform, lines):
    """Add settings to study.toml; the text before."""
    text = platform.store.study_file.read_text(encoding="utf-8")
    platform.store.study_file.write_text(f"{text}\n{lines}", encoding="utf-8")
    return text
