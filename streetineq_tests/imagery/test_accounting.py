"""Every planned view ends as fetched, rejected or missing; every fault on the way is counted."""

import dataclasses
import io

import pandas as pd
import pytest
from PIL import Image

from streetineq_tests.harness import checks, failed, failure, metadata, run
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import BUCKETS, N_AREAS, PER_AREA, VARIABLE
from streetineq_tests.imagery.faults import TIMED_OUT, TRANSIENT, Faults
from streetineq_tests.imagery.loopback import TOKEN, Loopback
from streetineq_tests.imagery.world import World

N_LOCATIONS = N_AREAS * PER_AREA
GPS = 0x8825


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv(VARIABLE, TOKEN)


def acquired(tmp_path, world, **provider):
    with Loopback(world, **provider) as server:
        store = acquiring_study.write(tmp_path / "study", server.url)
        results = [run(store, "imagery_plan", "alpha")]
        results += [run(store, "imagery", key) for key in BUCKETS]
    tables = [store.open("imagery", key).table() for key in BUCKETS]
    return store, results, pd.concat(tables, ignore_index=True), server


def world_in_which(**shows):
    """A world of one panorama a location; the first of them show something else, by number."""
    world = acquiring_study.world(per_point=1)
    changed = {
        number: dataclasses.replace(world.captures[number], shows=what)
        for number, what in enumerate(shows.values())
    }
    captures = [changed.get(number, capture) for number, capture in enumerate(world.captures)]
    return World(captures)


def test_what_is_no_picture_of_a_street_is_rejected_or_missing_by_reason(tmp_path):
    world = world_in_which(card="no_imagery", page="not_an_image", withdrawn="gone")
    store, results, rows, _ = acquired(tmp_path, world)
    by_capture = rows.drop_duplicates("capture_id").set_index("capture_id")
    ids = [capture.capture_id for capture in world.captures[:3]]
    assert by_capture.loc[ids, "status"].tolist() == ["rejected", "rejected", "missing"]
    assert by_capture.loc[ids, "reason"].tolist() == ["no_imagery", "not_an_image", "gone"]
    assert (rows["status"] == "fetched").sum() == 4 * (N_LOCATIONS - 3)
    assert rows.loc[rows["status"] != "fetched", ["member", "sha256"]].isna().all(axis=None)
    for result in results[1:]:
        assert checks(result)["fetch_accounted"].passed
    assert any("fetch_complete" in failed(result) for result in results[1:])
    run(store, "street_images", "alpha")
    listed = store.open("street_images", "alpha").table()
    reasons = listed.drop_duplicates("location_id")["reason"].value_counts().to_dict()
    assert reasons == {"no_imagery": 1, "not_an_image": 1, "gone": 1}


def with_position(data, lat, lon):
    """The picture with an EXIF position, in degrees."""
    file = io.BytesIO()
    exif = Image.Exif()
    sides = {1: "N" if lat >= 0 else "S", 3: "E" if lon >= 0 else "W"}
    exif.get_ifd(GPS).update(sides | {2: (abs(lat), 0.0, 0.0), 4: (abs(lon), 0.0, 0.0)})
    Image.open(io.BytesIO(data)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_a_picture_that_says_that_it_was_taken_elsewhere_is_not_believed(tmp_path):
    world = acquiring_study.world(per_point=1)
    elsewhere, at_home = (capture.capture_id for capture in world.captures[:2])
    home = world.by_id[at_home]
    pictures = {
        elsewhere: with_position(world.picture(elsewhere), 48.85, 2.35),
        at_home: with_position(world.picture(at_home), home.lat + 0.001, home.lon),
    }
    world = World(world.captures, _pictures=pictures)
    _, _, rows, _ = acquired(tmp_path, world)
    by_capture = rows.drop_duplicates("capture_id").set_index("capture_id")
    assert by_capture.loc[elsewhere, ["status", "reason"]].tolist() == [
        "rejected",
        "position_contradicts",
    ]
    assert by_capture.loc[at_home, "status"] == "fetched"  # a hundred metres away


@pytest.mark.faults  # it waits, as whoever is told to come back later does
def test_every_fault_that_was_injected_is_counted_and_nothing_is_lost(tmp_path):
    rates = dict.fromkeys((kind for kind in TRANSIENT if kind != TIMED_OUT), 0.05)
    faults = Faults(rates=rates, seed=5)
    _, results, rows, server = acquired(tmp_path, acquiring_study.world(), faults=faults)
    assert set(rows["status"]) == {"fetched"}
    counted = {}
    for result, asset in zip(results, ("imagery_plan", "imagery", "imagery"), strict=True):
        for name, value in metadata(result, asset).items():
            if name.startswith("n_faults_"):
                kind = name.removeprefix("n_faults_")
                counted[kind] = counted.get(kind, 0) + value
    assert counted == {kind: n for kind, n in server.faults.injected.items() if n}
    assert sum(counted.values()) > 0


def test_a_city_of_which_the_provider_has_nothing_has_a_plan_of_gaps(tmp_path):
    store, results, rows, _ = acquired(tmp_path, World([]))
    plan = store.open("imagery_plan", "alpha").table()
    assert set(plan["status"]) == {"gap"}
    assert set(plan["reason"]) == {"no_capture"}
    assert "areas_covered" in failed(results[0])
    assert rows.empty
    assert not any(failed(result) for result in results[1:])
    assert not failed(run(store, "locations", "alpha")) - {"locations_matched"}
    assert "city_listed" in failed(run(store, "street_images", "alpha"))


def test_a_provider_that_has_nothing_any_more_takes_no_plan_away(tmp_path):
    world = acquiring_study.world(per_point=1)
    store, *_, server = acquired(tmp_path, world)
    port = int(server.url.rpartition(":")[2])
    with Loopback(World([]), port=port):
        text = failure(run(store, "imagery_plan", "alpha", config={"refresh": True}, fails=True))
    assert "planned locations" in text
    assert set(store.open("imagery_plan", "alpha").table()["status"]) == {"planned"}
