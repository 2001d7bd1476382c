"""Locations whose four views are cut of a panorama: as if each were a file of its own."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streetineq_assets.codes import image_loading
from streetineq_assets.codes.bucket_recipe import bucket_recipe
from streetineq_assets.codes.cutting import Cut, image_sha256
from streetineq_assets.codes.extraction import extract_bucket
from streetineq_assets.codes.preprocess import preprocess
from streetineq_assets.codes.repeated_images import find_repeated_images
from streetineq_assets.findings import Findings
from streetineq_assets.image_settings import Views
from streetineq_assets.images.files import imagery_path, locate
from streetineq_assets.images.panorama import views
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.codes.fakes import codes_of, contents, fake_encoder
from streetineq_tests.codes.panoramas import (
    FOV,
    SIZE,
    cut_rows,
    encoded,
    listing_of,
    panorama,
    photograph_row,
    row,
)
from streetineq_tests.harness import failed_checks
from streetineq_tests.images.pictures import picture, write_files, write_tar
from streetineq_tests.test_study import MINIMAL

IDS = [f"P{number}" for number in range(6)]
PANORAMAS = {location_id: encoded(panorama(n)) for n, location_id in enumerate(IDS)}


@pytest.fixture
def root(tmp_path):
    """Three panoramas in files, three in an archive."""
    folder = tmp_path / "images"
    write_files(folder, {f"{each}.png": PANORAMAS[each] for each in IDS[:3]})
    write_tar(folder / "rest.tgz", {f"in/{each}.png": PANORAMAS[each] for each in IDS[3:]})
    return folder


def rows_of(location_id, **pose):
    if location_id in IDS[:3]:
        return cut_rows(location_id, f"{location_id}.png", **pose)
    return cut_rows(location_id, "rest.tgz", f"in/{location_id}.png", **pose)


@pytest.fixture
def extract(tmp_path, root):
    work = tmp_path / "work"
    work.mkdir()

    def run(rows, encoder=None, *, name="codes.h5", **options):
        options = {"locate": root.joinpath} | options
        return extract_bucket(
            listing_of(*rows),
            encoder=encoder or fake_encoder(),
            target=tmp_path / name,
            work=work,
            n_buckets=1,
            **options,
        )

    run.work, run.folder, run.target = work, tmp_path, tmp_path / "codes.h5"
    return run


@pytest.fixture
def everything():
    return [each for location_id in IDS for each in rows_of(location_id)]


def rejected(extract):
    return {tuple(entry) for entry in contents(extract.target)[0].rejections}


# -- codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preprocessing", ["antialias", "suel2019"])
def test_codes_are_those_of_image_files_of_the_views(extract, preprocessing):
    """The views saved as PNG files, read back, and encoded by hand."""
    rows = [*rows_of("P0", compass_deg=77.5, pitch_deg=4.0, roll_deg=-3.0), *rows_of("P3")]
    findings = extract(rows, fake_encoder(preprocessing=preprocessing))
    found, features = contents(extract.target)
    assert found.location_ids == ["P0", "P3"]
    for codes, number, pose in (
        (features[0], 0, {"compass": 77.5, "pitch": 4, "roll": -3}),
        (features[1], 3, {"compass": 30}),
    ):
        files = [encoded(view) for view in views(panorama(number), **pose, fov=FOV, size=SIZE)]
        pixels = [preprocess(data, antialias=preprocessing == "antialias") for data in files]
        np.testing.assert_array_equal(codes, codes_of(np.stack(pixels)))
    assert not failed_checks(findings)


def test_views_have_the_settings_width_and_size(extract):
    extract(rows_of("P0"), views=Views(fov_deg=50, width_px=300, height_px=240))
    _, features = contents(extract.target)
    files = [encoded(v) for v in views(panorama(0), compass=30, fov=50, size=(300, 240))]
    np.testing.assert_array_equal(features[0], codes_of(np.stack([preprocess(f) for f in files])))


def test_a_location_of_a_panorama_and_photographs_by_direction(extract, root):
    """A photograph is used whole, and known by its bytes alone."""
    write_files(root, {"flat.png": picture(7)})
    rows = [*rows_of("P0")[:3], photograph_row("P0", "d", "flat.png")]
    assert not failed_checks(extract(rows))
    found, features = contents(extract.target)
    assert found.image_sha256[0, 3] == hashlib.sha256(picture(7)).hexdigest()
    expected = codes_of(np.stack([preprocess(picture(7))]))
    np.testing.assert_array_equal(features[0, 3:], expected)


def test_a_panorama_is_read_once_and_decoded_once_for_its_four_views(
    extract, everything, monkeypatch
):
    reads, decodes = [], []
    read, decode = Path.read_bytes, image_loading.decode_panorama
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path.name) or read(path))
    monkeypatch.setattr(
        image_loading, "decode_panorama", lambda *a: decodes.append(a[1:]) or decode(*a)
    )
    extract(everything)
    assert sorted(reads) == ["P0.png", "P1.png", "P2.png"]
    assert decodes == [(FOV, SIZE)] * len(IDS)


def test_a_listing_of_an_earlier_version_is_of_images_by_name():
    rows = listing_of(*(row("1", view, f"1_{view}.png") for view in "abcd"))
    old = rows.drop(columns=["capture_id", "projection", "compass_deg", "pitch_deg", "roll_deg"])
    found = image_loading.complete_locations(old, Views(), 4)
    assert found == image_loading.complete_locations(rows, Views(), 4)
    assert found.complete[0].sources[2] == ("1_c.png", None, None)


# -- identity --------------------------------------------------------------------------------------


def test_the_four_views_of_a_location_are_four_images(extract, everything):
    findings = extract(everything)
    found, _ = contents(extract.target)
    assert findings.values["n_identical_views"] == 0
    assert len(np.unique(found.image_sha256)) == 4 * len(IDS)
    cut = Cut(30.0, 0.0, 0.0, 270.0, FOV, SIZE)
    assert found.image_sha256[1, 3] == image_sha256(PANORAMAS["P1"], cut)


def test_a_panorama_that_serves_two_locations_is_the_same_picture_view_by_view(extract):
    """One loose, one in an archive; also one member that two locations want."""
    rows = [*cut_rows("A", "P1.png"), *cut_rows("B", "P1.png")]
    rows += [*cut_rows("C", "rest.tgz", "in/P4.png"), *cut_rows("D", "rest.tgz", "in/P4.png")]
    findings = extract(rows)
    assert findings.values["n_extracted"] == 4
    found, features = contents(extract.target)
    repeated = find_repeated_images(found.location_ids, found.image_sha256)
    assert (
        repeated.groupby("picture")["location_id"].agg("".join).tolist() == ["AB"] * 4 + ["CD"] * 4
    )
    assert repeated.groupby("picture")["view"].nunique().eq(1).all()
    np.testing.assert_array_equal(features[2], features[3])
    assert not failed_checks(findings)


# -- reuse -----------------------------------------------------------------------------------------


def test_unchanged_views_are_not_encoded_again(extract, everything):
    first = extract(everything)
    encoder = fake_encoder()
    second = extract(everything, encoder, name="b.h5", previous=[extract.target])
    assert encoder.encode.calls == []
    assert second.digest == first.digest


def test_parts_of_a_run_that_was_killed_are_used(extract, everything):
    whole = extract(everything)
    extract.target.unlink()
    parts = sorted(extract.work.glob("part-*.h5"))
    assert parts
    encoder = fake_encoder()
    assert extract(everything, encoder).digest == whole.digest
    assert encoder.encode.calls == []


@pytest.mark.parametrize(
    ("change", "encoded_again"),
    [
        ({"compass_deg": 31.0}, 1),
        ({"compass_deg": 390.0}, 0),
        ({"pitch_deg": 2.0}, 1),
        ({"pitch_deg": 0.0, "roll_deg": 0.0}, 0),
        ({"roll_deg": 2.0}, 1),
    ],
)
def test_another_pose_is_encoded_again(extract, everything, change, encoded_again):
    extract(everything)
    rows = [*rows_of("P0", **change), *everything[4:]]
    findings = extract(rows, name="b.h5", previous=[extract.target])
    assert findings.values["n_encoded_now"] == encoded_again


def test_other_views_are_all_encoded_again_but_for_photographs(extract, root, everything):
    names = {view: f"flat_{view}.png" for view in "abcd"}
    write_files(root, {name: picture(n) for n, name in enumerate(names.values())})
    rows = [*everything, *(photograph_row("Q", view, name) for view, name in names.items())]
    extract(rows)
    other = Views(fov_deg=80)
    findings = extract(rows, name="b.h5", views=other, previous=[extract.target])
    assert findings.values["n_encoded_now"] == len(IDS)
    assert findings.values["n_reused"] == 1


# -- recipes ---------------------------------------------------------------------------------------


@pytest.fixture
def recipe_of(tmp_path):
    (tmp_path / "study.toml").write_text(MINIMAL)
    study = load_study(tmp_path / "study.toml")
    random = study.encoder.model_copy(update={"weights": "random"})

    def recipe(*rows, **settings):
        changed = {"encoder": random, "views": Views(**settings)}
        listed = listing_of(*rows)
        return bucket_recipe(DataStore(tmp_path), study.model_copy(update=changed), listed, "2")

    return recipe


def test_a_bucket_without_cut_views_has_the_recipe_of_earlier_versions(recipe_of):
    rows = [row("1", view, f"1_{view}.png") for view in "abcd"]
    rows += [photograph_row("2", view, f"{view}.png") for view in "abcd"]
    recipe = recipe_of(*rows, fov_deg=60)
    assert recipe.config.keys() == {"backbone", "layer", "preprocessing", "mixed_precision"}
    assert recipe.key == recipe_of(*rows).key


def test_how_views_are_cut_is_part_of_the_recipe_where_some_are(recipe_of):
    cut = recipe_of(*rows_of("P0"))
    assert cut.config["views"] == {"fov_deg": 90.0, "width_px": 640, "height_px": 400}
    assert cut.config["cut"] == 1
    assert recipe_of(*rows_of("P0"), fov_deg=80).key != cut.key
    assert recipe_of(*rows_of("P0"), height_px=300).key != cut.key
    assert recipe_of(*rows_of("P0"), tolerance_deg=20, within_m=5).key == cut.key


# -- what cannot be cut ----------------------------------------------------------------------------


def test_each_view_of_a_bad_panorama_is_rejected_with_its_reason(extract, root):
    """And a good location beside them is encoded."""
    flat = np.asarray(Image.fromarray(panorama(9)).resize((200, 128)))
    whole = encoded(panorama(9, height=512), "JPEG")
    write_files(root, {"flat.png": encoded(flat), "cut.jpg": whole[: len(whole) // 2]})
    rows = [
        *cut_rows("flat", "flat.png"),
        *cut_rows("cut", "cut.jpg"),
        *cut_rows("gone", "gone.jpg"),
        *cut_rows("member", "rest.tgz", "in/none.png"),
        *cut_rows("nan", "P1.png", compass_deg=float("nan")),
        *rows_of("P0"),
    ]
    findings = extract(rows)
    assert findings.tables["without_codes"] == [
        {"reason": "damaged_archive", "n_locations": 1},
        {"reason": "gone", "n_locations": 1},
        {"reason": "no_compass", "n_locations": 1},
        {"reason": "not_a_panorama", "n_locations": 1},
        {"reason": "truncated", "n_locations": 1},
    ]
    assert {("flat", view, "not_a_panorama") for view in "abcd"} <= rejected(extract)
    assert contents(extract.target)[0].location_ids == ["P0"]


def test_views_that_show_nothing_are_rejected_one_by_one(extract, root):
    pixels = panorama(9, height=256).copy()
    pixels[:, 256 - 70 : 256 + 70] = (40, 90, 200)  # the view that looks along the compass
    write_files(root, {"blank.png": encoded(pixels)})
    extract(cut_rows("blank", "blank.png", compass_deg=90.0))
    assert rejected(extract) == {("blank", "b", "blank")}


# -- acquired images -------------------------------------------------------------------------------


def test_panoramas_that_were_acquired_are_read_from_what_was_published(extract, tmp_path):
    store = DataStore(tmp_path)

    def write(folder):
        write_tar(folder / "captures.tar", {f"{each}.png": PANORAMAS[each] for each in IDS[:2]})
        return Findings()

    store.publish("imagery", "leeds/003", Recipe(code_version="1"), write)
    write_files(store.inputs("images", "leeds"), {"P2.png": PANORAMAS["P2"]})
    rows = [
        *cut_rows("P0", imagery_path("003", "captures.tar"), "P0.png"),
        *cut_rows("P1", "imagery://003/captures.tar", "P1.png"),
        *rows_of("P2"),
        *cut_rows("other", "imagery://004/captures.tar", "P1.png"),
        *cut_rows("file", "imagery://003/other.tar", "P1.png"),
        *cut_rows("loose", "imagery://003/P1.png"),
    ]
    findings = extract(rows, locate=partial(locate, store, "leeds"))
    assert findings.tables["without_codes"] == [{"reason": "gone", "n_locations": 3}]
    found, _ = contents(extract.target)
    assert found.location_ids == ["P0", "P1", "P2"]
