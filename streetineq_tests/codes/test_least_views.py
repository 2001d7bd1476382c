"""`least_views` under [images]: a location with enough usable views is encoded without the rest."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.codes.screening import label
from streetineq_assets.image_settings import Images
from streetineq_tests.codes.fakes import WIDTH, codes_of, contents, fake_encoder
from streetineq_tests.harness import failed_checks
from streetineq_tests.images.pictures import HTML, views_of, write_files

IDS = ["whole", "three", "two", "one", "none"]
THREE = Images(least_views=3)


@pytest.fixture
def root(tmp_path):
    """Locations of which some, all or no views are missing or no image."""
    files = views_of(IDS)
    del files["three_c.png"]
    files |= {"two_a.png": HTML, "two_d.png": HTML}
    for view in "abc":
        del files[f"one_{view}.png"]
    files = {name: data for name, data in files.items() if not name.startswith("none")}
    write_files(tmp_path / "images", files)
    return tmp_path / "images"


def extract_at_least(extract, n, **options):
    return extract(IDS, limits=Images(least_views=n), **options)


@pytest.mark.parametrize(
    ("least", "encoded", "absent"),
    [
        (4, ["whole"], 0),
        (3, ["three", "whole"], 1),
        (2, ["three", "two", "whole"], 3),
        (1, ["one", "three", "two", "whole"], 6),
    ],
)
def test_a_location_needs_so_many_usable_views(extract, least, encoded, absent):
    findings = extract_at_least(extract, least)
    found, _ = contents(extract.folder / "codes.h5")
    assert found.location_ids == encoded
    assert findings.values["n_absent_views"] == absent == (~found.views_present).sum()
    values = findings.values
    assert values["n_listed"] == 5 == values["n_extracted"] + values["n_rejected"] + 1
    assert values["n_missing"] == 1
    assert failed_checks(findings) == {"complete"}


def test_absent_views_are_counted_by_reason(extract):
    findings = extract_at_least(extract, 2)
    assert findings.tables["absent_views"] == [
        {"reason": "missing_view", "n_views": 1},
        {"reason": "not_an_image", "n_views": 2},
    ]
    assert {row["reason"] for row in findings.tables["without_codes"]} == {
        "missing",
        "missing_view",
    }


def test_codes_of_the_others_are_theirs_and_of_the_absent_0(extract):
    extract_at_least(extract, 2)
    found, features = contents(extract.folder / "codes.h5")
    row = found.location_ids.index("two")
    images = [views_of(IDS)[f"two_{view}.png"] for view in "bc"]
    expected = codes_of(np.stack([preprocess(image) for image in images]))
    np.testing.assert_array_equal(features[row, [1, 2]], expected)
    np.testing.assert_array_equal(features[row, [0, 3]], np.zeros((2, WIDTH)))
    assert found.image_sha256[row, [0, 3]].tolist() == ["", ""]
    assert np.isnan(found.image_quality[row, [0, 3]]).all()
    with Bucket(extract.folder / "codes.h5") as bucket:
        assert bucket.is_intact()


def test_where_all_views_are_there_the_file_is_that_of_earlier_versions(extract):
    whole = extract(["whole"], name="whole.h5").digest
    assert extract(["whole"], name="again.h5", limits=Images(least_views=1)).digest == whole
    with h5py.File(extract.folder / "again.h5") as file:
        assert "present" not in file


def test_nothing_is_encoded_twice_and_a_view_that_comes_is_encoded(extract, root):
    extract_at_least(extract, 2)
    for part in extract.work.glob("*"):
        part.unlink()
    earlier = {"previous": [extract.folder / "codes.h5"]}
    again = extract_at_least(extract, 2, name="again.h5", encoder=fake_encoder(), **earlier)
    assert again.values["n_encoded_now"] == 0
    assert again.values["n_absent_views"] == 3
    write_files(root, {"three_c.png": views_of(IDS)["three_c.png"]})
    more = extract_at_least(extract, 2, name="more.h5", encoder=fake_encoder(), **earlier)
    assert more.values["n_encoded_now"] == 1
    assert more.values["n_absent_views"] == 2


def test_a_refused_picture_is_absent_too_and_is_not_encoded_again(extract, root):
    with io.BytesIO() as file:
        Image.new("RGB", (400, 300), "grey").save(file, "PNG")
        write_files(root, {"whole_b.png": file.getvalue()})
    first = extract_at_least(extract, 3)
    assert {"reason": "blank", "n_views": 1} in first.tables["absent_views"]
    again = extract_at_least(extract, 3, name="again.h5", encoder=fake_encoder())
    assert again.values["n_encoded_now"] == 0
    assert again.tables["absent_views"] == first.tables["absent_views"]


def test_pictures_are_judged_as_before():
    assert label(Images()) == label(THREE)


@pytest.mark.parametrize("wrong", [0, 5])
def test_it_is_one_to_four(wrong):
    with pytest.raises(ValueError, match="least_views"):
        Images(least_views=wrong)
