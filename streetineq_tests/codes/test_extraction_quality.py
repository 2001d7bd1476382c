"""Figures of pictures stand beside the codes; a study's limits refuse pictures by them."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.codes.quality import picture_quality
from streetineq_assets.image_settings import Images
from streetineq_tests.codes.fakes import LOCATIONS, contents, fake_encoder
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import picture, views_of, write_files


@pytest.fixture
def before(extract):
    """A bucket of the version before pictures had figures."""
    extract()
    path = (extract.folder / "codes.h5").rename(extract.folder / "old.h5")
    with h5py.File(path, "a") as file:
        del file["image_quality"], file.attrs["quality_sha256"]
    for part in extract.work.glob("part-*.h5"):
        part.unlink()
    return path


def test_each_row_has_those_of_its_own_images(extract):
    findings = extract()
    found, _ = contents(extract.folder / "codes.h5")
    expected = [picture_quality(preprocess(image)) for image in views_of(LOCATIONS).values()]
    np.testing.assert_array_equal(found.image_quality.reshape(-1, 3), expected)
    assert found.image_quality.dtype == np.float32
    assert findings.values["n_blurred"] == 80, "pictures of 40 x 30 pixels"
    assert findings.values["n_dark"] == 0
    assert findings.values["n_without_sky"] == sum(sky < 0.05 for *_, sky in expected)


def test_earlier_files_are_whole_without_and_known_by_the_same_digest(extract, before):
    extract()
    with Bucket(before) as old, Bucket(extract.folder / "codes.h5") as new:
        assert old.is_intact()
        assert old.digest == new.digest
        assert np.isnan(old.contents.quality_of_pictures).all()


def test_rows_of_earlier_files_get_theirs_without_being_encoded(extract, before):
    encoder = fake_encoder()
    findings = extract(encoder=encoder, previous=[before])
    assert encoder.encode.calls == []
    assert findings.values["n_without_quality"] == findings.record.n_without_quality == 0
    found, codes = contents(extract.folder / "codes.h5")
    np.testing.assert_array_equal(codes, contents(before)[1])
    assert not np.isnan(found.image_quality).any()


def test_a_file_with_a_changed_figure_is_damaged(extract):
    extract()
    with h5py.File(extract.folder / "codes.h5", "a") as file:
        file["image_quality"][2, 1, 0] = 0.9
    with Bucket(extract.folder / "codes.h5") as bucket:
        assert not bucket.is_intact()


class TestLimits:
    """Noise of 20 x 16 pixels is more blurred than that of 40 x 30, and a dim picture darker."""

    @pytest.fixture
    def useless(self, root):
        dim = io.BytesIO()
        Image.open(io.BytesIO(picture(901))).point(lambda level: level // 4).save(dim, "PNG")
        files = {"L00_a.png": picture(900, size=(20, 16)), "L01_b.png": dim.getvalue()}
        write_files(root / "deep", files)

    @pytest.mark.parametrize(
        ("limits", "rejected"),
        [
            ({}, {}),
            ({"least_sharpness": 0.09}, {("L00", "a", "blurred")}),
            ({"least_brightness": 60}, {("L01", "b", "dark")}),
            (
                {"least_sharpness": 0.09, "least_brightness": 60},
                {("L00", "a", "blurred"), ("L01", "b", "dark")},
            ),
        ],
    )
    @pytest.mark.usefixtures("useless")
    def test_exactly_those_below_are_rejected_and_counted(self, extract, limits, rejected):
        findings = extract(limits=Images(**limits))
        found = [tuple(row.values()) for row in findings.tables["rejected_views"]]
        assert set(found) == set(rejected)
        assert findings.values["n_rejected"] == len(rejected)
        for name in limits:
            assert f"images.{name}" in check_of(findings, "complete").description

    @pytest.mark.usefixtures("useless")
    def test_they_are_judged_again_when_limits_change_and_encoded_once(self, extract):
        extract()
        encoder = fake_encoder()
        limits = Images(least_brightness=60)
        options = {"encoder": encoder, "previous": [extract.folder / "codes.h5"]}
        assert extract(limits=limits, name="b.h5", **options).values["n_extracted"] == 19
        assert extract(name="c.h5", **options).values["n_extracted"] == 20
        assert encoder.encode.calls == []

    def test_a_picture_without_sky_may_be_refused(self, extract):
        findings = extract(limits=Images(least_sky=0.05))
        assert findings.tables["without_codes"] == [{"reason": "without_sky", "n_locations": 20}]
        assert "least_sky" in check_of(findings, "complete").description
