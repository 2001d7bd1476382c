"""Checks of postcodes and labels: each fault fails its own check and no other."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.findings import Findings
from streetineq_assets.labels.checks import label_checks
from streetineq_assets.labels.formats.base import OutcomeValues
from streetineq_assets.labels.labelling import build_tables
from streetineq_assets.labels.outcomes import INDEX_OF_DEPRIVATION
from streetineq_assets.labels.postcode_checks import areas_as_published, postcode_checks
from streetineq_assets.labels.postcodes import city_areas
from streetineq_tests.harness import failed_checks
from streetineq_tests.labels import official
from streetineq_tests.labels.official import CITY_A, CITY_B, LSOAS
from streetineq_tests.labels.official_study import AREAS, STUDIED

# -- postcodes -------------------------------------------------------------------------------------
# Alpha's 30 areas have ten postcodes each, beta's twelve too; three lie in neither city, and have
# no area. A published number of areas is known of alpha alone.

STUDY = STUDIED.model_copy(
    update={
        "cities": STUDIED.cities
        | {"beta": STUDIED.cities["beta"].model_copy(update={"lsoas": None})}
    }
)


def postcodes():
    """The columns of `postcode_lsoa` that the checks read."""
    placed = AREAS.loc[AREAS.index.repeat(10)].reset_index(drop=True)
    frame = pd.concat([placed, pd.DataFrame({"city": [None] * 3, "area": None})])
    number = np.arange(len(frame))
    return frame.assign(
        authority=frame["city"].map({city: code for code, city in official.AUTHORITIES.items()}),
        postcode=[f"AA1 {n:03d}" for n in number],
        lat=51 + number // 10 / 100,  # areas 1.1 km apart, their postcodes along 100 m
        lon=number % 10 / 10_000,
    ).reset_index(drop=True)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def failed_of(connection, tmp_path):
    """The names of the checks that a table of postcodes fails."""

    def failed(frame, study=STUDY):
        path = tmp_path / "postcode_lsoa.parquet"
        frame.to_parquet(path, index=False)
        areas = city_areas(connection, path)
        return failed_checks(Findings(checks=postcode_checks(connection, path, areas, study)))

    return failed


def without_areas(n):
    """`n` of the cities' 420 postcodes, each of another LSOA, have no area."""
    frame = postcodes()
    frame.loc[np.arange(n) * 10, "area"] = None
    return frame


def without_city(city):
    frame = postcodes()
    return frame[frame["city"] != city]


def without_lsoa(lsoa):
    frame = postcodes()
    return frame[frame["area"] != lsoa]


def with_latitudes_sorted_on_their_own():
    frame = postcodes()
    frame["lat"] = np.random.default_rng(0).permutation(frame["lat"])
    return frame


def filed_under(city):
    """A postcode in one of alpha's areas is filed elsewhere."""
    frame = postcodes()
    frame.loc[0, "city"] = city
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(postcodes(), id="all matched"),
        pytest.param(without_areas(4), id="416 of 420 matched, 99.05 %"),
    ],
)
def test_sound_postcodes_pass_every_check(failed_of, frame):
    assert failed_of(frame) == set()


@pytest.mark.parametrize(
    ("frame", "check"),
    [
        pytest.param(pd.concat([postcodes()] * 2), "postcodes_unique", id="all come twice"),
        pytest.param(
            postcodes().replace("AA1 001", "AA1 000"), "postcodes_unique", id="one comes twice"
        ),
        pytest.param(without_areas(5), "postcodes_matched", id="415 of 420 matched, 98.8 %"),
        pytest.param(without_lsoa(CITY_A[3]), "areas_as_published", id="an area is missing"),
        pytest.param(filed_under("beta"), "areas_in_one_city", id="one filed in the other city"),
        pytest.param(filed_under(None), "areas_in_one_city", id="one filed outside the study"),
        pytest.param(
            with_latitudes_sorted_on_their_own(), "areas_together", id="shuffled coordinates"
        ),
    ],
)
def test_each_fault_of_postcodes_fails_its_own_check(failed_of, frame, check):
    assert failed_of(frame) == {check}


@pytest.mark.parametrize("columns", [["lat"], ["lat", "lon"]])
def test_whether_areas_lie_together_is_not_known_without_coordinates(failed_of, columns):
    """Nobody would see that a column was sorted on its own."""
    assert failed_of(postcodes().assign(**dict.fromkeys(columns, None))) == {"areas_together"}


def test_without_a_published_number_of_areas_nothing_is_compared():
    cities = {k: c.model_copy(update={"lsoas": None}) for k, c in STUDY.cities.items()}
    check = areas_as_published(AREAS, STUDY.model_copy(update={"cities": cities}))
    assert (check.result, check.passed) == ("not tested", True)
    assert areas_as_published(AREAS, STUDY).result == "holds"


def test_an_authority_without_a_postcode_fails_its_own_check(failed_of):
    alpha = STUDY.cities["alpha"]
    two = alpha.model_copy(update={"authorities": (*alpha.authorities, "E09000002")})
    study = STUDY.model_copy(update={"cities": STUDY.cities | {"alpha": two}})
    assert failed_of(postcodes(), study) == {"authorities_present"}


def test_a_city_without_a_postcode_fails_with_its_authority(failed_of):
    assert failed_of(without_city("beta")) == {"cities_present", "authorities_present"}


# -- labels ----------------------------------------------------------------------------------------
# Every outcome follows overall deprivation without ties, the later an area the better-off.

RANKS = np.arange(1.0, len(LSOAS) + 1) * 100
VALUES = {
    INDEX_OF_DEPRIVATION: RANKS,
    "crime": RANKS,
    "self_reported_health": 0.5 - RANKS / 10_000,
    "mean_income": 20_000 + RANKS,
}


def values_of(outcome):
    share = outcome == "self_reported_health"
    frame = pd.DataFrame(
        {
            "value": VALUES[outcome],
            "national_rank": pd.array([pd.NA] * len(LSOAS), dtype="Int32"),
            "denominator": 1000.0 if share else np.nan,
        },
        index=pd.Index(LSOAS, name="area"),
    )
    return OutcomeValues(outcome, Path(f"{outcome}.csv"), frame)


SOURCES = {outcome: values_of(outcome) for outcome in VALUES}


def failed_of_labels(spoil=lambda labels: labels, sources=SOURCES):
    """The names of the checks that fail once the labels of sound sources are spoilt."""
    tables = build_tables(sources, AREAS, STUDIED)
    tables = replace(tables, labels=spoil(tables.labels))
    return failed_checks(Findings(checks=label_checks(tables, sources, (), AREAS, STUDIED)))


def setting(outcome, **cells):
    """A fault: an outcome's best-off area of alpha has other cells."""

    def spoil(labels):
        row = (labels["outcome"] == outcome) & (labels["area"] == CITY_A[-1])
        assert row.sum() == 1
        return labels.assign(**{name: labels[name].mask(row, cell) for name, cell in cells.items()})

    return spoil


def without_a_row(labels):
    return labels.iloc[1:].reset_index(drop=True)


def with_a_row_twice(labels):
    return pd.concat([labels, labels.iloc[[0]]], ignore_index=True)


def with_a_row_in_place_of_another(labels):
    return labels.iloc[[0, 0, *range(2, len(labels))]].reset_index(drop=True)


def reversed_in_beta(outcome):
    """A fault: the greatest value of an outcome stands where the least should."""

    def spoil(labels):
        rows = (labels["outcome"] == outcome) & (labels["city"] == "beta")
        assert rows.sum() == len(CITY_B)
        spoilt = labels.copy()
        spoilt.loc[rows, "value"] = labels.loc[rows, "value"].to_numpy()[::-1]
        return spoilt

    return spoil


LABEL_FAULTS = [
    pytest.param(without_a_row, "one_row_per_area", id="an area is missing"),
    pytest.param(with_a_row_twice, "one_row_per_area", id="an area comes twice"),
    pytest.param(with_a_row_in_place_of_another, "one_row_per_area", id="one in another's place"),
    pytest.param(setting("self_reported_health", value=1.2), "values_in_range", id="share 1.2"),
    pytest.param(setting("self_reported_health", value=-0.1), "values_in_range", id="share -0.1"),
    pytest.param(setting("crime", value=0.0), "values_in_range", id="rank 0"),
    pytest.param(setting("crime", value=32_845.0), "values_in_range", id="rank 32,845"),
    pytest.param(setting("mean_income", value=0.0), "values_in_range", id="income 0"),
    pytest.param(setting("mean_income", value=842.0), "values_in_range", id="income of a week"),
    pytest.param(setting("crime", decile=pd.NA), "deciles_complete", id="no decile"),
    pytest.param(setting("crime", decile=11), "deciles_complete", id="decile 11"),
    pytest.param(setting("crime", decile=0), "deciles_complete", id="decile 0"),
    pytest.param(reversed_in_beta("crime"), "directions_as_expected", id="ranks reversed"),
    pytest.param(
        reversed_in_beta("self_reported_health"), "directions_as_expected", id="shares reversed"
    ),
]


def test_sound_labels_pass_every_check():
    assert failed_of_labels() == set()


@pytest.mark.parametrize(("spoil", "check"), LABEL_FAULTS)
def test_each_fault_of_labels_fails_its_own_check(spoil, check):
    assert failed_of_labels(spoil) == {check}


def test_a_decile_without_a_value_fails_beside_the_area_that_is_not_matched():
    spoil = setting("crime", value=np.nan)
    assert failed_of_labels(spoil) == {"deciles_complete", "areas_matched"}


@pytest.mark.parametrize("outcome", ["crime", "self_reported_health"])
def test_without_the_overall_rank_no_direction_is_examined(outcome):
    sources = {key: each for key, each in SOURCES.items() if key != INDEX_OF_DEPRIVATION}
    assert failed_of_labels(reversed_in_beta(outcome), sources) == set()
