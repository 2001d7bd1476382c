"""A complete synthetic study: its settings, planted faults, the same bytes each time."""

import hashlib
import io
import subprocess
import sys
import tarfile
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pytest
from PIL import Image, UnidentifiedImageError

from streetineq_assets.demo.city import SIZES, write_study
from streetineq_assets.demo.geography import areas, stream, towns
from streetineq_assets.demo.latent import latent_field
from streetineq_assets.demo.locations import FAULTS, plan_locations
from streetineq_assets.errors import StudyError
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.images.location_areas import join_locations
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.settings import OUTCOME_KEYS
from streetineq_assets.study import load_study
from streetineq_tests.demo.conftest import SMALL


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def image_files(root, key):
    """Name to bytes of every file below a city's images, archives opened."""
    files = {}
    for path in (root / "inputs" / "images" / key).rglob("*"):
        if path.suffix == ".tgz":
            with tarfile.open(path) as archive:
                files |= {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
        elif path.is_file():
            files[path.name] = path.read_bytes()
    return files


# -- settings --------------------------------------------------------------------------------------


def test_the_default_study_has_560_views():
    assert 4 * 2 * sum(SIZES.values()) == 560
    assert SIZES == {"northmere": 50, "saltbridge": 20}


def test_the_study_is_valid_and_says_that_it_is_synthetic(written):
    study = load_study(written.root / "study.toml")
    assert study.synthetic
    assert study.seed == 2019
    assert study.encoder.weights == "random"
    assert set(study.pairs) == {
        ("x", "living_environment"),
        ("x", "self_reported_health"),
        ("x", "mean_income"),
        ("y", "living_environment"),
        ("y", "self_reported_health"),
    }
    assert [study.cities[key].lsoas for key in ("x", "y")] == [12, 10]
    assert [study.cities[key].buckets for key in ("x", "y")] == [4, 2]


def test_the_authorities_are_none_that_exist(written):
    """In 2011 to 2022 London had E09000001 to 33, metropolitan districts E08000001 to 37."""
    study = load_study(written.root / "study.toml")
    numbers = [int(code[3:]) for code in study.city_of_authority()]
    assert min(numbers) > 900


def test_settings_of_the_encoder_are_written(of_another_seed):
    encoder = load_study(of_another_seed.root / "study.toml").encoder
    assert (encoder.backbone, encoder.layer, encoder.weights) == ("mobilenet", "dropout", "random")


def test_an_existing_study_is_not_touched(written):
    before = digests(written.root)
    with pytest.raises(StudyError, match=r"study\.toml"):
        write_study(written.root, **SMALL, seed=3)
    assert digests(written.root) == before


@pytest.mark.parametrize("n_lsoas", [5, 496])
def test_a_city_too_small_for_the_faults_or_too_large_for_postcodes_is_refused(tmp_path, n_lsoas):
    with pytest.raises(ValueError, match=r"x: .* 6 to 495"):
        write_study(tmp_path, sizes={"x": n_lsoas})
    assert not list(tmp_path.iterdir())


# -- the same again --------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_times_also_after_an_interruption(
    written, written_again
):
    assert digests(written_again) == digests(written.root)
    images = sorted((written_again / "inputs" / "images").rglob("*.*"))
    times = {path.stat().st_mtime_ns for path in images if path.is_file()}
    assert times == {1_522_540_800 * 10**9}


def test_another_seed_gives_another_field_and_other_images(written, of_another_seed):
    assert not np.allclose(of_another_seed.truth.areas["latent"], written.truth.areas["latent"])
    mine, theirs = image_files(of_another_seed.root, "x"), image_files(written.root, "x")
    same = [name for name in mine.keys() & theirs.keys() if mine[name] == theirs[name]]
    assert set(same) <= {"notes.txt", "999999_a.jpg"} | {n for n in same if b"<html>" in mine[n]}


# -- images and faults -----------------------------------------------------------------------------


def test_images_come_as_png_as_jpeg_and_in_archives_in_nested_folders(written):
    folder = written.root / "inputs" / "images" / "x"
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    endings = Counter(path.suffix for path in paths)
    assert endings[".tgz"] >= 1
    assert min(endings[".png"], endings[".jpg"]) >= 8
    assert max(len(path.parts) for path in paths) >= 4
    members = image_files(written.root, "x").keys() - {path.name for path in paths}
    assert len(members) >= 8


def test_packing_is_unrelated_to_the_latent_value():
    """Else a network could infer the value from the traces of compression."""
    town = towns({"x": 400})[0]
    area = areas(town, 1, 1)
    latent = latent_field(area["easting"], area["northing"], stream(1, "latent"))["latent"]
    plan = plan_locations(area, order=0, per_lsoa=2, seed=1)
    by_packing = plan["area"].map(dict(zip(area["area"], latent, strict=True)))
    means = by_packing.groupby(plan["packing"]).mean()
    assert set(means.index) == {"png", "jpeg", "tgz"}
    assert means.abs().max() < 0.2  # standard error: 0.06


def test_faults_are_planted_once_each_those_of_panoramas_in_the_second_city(written):
    faults = written.truth.locations.query("fault != ''").groupby("city")["fault"].agg(sorted)
    assert faults["x"] == sorted(FAULTS)
    assert faults["y"] == ["no_images", "unknown_postcode"]


def test_every_area_keeps_a_good_location(written):
    good = written.truth.locations.query("fault == ''")
    assert set(good["area"]) == set(written.truth.areas["area"])


def test_the_files_of_each_location_are_as_its_fault_says(written):
    files = image_files(written.root, "x")
    for location in written.truth.locations.query("city == 'x'").itertuples():
        own = {n: d for n, d in files.items() if n.startswith(f"{location.location_id}_")}
        expected = {"no_images": 0, "missing_view": 3}.get(location.fault, 4)
        assert len(own) == expected
        bad = [reason for data in own.values() if (reason := defect(data))]
        assert bad == [location.fault] * (location.fault in ("truncated", "not_an_image"))


def defect(data):
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except UnidentifiedImageError:
        return "not_an_image"
    except OSError:
        return "truncated"
    return None


def test_foreign_files_belong_to_no_location(written):
    ids = set(written.truth.locations["location_id"])
    for key, path in written.truth.foreign:
        file = written.root / "inputs" / "images" / key / path
        assert file.is_file()
        assert file.stem.split("_")[0] not in ids


def test_faulty_postcodes_are_unknown_or_of_another_district(written):
    directory = pd.read_csv(written.input("onspd"), dtype=str).set_index("pcds")["oslaua"]
    study = load_study(written.root / "study.toml")
    rows = pd.read_csv(written.root / "inputs/locations/x.csv", dtype=str)
    fault = written.truth.locations.set_index("location_id")["fault"]
    served = rows.groupby(rows["location_id"].map(fault))["postcode"].first()
    assert served["unknown_postcode"] not in directory.index
    assert directory[served["outside_city"]] not in study.city_of_authority()


# -- what the platform reads back ------------------------------------------------------------------


def test_the_readers_find_all_13_outcomes_and_no_problem(written):
    sources = find_sources(written.root / "inputs")
    assert not sources.problems
    assert all(sources.of(outcome) for outcome in OUTCOME_KEYS)
    assert set(read_sources(sources)) >= set(OUTCOME_KEYS)


def test_the_values_read_back_are_ordered_as_the_truth(written):
    values = read_sources(find_sources(written.root / "inputs"))
    for outcome in OUTCOME_KEYS:
        truth = written.truth.areas.assign(truth=written.truth.outcomes[outcome])
        both = truth.dropna(subset="truth").merge(values[outcome].frame, on="area")
        assert len(both) == (12 if outcome in ("mean_income", "median_income") else 22)
        worse_is_high = outcome in (
            "self_reported_health", "occupancy_rating", "unemployment", "education",
        )  # fmt: skip
        for _, group in both.groupby("city"):
            r = group["truth"].corr(group["value"], method="spearman")
            assert (-r if worse_is_high else r) > 0.95


def test_the_catalogue_accounts_for_every_view(written):
    ids = written.truth.locations.query("city == 'x'")["location_id"]
    found = list_images(written.root / "inputs/images/x", ids, city="x", buckets=2)
    assert len(found.images) == 4 * len(ids)
    assert (found.images["status"] == "missing").sum() == 5
    assert len(found.foreign_files) == len(written.truth.foreign)


def test_locations_join_to_their_areas_unless_their_postcode_is_faulty(tmp_path, written):
    study = load_study(written.root / "study.toml")
    inputs, target = written.root / "inputs", tmp_path / "postcodes.parquet"
    with duckdb.connect() as connection:
        directory = find_directory(inputs / "onspd")
        write_postcodes(connection, directory, study.city_of_authority(), target)
        for key in ("x", "y"):
            listing = inputs / "locations" / f"{key}.csv"
            found, _ = join_locations(connection, listing, target, city=key, date=study.date)
            truth = written.truth.locations.query("city == @key").set_index("location_id")
            assert set(found["location_id"]) == set(truth.index)
            for row in found.itertuples():
                planted = truth.loc[row.location_id]
                if planted["fault"] in ("unknown_postcode", "outside_city"):
                    assert (row.status, row.reason) == ("rejected", planted["fault"])
                else:
                    assert (row.status, row.area) == ("matched", planted["area"])
                    assert 1 <= row.weight <= 3


def test_importing_the_writer_loads_no_heavy_library():
    heavy = "tensorflow keras sklearn scipy geopandas matplotlib shapely pyproj dagster"
    code = (
        "import sys, streetineq_assets.demo.city; "
        f"found = [m for m in '{heavy}'.split() if m in sys.modules]; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
