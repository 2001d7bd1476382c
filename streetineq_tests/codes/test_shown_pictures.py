"""Whose pictures may be shown, of which file they are, and what a thumbnail keeps."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from streetineq_assets.codes.cutting import Cut, image_sha256
from streetineq_assets.codes.preprocess import ImageRejectedError
from streetineq_assets.codes.shown_pictures import Pictures, read_thumbnails, show_pictures
from streetineq_assets.codes.thumbnails import thumbnail
from streetineq_assets.image_settings import Rights, Views
from streetineq_assets.images.catalogue import HEADINGS
from streetineq_assets.images.panorama import views
from streetineq_tests.codes.panoramas import FOV, SIZE, cut_rows, listing_of, panorama
from streetineq_tests.images.pictures import photograph, picture, write_files, write_tar

SHOWN = {"show_images": True}


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 400), (192, 120)),
        ((400, 640), (75, 120)),
        ((1600, 1400), (137, 120)),
        ((64, 40),) * 2,
    ],
)
def test_a_thumbnail_keeps_its_images_shape_and_is_never_enlarged(size, expected):
    small = opened(thumbnail(encoded(photograph(1, size=size), quality=92)))
    assert (small.format, small.mode, small.size) == ("JPEG", "RGB", expected)


def test_a_thumbnail_shows_the_image_and_is_small():
    image = photograph(2, size=(640, 400))
    data = thumbnail(encoded(image, "PNG"))
    assert len(data) < 12_000
    expected = np.asarray(image.reduce(10)).astype(float)
    found = np.asarray(opened(data).resize((64, 40), Image.Resampling.BOX)).astype(float)
    assert np.sqrt(((expected - found) ** 2).mean()) < 12


def test_where_and_by_what_an_image_was_taken_is_left_behind():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera with a serial number", 6  # turned by a quarter
    data = thumbnail(encoded(photograph(3, size=(640, 400)), exif=exif))
    assert not opened(data).getexif()
    assert b"serial" not in data
    assert opened(data).size == (75, 120)


def test_a_thumbnail_is_the_same_bytes_again_and_of_no_image_none():
    data = picture(5, size=(300, 200))
    assert thumbnail(data) == thumbnail(data)
    with pytest.raises(ImageRejectedError):
        thumbnail(b"no image")


# -- of which file ---------------------------------------------------------------------------------


FILES = {f"{i}_{v}.png": picture(10 * i + n) for i in (1, 2) for n, v in enumerate("abcd")}


def listed(*rows):
    columns = ["location_id", "view", "path", "member", "status"]
    whole = dict.fromkeys(["heading", "projection", "compass_deg", "pitch_deg", "roll_deg"])
    return pd.DataFrame(rows, columns=columns).astype({"member": object}).assign(**whole)


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def pictures(tmp_path):
    """Location 1 in a file, location 2 in two members of an archive."""
    write_files(tmp_path, {"x/1_a.png": FILES["1_a.png"]})
    write_tar(tmp_path / "2.tgz", {f"in/{n}": FILES[n] for n in ("2_a.png", "2_b.png")})
    rows = listed(
        ("1", "a", "x/1_a.png", None, "present"),
        ("2", "a", "2.tgz", "in/2_a.png", "present"),
        ("2", "b", "2.tgz", "in/2_b.png", "present"),
        ("2", "c", None, None, "missing"),
    )
    hashes = {(i, v): sha(FILES[f"{i}_{v}.png"]) for i, v in ("1a", "2a", "2b")}
    return Pictures(tmp_path.joinpath, rows, hashes, Views())


def test_images_are_read_from_files_and_archives(pictures):
    wanted = [("1", "a"), ("2", "b"), ("2", "a")]
    found = read_thumbnails(wanted, pictures)
    assert found == {(i, v): thumbnail(FILES[f"{i}_{v}.png"]) for i, v in wanted}


def test_an_image_that_changed_since_it_was_encoded_is_not_shown(pictures, tmp_path):
    (tmp_path / "x/1_a.png").write_bytes(FILES["2_c.png"])
    assert "changed since" in read_thumbnails([("1", "a")], pictures)["1", "a"]


def test_an_image_that_is_gone_is_not_shown(pictures, tmp_path):
    (tmp_path / "x/1_a.png").unlink()
    (tmp_path / "2.tgz").unlink()
    wanted = [("1", "a"), ("2", "a"), ("2", "c"), ("9", "a")]
    found = read_thumbnails(wanted, pictures)
    assert all(isinstance(why, str) for why in found.values())
    assert list(found) != []
    assert set(found) == set(wanted)
    assert "no longer there" in found["2", "c"]
    assert "no longer there" in found["9", "a"]


def test_an_archive_that_was_cut_off_is_not_shown(pictures, tmp_path):
    path = tmp_path / "2.tgz"
    path.write_bytes(path.read_bytes()[:200])
    assert "cannot be read" in read_thumbnails([("2", "b")], pictures)["2", "b"]


def test_an_image_of_unknown_codes_is_not_shown(pictures):
    unknown = replace(pictures, encoded={})
    assert "not known of which image" in read_thumbnails([("1", "a")], unknown)["1", "a"]


# -- cut of a panorama -----------------------------------------------------------------------------

SHOWN_VIEWS = [("1", "b"), ("1", "d"), ("2", "b")]


@pytest.fixture
def cut(tmp_path):
    """Location 1 of a panorama in a file, location 2 of one in an archive."""
    data = {i: encoded(Image.fromarray(panorama(int(i))), "PNG") for i in ("1", "2")}
    write_files(tmp_path, {"P1.png": data["1"]})
    write_tar(tmp_path / "rest.tar", {"P2.png": data["2"]})
    rows = [*cut_rows("1", "P1.png"), *cut_rows("2", "rest.tar", "P2.png", compass_deg=200.0)]
    compass = {"1": 30.0, "2": 200.0}
    cuts = {(i, v): Cut(compass[i], 0.0, 0.0, HEADINGS[v], FOV, SIZE) for i, v in SHOWN_VIEWS}
    hashes = {image: image_sha256(data[image[0]], each) for image, each in cuts.items()}
    return Pictures(tmp_path.joinpath, listing_of(*rows), hashes, Views())


def test_a_view_that_is_cut_is_shown_as_it_was_encoded(cut):
    found = read_thumbnails(SHOWN_VIEWS, cut)
    assert found.keys() == set(SHOWN_VIEWS)
    for (location_id, view), data in found.items():
        number, compass = int(location_id), {"1": 30, "2": 200}[location_id]
        (pixels,) = views(panorama(number), compass=compass, headings=[HEADINGS[view]])
        assert data == thumbnail(Image.fromarray(pixels))


@pytest.mark.parametrize("turned", [{"compass_deg": 31.0}, {"pitch_deg": 1.0}])
def test_a_view_that_is_cut_otherwise_since_is_not_shown(cut, turned):
    found = read_thumbnails(SHOWN_VIEWS, replace(cut, listed=cut.listed.assign(**turned)))
    assert all("changed since" in why for why in found.values())
    found = read_thumbnails(SHOWN_VIEWS, replace(cut, views=Views(fov_deg=80)))
    assert all("changed since" in why for why in found.values())


def test_a_picture_that_is_no_panorama_is_not_shown(cut, tmp_path):
    flat = picture(4, size=(40, 30))
    (tmp_path / "P1.png").write_bytes(flat)
    own = Cut(30.0, 0.0, 0.0, HEADINGS["b"], FOV, SIZE)
    pictures = replace(cut, encoded={("1", "b"): image_sha256(flat, own)})
    assert "not_a_panorama" in read_thumbnails([("1", "b")], pictures)["1", "b"]


# -- under which terms -----------------------------------------------------------------------------


def licensed(provider, licence, creator=None):
    row = {"location_id": "1", "provider": provider, "licence": licence, "creator": creator}
    return pd.DataFrame([row])


def terms(pictures, provider, licence, settings):
    """`why_not_shown` and `thumbnail` of one image under these terms."""
    frame = pd.DataFrame({"location_id": ["1"], "view": ["a"]})
    licences = licensed(provider, licence)
    rights = Rights.model_validate(settings)
    found = show_pictures(frame, licences, rights, pictures if rights.show_images else None)
    (row,) = found.to_dict("records")
    return row["why_not_shown"], row["thumbnail"]


def agreement(*acts):
    return SHOWN | {"agreements": {"google": {"allows": acts, "reason": "letter of 1 March 2026"}}}


@pytest.mark.parametrize(
    ("provider", "licence", "settings"),
    [
        ("Mapillary", "CC BY-SA 4.0", SHOWN),
        (None, "CC0-1.0", SHOWN),
        ("KartaView", "CC BY-SA 4.0", SHOWN),  # the licence decides
        ("Google", None, agreement("store_images", "derive_codes", "show_images")),
    ],
)
def test_what_terms_allow_is_shown(pictures, provider, licence, settings):
    why, data = terms(pictures, provider, licence, settings)
    assert pd.isna(why)
    assert data == thumbnail(FILES["1_a.png"])


@pytest.mark.parametrize(
    ("provider", "licence", "settings", "said"),
    [
        ("Mapillary", "CC BY-SA 4.0", {}, "show_images under [rights]"),
        ("Mapillary", "CC BY-SA 4.0", {"show_images": False}, "show_images under [rights]"),
        ("Google", None, SHOWN, "not known whether images of the provider google_street_view"),
        (None, None, SHOWN, "not known"),
        ("a friend", "my own terms", SHOWN, "not known"),
        ("own", None, agreement("store_images") | {"show_images": False}, "show_images under"),
        ("Google", None, agreement("store_images"), "agreement does not allow"),
        ("Google", "CC0-1.0", agreement("store_images"), "agreement does not allow"),
    ],
)
def test_what_is_not_allowed_is_not_read_and_why_is_said(
    tmp_path, provider, licence, settings, said
):
    nothing_there = Pictures((tmp_path / "absent").joinpath, listed(), {}, Views())
    why, data = terms(nothing_there, provider, licence, settings)
    assert said in why
    assert data is None


def test_each_view_has_its_credits_and_a_picture_or_the_reason(pictures):
    frame = pd.DataFrame({"location_id": ["1", "1"], "view": ["a", "d"], "rank": [1, 2]})
    licences = licensed(None, "CC BY 4.0", creator="Ann")
    shown = show_pictures(frame, licences, Rights(show_images=True), pictures)
    assert opened(shown["thumbnail"][0]).size == (40, 30)
    assert shown["thumbnail"][1] is None
    assert "no longer there" in shown["why_not_shown"][1]
    assert shown["conditions"].tolist() == ["attribution"] * 2
    assert shown["provider"].tolist() == [None] * 2
    assert shown["creator"].tolist() == ["Ann"] * 2
    assert shown["rank"].tolist() == [1, 2]
