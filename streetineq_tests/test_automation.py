"""What is run together, and when: schedules and the sensor, by evaluating their ticks."""

import datetime as dt
import os
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from streetineq_assets.codes.reuse import changed_buckets
from streetineq_assets.definitions import build_definitions
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import walk_files
from streetineq_assets.images.changes import listing_inputs, slice_digest
from streetineq_assets.manifests import Recipe
from streetineq_assets.partitions import bucket_keys
from streetineq_assets.resources import StudyResource
from streetineq_tests.test_study import MINIMAL, write

BUCKETS = 30


@pytest.fixture
def study(tmp_path):
    write(tmp_path, MINIMAL.replace("buckets = 2", f"buckets = {BUCKETS}"))
    return StudyResource(root=str(tmp_path))


@pytest.fixture
def definitions(study):
    return build_definitions(study.root)


@pytest.fixture
def tick(study, definitions):
    """Evaluate the sensor once; the cursor lives on from tick to tick."""
    sensor = definitions.resolve_sensor_def("new_images")
    cursor = [None]

    def evaluate():
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor[0],
            definitions=definitions,
            resources={"study": study},
        )
        data = sensor.evaluate_tick(context)
        cursor[0] = data.cursor
        return [(r.job_name, r.partition_key, r.run_key) for r in data.run_requests or []]

    with dg.DagsterInstance.ephemeral() as instance:
        yield evaluate


@pytest.fixture
def images(study):
    """A city's files: a list of two locations, and the image of one view."""
    folder = study.store.inputs("images", "alpha", "2016")
    folder.mkdir(parents=True)
    (folder / "7_a.jpg").write_bytes(b"jpeg")
    study.store.inputs("locations").mkdir(parents=True)
    study.store.inputs("locations", "alpha.csv").write_text("location_id,postcode\n7,AB1 2CD\n")
    return folder


def list_city(study, sizes):
    """Publish `street_images` as the asset does, with one image per bucket of the given size."""
    keys = bucket_keys("alpha", BUCKETS)
    frame = pd.DataFrame(
        {
            "location_id": [str(number) for number in range(BUCKETS)],
            "view": "a",
            "heading": 0,
            "path": [f"{number}_a.jpg" for number in range(BUCKETS)],
            "member": pd.array([None] * BUCKETS, dtype="str"),
            "size_bytes": sizes,
            "modified_ns": 1,
            "status": "present",
            "reason": pd.array([None] * BUCKETS, dtype="str"),
            "bucket": keys,
        }
    )

    def make(folder):
        frame.to_parquet(folder / "street_images.parquet", index=False)
        return Findings()

    files = walk_files(study.store.inputs("images", "alpha"))
    inputs = listing_inputs(study.store, "alpha", files)
    study.store.publish("street_images", "alpha", Recipe(code_version="1", inputs=inputs), make)
    return frame


def encode(study, frame, keys):
    """Publish `image_codes` of buckets as the asset does, as far as the sensor looks."""
    for key in keys:
        digest = slice_digest(frame[frame["bucket"] == key])
        recipe = Recipe(code_version="1", inputs={"street_images": digest})

        def make(folder):
            (folder / "image_codes.h5").write_bytes(b"codes")
            return Findings()

        study.store.publish("image_codes", key, recipe, make)


def test_labels_are_read_again_every_week(definitions):
    weekly = definitions.resolve_schedule_def("weekly_labels")
    assert weekly.cron_schedule == "0 5 * * 1"
    data = weekly.evaluate_tick(dg.build_schedule_context())
    assert len(data.run_requests) == 1


def test_every_pair_is_trained_again_every_month(definitions):
    monthly = definitions.resolve_schedule_def("monthly_retraining")
    when = dt.datetime(2027, 3, 1, 2, tzinfo=dt.UTC)
    repository = definitions.get_repository_def()
    context = dg.build_schedule_context(scheduled_execution_time=when, repository_def=repository)
    data = monthly.evaluate_tick(context)
    keys = {r.partition_key for r in data.run_requests}
    assert keys == {"alpha/crime", "alpha/mean_income", "beta/crime"}
    assert len({r.run_key for r in data.run_requests}) == 3
    assert all(r.run_key.endswith("2027-03") for r in data.run_requests)


def test_no_files_no_requests(tick):
    assert tick() == []


def test_new_files_request_their_citys_listing_once(tick, images):
    (request,) = tick()
    assert request[:2] == ("list_images", "alpha")
    assert tick() == []


def test_a_changed_file_requests_the_listing_again(tick, images):
    (first,) = tick()
    os.utime(images / "7_a.jpg", ns=(1, 1))
    (second,) = tick()
    assert second[:2] == first[:2]
    assert second[2] != first[2]


def test_a_new_archive_in_a_nested_folder_is_noticed(tick, images):
    tick()
    (images / "deeper").mkdir()
    (images / "deeper" / "0.tgz").write_bytes(b"archive")
    (request,) = tick()
    assert request[:2] == ("list_images", "alpha")


def test_a_listed_city_requests_its_buckets_at_most_twenty_a_tick(tick, study, images):
    list_city(study, sizes=[1] * BUCKETS)
    first, second, third = tick(), tick(), tick()
    assert [len(first), len(second), len(third)] == [20, 10, 0]
    requested = [partition for _, partition, _ in first + second]
    assert sorted(requested) == bucket_keys("alpha", BUCKETS)


def test_only_buckets_whose_slice_differs_are_requested(tick, study, images):
    keys = bucket_keys("alpha", BUCKETS)
    encode(study, list_city(study, sizes=[1] * BUCKETS), keys)
    assert tick() == []
    changed = list_city(study, sizes=[1] * 5 + [2] + [1] * (BUCKETS - 6))
    assert [(job, key) for job, key, _ in tick()] == [("extract_codes", "alpha/005")]
    encode(study, changed, ["alpha/005"])
    assert changed_buckets(study.store, "alpha", keys) == {}
    assert tick() == []


def test_a_change_back_and_forth_is_requested_each_time_by_a_key_of_its_own(tick, study, images):
    keys = bucket_keys("alpha", BUCKETS)
    encode(study, list_city(study, sizes=[1] * BUCKETS), keys)
    run_keys = set()
    for size in (2, 1, 2, 1):
        listed = list_city(study, sizes=[size] + [1] * (BUCKETS - 1))
        (request,) = tick()
        run_keys.add(request[2])
        encode(study, listed, ["alpha/000"])
    assert len(run_keys) == 4, "Dagster never runs one key twice"


def test_a_listing_that_changes_back_is_requested_by_a_key_of_its_own(tick, study, images):
    run_keys = set()
    for when in (1, 2, 1, 2):
        os.utime(images / "7_a.jpg", ns=(when, when))
        (request,) = [each for each in tick() if each[0] == "list_images"]
        run_keys.add(request[2])
        list_city(study, sizes=[1] * BUCKETS)
    assert len(run_keys) == 4


def test_a_damaged_listing_is_requested_again(tick, study, images):
    encode(study, list_city(study, sizes=[1] * BUCKETS), bucket_keys("alpha", BUCKETS))
    assert tick() == []
    (study.store.folder("street_images", "alpha") / "street_images.parquet").write_bytes(b"cut")
    assert [request[:2] for request in tick()] == [("list_images", "alpha")]


def test_a_city_that_cannot_be_looked_at_stops_no_other(tick, study, images, monkeypatch):
    scandir = os.scandir

    def refuse(folder):
        if Path(folder) == images.parent:
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    study.store.inputs("locations", "beta.csv").write_text("location_id,postcode\n7,AB1 2CD\n")
    assert [request[:2] for request in tick()] == [("list_images", "beta")]


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")  # a context with a repository
def test_a_study_that_trains_jointly_asks_for_cities_first_and_then_for_their_pairs(tmp_path):
    write(tmp_path, MINIMAL + "\n[training]\njoint = true\n")
    definitions = build_definitions(tmp_path)
    monthly = definitions.resolve_schedule_def("monthly_retraining")
    when = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
    context = dg.build_schedule_context(
        scheduled_execution_time=when, repository_def=definitions.get_repository_def()
    )
    requested = monthly.evaluate_tick(context).run_requests
    assert [request.partition_key for request in requested] == ["beta", "alpha"]
    assert monthly.job_name == "train_jointly"
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.DagsterRun("train_jointly", tags={"dagster/partition": "alpha"})
        event = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_SUCCESS.value, "train_jointly")
        context = dg.build_run_status_sensor_context(
            sensor_name="joint_networks_trained",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=run,
            repository_def=definitions.get_repository_def(),
        )
        sensor = definitions.resolve_sensor_def("joint_networks_trained")
        pairs = [request.partition_key for request in sensor(context)]
    assert pairs == ["alpha/crime", "alpha/mean_income"]


def test_a_study_that_trains_apart_has_no_sensor_of_joint_networks(definitions):
    assert [sensor.name for sensor in definitions.sensors] == ["new_images"]
