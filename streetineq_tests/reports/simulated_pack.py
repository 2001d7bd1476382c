"""A pack of one large city, and a table of somebody's own about it whose slope is known.

Crime is known of some areas, by chance, and predicted of all with errors; the rate of asthma goes
with the actual decile, also where the pack does not know it.
"""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.stats import rankdata
from shapely import box

from streetineq_assets import tables
from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.models.tables import HISTORY
from streetineq_assets.predictions.tables import (
    COMPARISONS,
    CONFUSION,
    COVERAGE,
    EXEMPLARS,
    EXPLANATIONS,
    LSOA_PREDICTIONS,
    METRICS,
)
from streetineq_assets.reports.pack.geofiles import write_maps
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.pack.tables import write_tables
from streetineq_assets.reports.results import PairResults, StudyResults
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies

N, LABELLED, SLOPE = 2000, 300, -0.4
_SIDE = 50  # areas side by side, of 500 m
_WITHOUT_ROWS = {
    "comparisons": COMPARISONS,
    "confusion": CONFUSION,
    "coverage": COVERAGE,
    "equity": EQUITY,
    "explanations": EXPLANATIONS,
    "exemplars": EXEMPLARS,
    "history": HISTORY,
}


def write(folder: Path) -> None:
    """`pack/`, with tables and maps, and `asthma.csv` beside it."""
    pack = folder / "pack"
    pack.mkdir()
    rng = np.random.default_rng(11)
    truth = rng.normal(size=N)
    actual = _deciles(truth)
    areas = pd.concat(
        [
            _predicted(actual, _score(truth, rng), "crime", rng),
            _predicted(actual, _score(truth, rng), "mean_income", rng),
        ]
    )
    results = _results(tables.conform(areas, LSOA_PREDICTIONS), tables.conform(_metrics(), METRICS))
    write_tables(results, pack)
    write_maps(_material(results, folder), pack)
    _asthma(actual, rng).to_csv(folder / "asthma.csv", index=False)


def _codes() -> list[str]:
    return [f"E01{number:06d}" for number in range(N)]


def _deciles(values: np.ndarray) -> np.ndarray:
    return np.ceil(rankdata(values) * 10 / N).astype(int)


def _score(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of a network whose scores correlate with the truth at 0.7."""
    return 0.7 * truth + np.sqrt(1 - 0.7**2) * rng.normal(size=N)


def _predicted(
    actual: np.ndarray, score: np.ndarray, outcome: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of `LSOA_PREDICTIONS`; an area in ten has no interval, one in seven too few images."""
    decile = _deciles(score)
    is_labelled = np.isin(np.arange(N), rng.choice(N, LABELLED, replace=False))
    n_locations = rng.integers(1, 15, N)
    has_interval = rng.random(N) < 0.9
    half = rng.integers(2, 6, N)
    lower, upper = np.clip(decile - half, 1, 10), np.clip(decile + half, 1, 10)
    wide = pd.Series(upper - lower >= 7, dtype="boolean").mask(~has_interval)
    by_rule = ("mean_score", "shrunk_score", "mean_decile", "fixed_borders")
    return pd.DataFrame(
        {
            "city": "london",
            "outcome": outcome,
            "area": _codes(),
            "actual_decile": pd.Series(actual).where(is_labelled),
            "score": score,
            "score_shrunk": score,
            "decile": decile,
            **{f"decile_{rule}": decile for rule in by_rule},
            "n_locations": n_locations,
            "n_images": 4 * n_locations,
            "fold": np.arange(N) % 5,
            "lower": pd.Series(lower).where(has_interval),
            "upper": pd.Series(upper).where(has_interval),
            "rank_change": 0,
            "is_published": n_locations >= 3,
            "too_uncertain_to_rank": wide.mask(n_locations < 3, other=True),
            "expected_decile": np.nan,
            **{f"p_{each}": np.nan for each in range(1, 11)},
        }
    )


def _metrics() -> pd.DataFrame:
    frame = pd.DataFrame({"model": ["network", "map_knn"], "value": [0.7, 0.5]})
    keys = {"city": "london", "outcome": "crime", "scheme": "area", "metric": "kappa_quadratic"}
    seeds = {"seed_mean": np.nan, "seed_sd": np.nan, "n_seeds": 1, "n_deals": 1}
    ends = {"lower": frame["value"] - 0.1, "upper": frame["value"] + 0.1}
    return frame.assign(**keys, **ends, unit="spatial_block", n_lsoas=LABELLED, **seeds)


def _results(areas: pd.DataFrame, metrics: pd.DataFrame) -> StudyResults:
    """As the report reads them: both outcomes of the city, and nothing else."""
    nothing = {name: tables.empty(schema) for name, schema in _WITHOUT_ROWS.items()}
    pairs = [
        PairResults(
            pair=Pair("london", outcome),
            city_title="London",
            outcome_title=outcome,
            is_evaluated=True,
            unavailable=None,
            areas=rows.reset_index(drop=True),
            metrics=metrics.assign(outcome=outcome),
            **nothing,
            training=None,
            made_with={},
        )
        for outcome, rows in areas.groupby("outcome")
    ]
    return StudyResults(
        cities=[], pairs=pairs, centroids=pd.DataFrame({"area": [], "lat": [], "lon": []}),
        postcodes=pd.DataFrame(), versions={}, transfer=pd.DataFrame(),
        transfer_comparisons=pd.DataFrame(), history=None, outdated=[],
    )  # fmt: skip


def _material(results: StudyResults, folder: Path) -> Material:
    """With squares on the British National Grid as boundaries."""
    number = np.arange(N)
    east, north = 510_000 + 500 * (number % _SIDE), 170_000 + 500 * (number // _SIDE)
    squares = box(east, north, east + 500, north + 500)
    boundaries = gpd.GeoDataFrame({"area": _codes()}, geometry=squares, crs="EPSG:27700")
    study = load_study(studies.new_study(folder / "study", studies.SIMULATED).study_file)
    return Material(study, results, None, boundaries, folder / "report.html")


def _asthma(actual: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """A rate that changes by `SLOPE` a decile, with noise, of all areas but five."""
    msoa = [f"E02{number // 5:06d}" for number in range(N)]
    rate = 12 + SLOPE * actual + rng.normal(size=N)
    return pd.DataFrame({"area": _codes(), "msoa": msoa, "rate": rate}).iloc[5:]
