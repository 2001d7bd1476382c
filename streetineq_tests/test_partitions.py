"""Partitions follow from the study; mappings connect a city with its buckets and pairs."""

import datetime as dt

import pytest

from streetineq_assets.partitions import Partitions
from streetineq_assets.settings import City
from streetineq_assets.study import Study, city_of


@pytest.fixture
def parts():
    def city(authority, buckets, outcomes):
        return City(title="x", authorities=(authority,), buckets=buckets, outcomes=outcomes)

    return Partitions(
        Study(
            title="Two towns",
            date=dt.date(2017, 8, 1),
            cities={
                "small": city("E08000101", 1, ("crime",)),
                "large": city("E09000101", 3, ("crime", "mean_income")),
            },
        )
    )


def test_keys_come_heaviest_city_first(parts):
    assert parts.city.get_partition_keys() == ["large", "small"]
    assert parts.bucket.get_partition_keys() == ["large/000", "large/001", "large/002", "small/000"]
    assert parts.pair.get_partition_keys() == ["large/crime", "large/mean_income", "small/crime"]


@pytest.mark.parametrize(
    ("method", "up", "down", "key", "expected"),
    [
        ("city_to_buckets", "city", "bucket", "large/001", {"large"}),
        ("buckets_to_city", "bucket", "city", "large", {"large/000", "large/001", "large/002"}),
        ("city_to_pairs", "city", "pair", "small/crime", {"small"}),
        ("pairs_to_city", "pair", "city", "large", {"large/crime", "large/mean_income"}),
    ],
)
def test_a_key_depends_on_its_own_city_alone(parts, method, up, down, key, expected):
    dependency = getattr(parts, method)("upstream")
    upstream = dependency.partition_mapping.get_upstream_mapped_partitions_result_for_partitions(
        getattr(parts, down).subset_with_partition_keys([key]),
        getattr(parts, down),
        getattr(parts, up),
    )
    assert set(upstream.partitions_subset.get_partition_keys()) == expected


def test_the_city_of_a_key(parts):
    assert {city_of(key) for key in parts.bucket.get_partition_keys()} == {"large", "small"}


@pytest.mark.parametrize(
    ("buckets", "runs", "spread"), [(3, 1, 3), (8, 1, 8), (128, 16, 128), (999, 16, 125)]
)
def test_a_back_fill_of_all_buckets_is_few_runs_in_small_studies_and_in_large(
    buckets, runs, spread
):
    alpha = City(title="x", authorities=("E09000101",), buckets=buckets, outcomes=("crime",))
    study = Study(title="x", date=dt.date(2017, 8, 1), cities={"alpha": alpha})
    parts = Partitions(study)
    assert -(-buckets // parts.buckets_per_run) == runs
    assert parts.buckets_per_run >= 8
    shared = Partitions(study, spread=True).buckets_per_run
    assert -(-buckets // shared) == spread, "for several machines"
