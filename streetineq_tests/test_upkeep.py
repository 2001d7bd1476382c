"""News is carried from images and labels to the report, and nothing else is made again (slow).

The sensor is evaluated tick by tick, and the runs that it asks for are made in this process.
"""

import datetime as dt
import shutil
from collections.abc import Callable

import dagster as dg
import pytest
from PIL import Image, ImageOps

from streetineq_assets.definitions import build_definitions
from streetineq_assets.outdated import OutOfDate
from streetineq_assets.resources import StudyResource
from streetineq_assets.run import QUIET
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.harness import publish_again

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plain_steps")]
MOST_TICKS = 30


@pytest.fixture
def store(chain, tmp_path) -> DataStore:
    """A finished study, which a test may change."""
    return DataStore(shutil.copytree(chain[0].root, tmp_path / "study"))


def upkeep(store: DataStore, before_tick: Callable[[int], None] = lambda _: None) -> list[str]:
    """The runs that the sensor asks for until it asks for no more, in order."""
    definitions = build_definitions(store.root)
    sensor, cursor, made = definitions.resolve_sensor_def("keep_up_to_date"), None, []
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(MOST_TICKS):
            before_tick(number)
            context = dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                definitions=definitions,
                resources={"study": StudyResource(root=str(store.root))},
            )
            data = sensor.evaluate_tick(context)
            cursor = data.cursor
            if not data.run_requests:
                return made
            for request in data.run_requests:
                made.append(" ".join(filter(None, (request.job_name, request.partition_key))))
                definitions.resolve_job_def(request.job_name).execute_in_process(
                    instance=instance,
                    partition_key=request.partition_key,
                    tags=request.tags,
                    run_config=QUIET,
                    raise_on_error=False,
                )
    raise AssertionError(f"no end after {MOST_TICKS} ticks: {made}")


def generations(store: DataStore) -> dict[str, dt.datetime]:
    """Label of each artefact to when it was made."""
    assets = sorted(path.name for path in (store.root / "assets").iterdir())
    found = [m for asset in assets if asset[0] != "." for m in store.manifests(asset)]
    return {manifest.label: manifest.published_at for manifest in found}


def made_again(store: DataStore, before: dict[str, dt.datetime]) -> set[str]:
    return {label for label, made in generations(store).items() if before.get(label) != made}


def test_after_a_whole_chain_nothing_is_out_of_date(store):
    outdated = OutOfDate(store, load_study(store.study_file))
    assert (outdated.labels(), outdated.report()) == ((), ())
    for city in ("northmere", "saltbridge"):
        assert outdated.next_of_city(city) == ()
    assert upkeep(store) == []


def test_a_changed_image_ends_in_the_report_and_only_what_it_touches_is_made_again(store):
    before = generations(store)
    listed = store.open("street_images", "saltbridge").table()
    shown = listed[(listed["status"] == "present") & listed["member"].isna()].iloc[0]
    file = store.inputs("images", "saltbridge", shown["path"])
    with Image.open(file) as picture:
        ImageOps.mirror(picture.convert("RGB")).save(file, quality=90)
    runs = upkeep(store)
    assert runs[:3] == [
        "list_images saltbridge", f"extract_codes {shown['bucket']}", "pack_codes saltbridge",
    ]  # fmt: skip
    assert runs[-1] == "publish_report"
    assert len(runs) == len(set(runs)), "each run once"
    again = made_again(store, before)
    assert {label for label in again if "northmere" in label} == set(), "another city"
    assert {f"image_codes[{shown['bucket']}]", "hdf5_shards[saltbridge]"} <= again
    assert {"trained_model[saltbridge/living_environment]", "inequality_report"} <= again
    assert not again & {"lsoa_labels", "postcode_lsoa", "area_folds[saltbridge]"}
    buckets = {label for label in again if label.startswith("image_codes")}
    assert buckets == {f"image_codes[{shown['bucket']}]"}


def test_labels_of_one_outcome_train_its_pairs_alone(store):
    before = generations(store)
    mean_income = lambda t: t["outcome"] == "mean_income"  # noqa: E731
    other = {"decile": lambda t: t["decile"].where(~mean_income(t), 11 - t["decile"])}
    publish_again(store, "lsoa_labels", None, changes=other)
    runs = upkeep(store)
    trained = [run for run in runs if run.startswith("train_and_predict")]
    assert "train_and_predict northmere/mean_income" in trained
    assert not [run for run in trained if run.startswith("train_and_predict saltbridge")]
    assert not [label for label in made_again(store, before) if label.startswith("image_codes")]


def test_a_broken_image_list_is_asked_for_once_and_stops_no_other_city(store):
    before = generations(store)
    file = store.inputs("locations", "saltbridge.csv")
    file.write_text("location_id;postcode\nno list at all\n", encoding="utf-8")
    runs = upkeep(store)
    assert runs.count("list_images saltbridge") == 1
    assert not [label for label in made_again(store, before) if "saltbridge" in label]


@pytest.mark.parametrize("broken", [False, True])
def test_one_click_brings_a_whole_city_up_to_date_or_says_what_is_wrong(store, broken):
    before = generations(store)
    if broken:
        list_file = store.inputs("locations", "saltbridge.csv")
        list_file.write_text("location_id;postcode\nno list at all\n", encoding="utf-8")
    else:
        shutil.rmtree(store.folder("lsoa_predictions", "saltbridge/living_environment"))
    job = build_definitions(store.root).resolve_job_def("whole_city")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, partition_key="saltbridge", raise_on_error=False
        )
    assert result.success is not broken
    if broken:
        (event,) = [event for event in result.all_events if event.is_step_failure]
        assert "saltbridge.csv" in event.step_failure_data.user_failure_data.description
        assert made_again(store, before) == set()
    else:
        own = "lsoa_predictions[saltbridge/living_environment]"
        assert made_again(store, before) >= {own}
        assert not [label for label in made_again(store, before) if "northmere" in label]
