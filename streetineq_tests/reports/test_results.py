"""What the report rests on: everything that is published, and a word for what is not."""

import shutil

import pandas as pd

from streetineq_assets.findings import Findings
from streetineq_assets.reports.results import digests, gather
from streetineq_tests.harness import publish
from streetineq_tests.predictions import published


def test_pairs_come_in_the_studys_order_with_their_status(gathered):
    assert [(pair.key, pair.status) for pair in gathered.pairs] == [
        ("alpha/crime", "available"),
        ("alpha/mean_income", "unavailable"),
        ("beta/crime", "available"),
    ]
    assert published.WANTED in gathered.pairs[1].wanted


def test_what_is_not_published_is_said_and_stops_nothing(store, study):
    shutil.rmtree(store.folder("lsoa_evaluation", "beta/crime"))
    shutil.rmtree(store.folder("locations", "beta"))
    found = gather(store, study)
    assert found.pairs[2].status == "not made yet"
    assert not found.pairs[2].has_results
    assert len(found.pairs[0].metrics) > 0


def test_digests_change_with_what_is_read(store, study):
    before = digests(store, study)
    assert before == digests(store, study)
    shutil.rmtree(store.folder("lsoa_evaluation", "beta/crime"))
    after = digests(store, study)
    assert set(before) - set(after) == {"lsoa_evaluation/beta/crime"}


def test_listed_locations_are_accounted_for_by_step_and_reason(store, study):
    shards = Findings(
        values={"listed": 10, "extracted": 7, "weights": "random", "backbone": "vgg16"},
        tables={
            "without_codes": [
                {"reason": "missing_view", "locations": 2},
                {"reason": "truncated", "locations": 1},
            ]
        },
    )
    publish(store, "hdf5_shards", "alpha", shards, rows=pd.DataFrame({"shard": [0]}))
    city = next(city for city in gather(store, study).cities if city.key == "alpha")
    rows = {(row["step"], row["what"]): row["count"] for row in city.account}
    assert rows["images", "listed"] == 10
    parts = ("extracted", "missing view", "truncated")
    assert sum(rows["images", what] for what in parts) == rows["images", "listed"]
    assert rows["areas", "matched to an LSOA"] == 180
    assert rows["areas", "unknown postcode"] == 1
    assert rows["predictions", "predicted out of fold"] == 180
    assert city.encoder == {"weights": "random", "backbone": "vgg16"}
