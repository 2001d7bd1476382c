"""What is run together, and when: schedules and the sensor, by evaluating their ticks."""

import datetime as dt
import os
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from streetineq_assets import automation
from streetineq_assets.automation import UPKEEP, gpu_hours
from streetineq_assets.codes.reuse import changed_buckets
from streetineq_assets.definitions import build_definitions
from streetineq_assets.findings import Findings
from streetineq_assets.images.catalogue import walk_files
from streetineq_assets.images.changes import listing_inputs, slice_digest
from streetineq_assets.manifests import Recipe
from streetineq_assets.notices import LOG_FILE
from streetineq_assets.resources import StudyResource
from streetineq_assets.study import bucket_keys
from streetineq_tests.harness import publish
from streetineq_tests.test_study import MINIMAL, write

BUCKETS = 30
LOOKED_AT = {"refresh_labels", "list_images", "extract_codes"}


@pytest.fixture
def study(tmp_path):
    """With labels, which stand before all else."""
    write(tmp_path, MINIMAL.replace("buckets = 2", f"buckets = {BUCKETS}"))
    resource = StudyResource(root=str(tmp_path))
    for asset in ("postcode_lsoa", "lsoa_labels"):
        publish(resource.store, asset, None, nothing=pd.DataFrame({"x": [1]}))
    return resource


@pytest.fixture
def without_labels(study):
    shutil.rmtree(study.store.folder("lsoa_labels"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@dg.job
def another_job():
    """What somebody runs by hand."""


def budget(study, hours):
    """Let the study allow so many hours of GPU work a day."""
    file = study.store.study_file
    text = file.read_text(encoding="utf-8").partition("[automation]")[0]
    file.write_text(f"{text}[automation]\ngpu_hours_per_day = {hours}\n", encoding="utf-8")


@pytest.fixture
def definitions(study):
    return build_definitions(study.root)


@pytest.fixture
def tick(study, definitions, instance):
    """Evaluate the sensor once; the cursor lives on from tick to tick.

    What follows labels and images is asked in `test_upkeep`.
    """
    sensor = definitions.resolve_sensor_def("keep_up_to_date")
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
        asked = [r for r in data.run_requests or [] if r.job_name in LOOKED_AT]
        return [(r.job_name, r.partition_key, r.run_key) for r in asked]

    return evaluate


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
    publish(study.store, "locations", "alpha", locations=frame[["location_id"]])
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


def test_labels_and_report_are_made_again_every_week(definitions):
    for name, job, cron in (
        ("weekly_labels", "refresh_labels", "0 5 * * 1"),
        ("weekly_report", "publish_report", "0 8 * * 1"),
    ):
        weekly = definitions.resolve_schedule_def(name)
        assert (weekly.job_name, weekly.cron_schedule) == (job, cron)
        assert len(weekly.evaluate_tick(dg.build_schedule_context()).run_requests) == 1


def test_everything_is_shipped_stopped_and_says_what_it_does(definitions):
    for each in [*definitions.schedules, *definitions.sensors]:
        assert each.default_status.value == "STOPPED"
        assert each.description, each.name


def test_labels_that_are_damaged_are_told_of_once_a_day_and_ask_for_nothing(tick, study, images):
    list_city(study, sizes=[1] * BUCKETS)
    recipe = Recipe(code_version="1", inputs={"areas": "of postcodes"})

    def make(folder):
        (folder / "nothing.parquet").write_bytes(b"labels")
        return Findings()

    study.store.publish("lsoa_labels", None, recipe, make)
    for file in study.store.folder("postcode_lsoa").rglob("*.parquet"):
        file.write_bytes(b"cut")
    assert "refresh_labels" not in {job for job, _, _ in tick() + tick()}
    log = (study.store.dagster_home / LOG_FILE).read_text(encoding="utf-8").splitlines()
    assert len([line for line in log if "the labels cannot be kept up to date" in line]) == 1
    assert "materialise postcode_lsoa" in log[0]


def test_labels_that_were_never_made_come_first(tick, images, without_labels):
    assert [request[:2] for request in tick()] == [("refresh_labels", None)]
    assert tick() == []


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


def test_a_listed_city_requests_its_buckets_so_many_a_tick(tick, study, images, monkeypatch):
    monkeypatch.setattr(automation, "MOST_REQUESTS_PER_TICK", 20)
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


def test_a_city_in_which_other_runs_are_under_way_waits(tick, study, images, instance):
    run = instance.create_run_for_job(another_job, tags={"dagster/partition": "alpha/crime"})
    assert tick() == []
    instance.report_run_canceled(run)
    assert [request[:2] for request in tick()] == [("list_images", "alpha")]


def test_gpu_work_waits_where_the_days_budget_is_spent(tick, study, images, instance):
    list_city(study, sizes=[1] * BUCKETS)
    budget(study, 0)
    assert tick() == []
    budget(study, 1)
    assert {job for job, _, _ in tick()} == {"extract_codes"}


@pytest.mark.parametrize(
    ("job", "tags", "began_h", "ended_h", "hours"),
    [
        ("extract_codes", {UPKEEP: "x"}, -3, -1, 2.0),
        ("extract_codes", {UPKEEP: "x"}, -3, None, 3.0),
        ("extract_codes", {UPKEEP: "x"}, -26, -20, 4.0),
        ("extract_codes", {UPKEEP: "x"}, -30, -25, 0.0),
        ("extract_codes", {UPKEEP: "x"}, None, None, 0.0),
        ("extract_codes", {}, -3, -1, 0.0),
        ("list_images", {UPKEEP: "x"}, -3, -1, 0.0),
    ],
)
def test_the_budget_counts_gpu_work_that_the_sensor_asked_for_within_a_day(
    job, tags, began_h, ended_h, hours
):
    now = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)
    began, ended = (
        None if at is None else (now + dt.timedelta(hours=at)).timestamp()
        for at in (began_h, ended_h)
    )
    record = dg.RunRecord(1, dg.DagsterRun(job, tags=tags), now, now, began, ended)
    assert gpu_hours([record], now) == pytest.approx(hours)
