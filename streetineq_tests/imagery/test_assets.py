"""Planning and fetching through Dagster: what is published, skipped, kept from going wrong."""

import gzip
import tarfile

import pandas as pd
import pyarrow.parquet as pq
import pytest

from streetineq_assets import digests
from streetineq_assets import store as store_module
from streetineq_assets.imagery.bucket_images import carry_over, read_bucket_sources
from streetineq_assets.imagery.recording import Recording
from streetineq_assets.imagery.tables import IMAGERY, IMAGERY_PLAN, PLAN_CAPTURES
from streetineq_assets.images.city_listing import rights_of_published, write_listing
from streetineq_assets.inspection import inspect_inputs
from streetineq_assets.study import load_study
from streetineq_tests.harness import checks, failed, failure, metadata, run
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import BUCKETS, N_AREAS, PER_AREA, SECRET, VARIABLE
from streetineq_tests.imagery.loopback import TOKEN, Loopback
from streetineq_tests.studies import write_boundaries

N_LOCATIONS = N_AREAS * PER_AREA


@pytest.fixture(scope="module", autouse=True)
def token():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, TOKEN)
        yield


@pytest.fixture(scope="module")
def provider():
    with Loopback(acquiring_study.world()) as server:
        yield server


@pytest.fixture(scope="module")
def store(provider, tmp_path_factory):
    return acquiring_study.write(tmp_path_factory.mktemp("study"), provider.url)


@pytest.fixture(scope="module")
def plan(store):
    run(store, "imagery_plan", "alpha")
    return store.open("imagery_plan", "alpha")


@pytest.fixture(scope="module")
def fetched(store, plan):
    results = {key: run(store, "imagery", key) for key in BUCKETS}
    return results, pd.concat([store.open("imagery", key).table() for key in BUCKETS])


def test_the_plan_has_every_wanted_location_with_its_four_views(plan):
    rows = plan.table()
    assert rows["location_id"].nunique() == N_LOCATIONS
    assert len(rows) == 4 * N_LOCATIONS
    assert set(rows["status"]) == {"planned"}


@pytest.mark.parametrize(
    ("name", "schema"), [("imagery_plan", IMAGERY_PLAN), ("captures", PLAN_CAPTURES)]
)
def test_every_table_of_a_plan_has_its_schema(plan, name, schema):
    stored = pq.read_schema(plan.file(f"{name}.parquet"))
    assert stored.remove_metadata().equals(schema.remove_metadata())


def test_planning_fetches_no_picture(provider, plan):
    assert provider.seen["picture"] == 0
    assert provider.seen["links"] == 0


def test_the_plan_says_what_fetching_would_take(store, plan):
    values = plan.manifest.summary["values"]
    assert values["n_images_planned"] == N_LOCATIONS
    assert values["n_requests_estimated"] == N_LOCATIONS + 1
    assert 0 < values["gigabytes_estimated"] < 1
    assert values["hours_estimated"] >= 0


def test_the_list_of_locations_is_one_that_anybody_could_have_written(plan):
    listed = pd.read_csv(plan.file("locations.csv"), dtype=str)
    assert len(listed) == N_LOCATIONS
    assert set(listed["provider"]) == {"mapillary"}
    assert set(listed["licence"]) == {"CC-BY-SA-4.0"}
    assert listed["creator"].str.startswith("walker").all()


def test_every_planned_view_is_fetched_with_its_record(fetched, provider):
    _, rows = fetched
    assert IMAGERY.names == list(rows.columns)
    assert set(rows["status"]) == {"fetched"}
    assert len(rows) == 4 * N_LOCATIONS
    by_id = provider.world.by_id
    for row in rows.drop_duplicates("capture_id").itertuples():
        known = by_id[row.capture_id]
        assert (row.lat, row.lon) == (known.lat, known.lon)
        assert row.compass_deg == pytest.approx(known.compass_deg)
        assert row.second_compass_deg == pytest.approx(known.raw_compass_deg)
        assert row.creator == known.creator
        assert row.licence == "CC-BY-SA-4.0"


def test_the_archive_holds_the_pictures_as_they_came(store, fetched, provider):
    _, rows = fetched
    found = {}
    for key in BUCKETS:
        with tarfile.open(store.open("imagery", key).file("captures.tar")) as archive:
            members = store.open("imagery", key).table().drop_duplicates("member")
            for row in members.itertuples():
                found[row.capture_id] = archive.extractfile(row.member).read()
    assert found == {name: provider.world.picture(name) for name in set(rows["capture_id"])}


def test_a_second_run_asks_for_nothing(store, plan, fetched, provider):
    before = provider.n_requests
    assert metadata(run(store, "imagery_plan", "alpha"), "imagery_plan")["skipped"]
    assert metadata(run(store, "imagery", BUCKETS[0]), "imagery")["skipped"]
    assert provider.n_requests == before


def test_a_refreshed_plan_asks_anew_and_fetches_no_picture_again(store, plan, fetched, provider):
    pictures, searches = provider.seen["picture"], provider.seen["search"]
    run(store, "imagery_plan", "alpha", config={"refresh": True})
    assert provider.seen["search"] > searches
    assert metadata(run(store, "imagery", BUCKETS[0]), "imagery")["skipped"]
    assert provider.seen["picture"] == pictures


def test_a_city_that_the_study_does_not_acquire_has_an_empty_plan_and_nothing_fails(store):
    result = run(store, "imagery_plan", "beta")
    assert not failed(result)
    assert store.open("imagery_plan", "beta").table().empty
    assert not failed(run(store, "imagery", "beta/000"))


def test_the_token_is_in_nothing_that_was_written(store, plan, fetched):
    everything = acquiring_study.everything_below(store.root)
    assert SECRET not in everything
    assert TOKEN.split("|")[-1].encode() not in everything
    for key in BUCKETS:
        recording = gzip.decompress(
            store.open("imagery", key).file("recording.jsonl.gz").read_bytes()
        )
        assert TOKEN.split("|")[-1].encode() not in recording


# -- what is not to be fetched ---------------------------------------------------------------------


def test_without_a_limit_nothing_is_fetched_and_the_reason_names_the_setting(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url, most_gigabytes=0.0)
    run(store, "imagery_plan", "alpha")
    before = provider.seen["picture"]
    result = run(store, "imagery", BUCKETS[0])
    assert provider.seen["picture"] == before
    check = checks(result)["available"]
    assert not check.passed
    assert "most_gigabytes" in check.description
    assert store.open("imagery", BUCKETS[0]).table().empty


def test_a_limit_that_is_raised_after_the_plan_was_looked_at_lets_it_be_fetched(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url, most_gigabytes=0.0)
    assert "within_limit" in failed(run(store, "imagery_plan", "alpha"))
    run(store, "imagery", BUCKETS[0])
    acquiring_study.write(tmp_path / "study", provider.url, most_gigabytes=0.5)
    again = run(store, "imagery_plan", "alpha")
    assert metadata(again, "imagery_plan")["skipped"]
    assert "within_limit" not in failed(again)
    run(store, "imagery", BUCKETS[0])
    assert set(store.open("imagery", BUCKETS[0]).table()["status"]) == {"fetched"}


def test_a_limit_that_is_lowered_afterwards_loses_nothing(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url)
    run(store, "imagery_plan", "alpha")
    run(store, "imagery", BUCKETS[0])
    n = len(store.open("imagery", BUCKETS[0]).table())
    acquiring_study.write(tmp_path / "study", provider.url, most_gigabytes=0.0)
    assert metadata(run(store, "imagery", BUCKETS[0]), "imagery")["skipped"]
    assert len(store.open("imagery", BUCKETS[0]).table()) == n > 0


def test_a_city_with_a_list_of_its_own_is_not_planned(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url)
    own = store.inputs("locations", "alpha.csv")
    own.parent.mkdir(parents=True)
    own.write_text("location_id,postcode\n1,AB0 0CD\n")
    text = failure(run(store, "imagery_plan", "alpha", fails=True))
    assert str(own) in text
    assert "imagery.cities" in text


def test_without_a_token_the_message_names_its_variable(provider, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    store = acquiring_study.write(tmp_path / "study", provider.url)
    assert VARIABLE in failure(run(store, "imagery_plan", "alpha", fails=True))


def test_a_wrong_token_is_told_and_not_shown(provider, tmp_path, monkeypatch):
    wrong = "MLY|0000|f00dfacef00dfacef00d"
    monkeypatch.setenv(VARIABLE, wrong)
    store = acquiring_study.write(tmp_path / "study", provider.url)
    result = run(store, "imagery_plan", "alpha", fails=True)
    text = failure(result)
    assert VARIABLE in text
    assert "f00dface" not in text + "".join(map(str, result.all_events))
    assert b"f00dface" not in acquiring_study.everything_below(store.root)


# -- from there on --------------------------------------------------------------------------------


def test_what_was_fetched_is_listed_like_any_other_image(store, plan, fetched):
    result = run(store, "street_images", "alpha")
    assert not failed(result)
    listed = store.open("street_images", "alpha")
    images = listed.table()
    assert set(images["status"]) == {"present"}
    assert len(images) == 4 * N_LOCATIONS
    assert set(images["projection"]) == {"equirectangular"}
    used = listed.table("captures.parquet")
    assert set(used["status"]) == {"used"}
    assert len(used) == N_LOCATIONS


def test_acquired_locations_have_the_areas_of_their_postcodes(store, plan):
    run(store, "locations", "alpha")
    table = store.open("locations", "alpha").table()
    assert set(table["status"]) == {"matched"}
    planned = store.open("imagery_plan", "alpha").table().drop_duplicates("location_id")
    wanted = planned.set_index("location_id")["area"]
    assert table.set_index("location_id")["area"].to_dict() == wanted.to_dict()
    assert table["creator"].str.startswith("walker").all()


def test_a_bucket_that_was_not_fetched_is_missing_and_says_so(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url)
    run(store, "imagery_plan", "alpha")
    run(store, "imagery", BUCKETS[0])
    run(store, "street_images", "alpha")
    images = store.open("street_images", "alpha").table()
    by_bucket = images.groupby("bucket")["status"].unique().map(list).to_dict()
    assert by_bucket == {BUCKETS[0]: ["present"], BUCKETS[1]: ["missing"]}
    assert set(images.loc[images["status"] == "missing", "reason"]) == {"not_acquired"}


def test_doctor_says_what_is_wanting_and_what_was_acquired(provider, tmp_path, monkeypatch):
    store = acquiring_study.write(tmp_path / "study", provider.url)

    def images():
        (row,) = [row for row in inspect_inputs(store, load_study(store.study_file))["cities"]
                  if row["city"] == "alpha"]  # fmt: skip
        return row["images_status"], row["images"]

    assert images() == ("missing", "to be acquired: materialise imagery_plan of alpha")
    with monkeypatch.context() as without:
        without.delenv(VARIABLE)
        status, text = images()
    assert status == "wrong"
    assert VARIABLE in text
    run(store, "imagery_plan", "alpha")
    assert images() == ("missing", "to be acquired: materialise imagery of alpha")
    run(store, "imagery", BUCKETS[0])
    assert images()[0] == "doubtful"
    run(store, "imagery", BUCKETS[1])
    status, text = images()
    assert status == "found"
    assert f"{4 * N_LOCATIONS} views of {N_LOCATIONS} planned locations" in text


def test_listing_reads_no_archive_of_pictures(store, plan, fetched, monkeypatch, tmp_path):
    """They are gigabytes; extraction hashes each picture."""
    study = load_study(store.study_file)
    read = []
    real = digests._sha256
    monkeypatch.setattr(digests, "_sha256", lambda path: read.append(path.name) or real(path))
    digests._untouched.cache_clear()
    write_listing(store, study, "alpha", [], tmp_path)
    assert rights_of_published(store, study, "alpha").passed
    assert "captures.tar" not in read


def test_a_bucket_whose_pictures_are_its_own_opens_no_other_buckets_archive(provider, tmp_path):
    store = acquiring_study.write(tmp_path / "study", provider.url)
    run(store, "imagery_plan", "alpha")
    run(store, "imagery", BUCKETS[0])
    sources = read_bucket_sources(store, load_study(store.study_file), _imagery(store), BUCKETS[1])
    with pytest.MonkeyPatch.context() as patch, Recording(tmp_path / "r.jsonl") as recording:
        patch.setattr(digests, "digest_file", lambda path: pytest.fail(f"{path} was read"))
        patch.setattr(store_module, "digest_file", lambda path: pytest.fail(f"{path} was read"))
        assert carry_over(store, BUCKETS[1], sources.captures, recording, tmp_path / "work") == 0


def _imagery(store):
    return load_study(store.study_file).imagery


def test_a_grid_finds_its_areas_by_the_nearest_postcode(provider, tmp_path):
    grid = {"design": '"grid"', "spacing_m": 50.0, "per_area": 500}  # all of its points
    store = acquiring_study.write(tmp_path / "study", provider.url, **grid)
    assert "inputs/boundaries" in failure(run(store, "imagery_plan", "alpha", fails=True))
    write_boundaries(store, acquiring_study.squares())
    run(store, "imagery_plan", "alpha")
    plan = store.open("imagery_plan", "alpha").table()
    assert plan["postcode"].isna().all()
    assert plan["area"].nunique() == N_AREAS
    assert (plan["status"] == "planned").any()
    run(store, "locations", "alpha")
    located = store.open("locations", "alpha").table()
    assert set(located["placed_by"].dropna()) == {"nearest_postcode"}
    wanted = plan.drop_duplicates("location_id").set_index("location_id")["area"]
    found = located.set_index("location_id")["area"].dropna()
    assert len(found)
    assert (found == wanted[found.index]).all()
