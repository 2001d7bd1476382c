"""How a network compares with its baselines: sentences, and the best cell whoever it is."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from streetineq_assets import tables
from streetineq_assets.findings import Unavailable
from streetineq_assets.predictions.tables import EXEMPLARS, EXPLANATIONS, METRICS
from streetineq_assets.reports import comparison
from streetineq_assets.reports.results import PairResults
from streetineq_assets.study import Pair


def pair(
    values: dict[tuple[str, str], float],
    leads: dict[str, tuple[float, float, float]] | None = None,
    *,
    areas: int = 100,
    metric: str = "kappa_quadratic",
) -> PairResults:
    """A pair with one metric per model, and the network's leads over baselines."""
    metrics = pd.DataFrame(
        [
            (model, scheme, metric, value, value - 0.1, value + 0.1, areas)
            for (model, scheme), value in values.items()
        ],
        columns=["model", "scheme", "metric", "value", "lower", "upper", "n_lsoas"],
    ).assign(seed_sd=float("nan"))
    comparisons = pd.DataFrame(
        [(name, "area", metric, *lead, areas) for name, lead in (leads or {}).items()],
        columns=["baseline", "scheme", "metric", "difference", "lower", "upper", "n_lsoas"],
    )
    number = np.arange(areas)
    predicted = pd.DataFrame({"area": [f"E{i}" for i in number], "score": number})
    predicted = predicted.assign(actual_decile=number % 10 + 1)
    empty = pd.DataFrame()
    return PairResults(
        pair=Pair("alpha", "crime"),
        city_title="Alpha",
        outcome_title="Crime",
        is_evaluated=True,
        unavailable=None,
        areas=predicted,
        metrics=metrics,
        comparisons=comparisons,
        confusion=empty,
        coverage=empty,
        equity=empty,
        explanations=tables.empty(EXPLANATIONS),
        exemplars=tables.empty(EXEMPLARS),
        history=empty,
        training=None,
        made_with={},
    )


NETWORK, MAP_KNN, RIDGE = ("network", "area"), ("map_knn", "area"), ("ridge", "area")
BLOCKS = ("map_knn", "spatial_block")


def test_columns_put_the_network_first_and_other_folds_last():
    found = comparison.columns([pair({BLOCKS: 0.2, RIDGE: 0.5, MAP_KNN: 0.4, NETWORK: 0.6})])
    assert [(c.model, c.scheme) for c in found] == [NETWORK, MAP_KNN, RIDGE, BLOCKS]


def test_the_best_map_is_that_of_the_same_folds():
    shown = pair({NETWORK: 0.6, MAP_KNN: 0.3, ("map_msoa_mean", "area"): 0.4, BLOCKS: 0.9})
    assert comparison.best_map_cell(shown).value == 0.4
    assert np.isnan(comparison.best_map_cell(pair({NETWORK: 0.6, RIDGE: 0.5})).value)


def test_the_lead_over_the_map_is_that_over_the_best_of_each_draw():
    values = {NETWORK: 0.6, MAP_KNN: 0.5}
    leads = {"map_knn": (0.1, 0.0, 0.2), "map_best": (0.08, -0.02, 0.2), "ridge": (-0.3, -1, 0)}
    assert comparison.lead_over_maps(pair(values, leads)) == (0.08, -0.02, 0.2)
    without = {name: lead for name, lead in leads.items() if name != "map_best"}
    assert comparison.lead_over_maps(pair(values, without)) == (0.1, 0.0, 0.2)
    assert comparison.lead_over_maps(pair(values, {"ridge": (0.1, 0.0, 0.2)})) is None


def test_a_cell_without_a_value_says_so():
    assert comparison.Cell(np.nan, np.nan, np.nan).text == "none"
    assert comparison.Cell(np.nan, np.nan, np.nan).interval == ""
    assert comparison.Cell(0.456, 0.4, 0.5).text == "0.46"
    assert comparison.Cell(-0.004, -0.001, -0.0).text == "0.00"
    assert comparison.Cell(-0.004, -0.001, -0.0).interval == "0.00 to 0.00"
    assert comparison.Cell(0.456, 0.4, 0.5).interval == "0.40 to 0.50"
    assert comparison.Cell(0.456, 0.4, 0.5).seeds == ""
    assert comparison.Cell(0.456, 0.4, 0.5, seed_sd=0.016).seeds == "seeds ± 0.02"


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ((0.2, 0.1, 0.3), "network is ahead of “Nearest areas (map)” by 0.20 (95 %"),
        ((0.1, -0.1, 0.3), "by 0.10, which may be chance"),
        ((-0.1, -0.3, 0.1), "better than the network, by 0.10, which may be chance"),
        ((-0.2, -0.3, -0.1), "“Nearest areas (map)” does better than the network, by 0.20 (95 %"),
        ((0.0, -0.1, 0.1), "“Nearest areas (map)” does as well"),
        ((0.2, np.nan, np.nan), "by 0.20, which may be chance (no interval"),
        ((0.2, -0.001, 0.3), "95 % interval of the lead 0.00 to 0.30"),
    ],
)
def test_sentences_follow_the_interval_of_the_lead(lead, said):
    shown = pair({NETWORK: 0.5, MAP_KNN: 0.5 - lead[0]}, {"map_knn": lead})
    assert any(said in sentence for sentence in comparison.sentences(shown))


def test_few_areas_come_first():
    shown = pair({NETWORK: 0.5}, areas=12)
    assert comparison.sentences(shown)[0].startswith("Only 12 areas")


@pytest.mark.parametrize(
    ("blocked", "said"), [(0.3, "what close neighbours give"), (0.7, "neighbours are not what")]
)
def test_spatial_blocks_are_put_beside_the_map(blocked, said):
    shown = pair({NETWORK: 0.8, MAP_KNN: 0.6, BLOCKS: blocked})
    assert any(said in sentence for sentence in comparison.sentences(shown))


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.01, 0.2), "score adds to what the map says: 0.60 by the best map, 0.70 by both"),
        ((-0.01, 0.2), "is not shown to add to what the map says"),
        ((-0.2, -0.01), "takes from what the map says"),
    ],
)
def test_what_the_pictures_add_to_the_map_is_told_by_the_interval_of_the_difference(interval, said):
    assert said in " ".join(comparison.sentences(with_gain(0.1, *interval)))


@pytest.mark.parametrize("interval", [None, (np.nan, np.nan)], ids=["an earlier version", "NaN"])
def test_without_an_interval_nothing_is_said_of_what_the_pictures_add(interval):
    shown = with_gain(0.1, *interval) if interval else pair(BESIDE_THE_MAP)
    assert "the map says" not in " ".join(comparison.sentences(shown))


BESIDE_THE_MAP = {NETWORK: 0.5, MAP_KNN: 0.6, ("map_and_score", "area"): 0.7}


def with_gain(gain, lower, upper):
    """A pair whose coordinates and network together gain this over coordinates alone."""
    shown = pair(BESIDE_THE_MAP)
    about = {"model": "map_and_score", "scheme": "area", "metric": "kappa_quadratic_gain"}
    row = pd.DataFrame([about | {"value": gain, "lower": lower, "upper": upper, "n_lsoas": 100}])
    return dataclasses.replace(shown, metrics=pd.concat([shown.metrics, row], ignore_index=True))


def test_baselines_that_match_the_network_are_named():
    leads = {"map_knn": (0.0, -0.1, 0.1), "ridge": (0.2, 0.1, 0.3)}
    shown = pair({NETWORK: 0.5, MAP_KNN: 0.5, RIDGE: 0.3}, leads)
    assert list(comparison.not_ahead(shown)) == ["map_knn"]
    assert not comparison.lacks_a_map(shown)


def test_a_lead_that_may_be_chance_is_no_lead():
    leads = {"map_knn": (0.1, -0.02, 0.22), "ridge": (0.2, 0.1, 0.3)}
    shown = pair({NETWORK: 0.5, MAP_KNN: 0.4, RIDGE: 0.3}, leads)
    assert comparison.not_ahead(shown)["map_knn"].text == "0.10 (-0.02 to 0.22)"


def test_where_whole_cities_are_held_out_the_map_is_no_baseline():
    leads = {"map_knn": (-0.4, -0.5, -0.3), "ridge": (0.2, 0.1, 0.3)}
    here = pair({NETWORK: 0.5, MAP_KNN: 0.9, RIDGE: 0.3}, leads)
    by_city = {"metrics": here.metrics, "comparisons": here.comparisons}
    shown = dataclasses.replace(here, **{k: t.assign(scheme="city") for k, t in by_city.items()})
    said = " ".join(comparison.sentences(shown))
    assert "No baseline of the map exists on these folds" in said
    assert "coordinates only" not in said
    assert not comparison.not_ahead(shown)
    assert not comparison.lacks_a_map(shown)


def test_a_model_with_the_networks_own_score_is_not_its_baseline():
    both = ("map_and_score", "area")
    shown = pair({NETWORK: 0.5, both: 0.9}, {"map_and_score": (-0.4, -0.5, -0.3)})
    assert comparison.not_ahead(shown) == {}
    assert not any("does better" in sentence for sentence in comparison.sentences(shown))


def test_the_confusion_table_is_shared_out_by_rows():
    counts = np.zeros((10, 10), int)
    counts[0, 0], counts[0, 1], counts[4, 4] = 3, 1, 2
    table = pd.DataFrame(
        [(i + 1, j + 1, counts[i, j]) for i in range(10) for j in range(10)],
        columns=["actual", "predicted", "n"],
    )
    rows = comparison.confusion_shares(table.sample(frac=1, random_state=0))
    assert [cell["share"] for cell in rows[0]["cells"][:3]] == [0.75, 0.25, 0.0]
    assert rows[0]["n"] == 4
    assert rows[1]["n"] == 0
    assert rows[4]["cells"][4] == {"n": 2, "share": 1.0}


def test_a_pair_without_metrics_has_no_results():
    shown = pair({NETWORK: 0.5})
    assert shown.has_results
    assert not dataclasses.replace(shown, metrics=tables.empty(METRICS)).has_results
    assert not dataclasses.replace(shown, unavailable=Unavailable("a file", "none")).has_results
    assert not dataclasses.replace(shown, is_evaluated=False).has_results


def test_a_pair_is_read_on_the_folds_of_its_own_networks():
    """Its baselines on other folds are no baselines of these networks."""
    shown = pair({("network", "spatial_block"): 0.01, BLOCKS: 0.48, MAP_KNN: 0.1})
    assert shown.scheme == "spatial_block"
    assert comparison.columns([shown])[0].scheme == "spatial_block"
    assert comparison.best_map_cell(shown).value == 0.48


def test_uneven_folds_of_spatial_blocks_are_warned_of_and_not_read():
    uneven = dataclasses.replace(
        pair({NETWORK: 0.8, MAP_KNN: 0.6, BLOCKS: 0.3}), uneven_blocks=(2, 4, 17, 40, 70)
    )
    said = " ".join(comparison.sentences(uneven))
    assert "2, 4, 17, 40, 70 areas" in said
    assert "block_km" in said
    assert "close neighbours" not in said


def test_a_network_of_all_outcomes_is_set_beside_the_outcomes_own():
    shown = pair({NETWORK: 0.61, ("joint_network", "area"): 0.66})
    sentence = next(text for text in comparison.sentences(shown) if "all of the city" in text)
    assert "reaches 0.66, one trained on this outcome alone 0.61" in sentence
    alone = comparison.sentences(pair({NETWORK: 0.61}))
    assert not [text for text in alone if "all of the city" in text]
