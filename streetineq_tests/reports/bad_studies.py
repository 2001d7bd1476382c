"""Studies of which little is known, or something odd: each must have a report that says so.

Every function writes one, a variant of the made-up study, into a folder that is not there yet. What
the report reads is published; where areas, scores or labels are at fault, they are ranked and
evaluated by the platform's own functions. `test_bad_studies` says what must be told of each.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.findings import Findings
from streetineq_assets.predictions import tables
from streetineq_assets.predictions.aggregation import mean_probabilities
from streetineq_assets.predictions.evaluation import EVALUATION_FILES, evaluate_pair
from streetineq_assets.predictions.ranked_areas import rank_areas
from streetineq_assets.settings import Areas
from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.predictions import simulated
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.conftest import squares

ALPHA, BETA = "alpha/crime", "beta/crime"
ODD_TITLE = """<script>alert(1)</script> "quoted" & 'so' $x_{$ {{ 7 * 7 }}"""
ODD_NAME = """<img src=x onerror=alert(1)> "Alpha" & 'so' {:03d}A"""
_OF_NETWORKS = ("location_predictions", "lsoa_predictions", "lsoa_evaluation")


def one_area(root: Path) -> DataStore:
    """A city of one area beside one of twelve."""
    store = made_up_study.write(root, {"alpha": 1, "beta": 12})
    return _evaluated(store, simulated.locations(1, 3))


def no_boundaries(root: Path) -> DataStore:
    """No boundary file."""
    return made_up_study.write(root)


def boundaries_in_degrees(root: Path) -> DataStore:
    """Boundaries of all areas, in longitude and latitude."""
    return _bounded(made_up_study.write(root))


def boundaries_in_web_mercator(root: Path) -> DataStore:
    """Boundaries of all areas in EPSG:3857, which the file names."""
    from pyproj import Transformer

    store = made_up_study.write(root)
    project = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform
    rings = {
        code: [project(lon, lat) for lon, lat in ring] for code, ring in _all_squares(store).items()
    }
    studies.write_boundaries(store, rings, epsg=3857)
    return store


def boundaries_of_2021(root: Path) -> DataStore:
    """Ten areas have codes of 2021 in the boundary file, which the study does not know."""
    store = made_up_study.write(root)
    rings = _all_squares(store)
    changed = list(rings)[:10]
    renamed = {f"E0103{n:04d}": rings.pop(code) for n, code in enumerate(changed)}
    studies.write_boundaries(store, rings | renamed)
    return store


def nothing_predicted(root: Path) -> DataStore:
    """Networks and baselines of Alpha are there, and nothing after them."""
    store = made_up_study.write(root)
    for asset in _OF_NETWORKS:
        shutil.rmtree(store.folder(asset, ALPHA))
    return store


def baselines_alone(root: Path) -> DataStore:
    """The evaluation of Alpha has metrics of baselines, and none of networks."""
    store = made_up_study.write(root)
    artefact = store.open("lsoa_evaluation", ALPHA)
    content = {name: (artefact.table(f"{name}.parquet"), f) for name, f in EVALUATION_FILES.items()}
    metrics, fields = content["metrics"]
    content["metrics"] = (metrics[metrics["model"] != "network"], fields)
    content["comparisons"] = (content["comparisons"][0].head(0), tables.COMPARISONS)
    made_up_study.publish(store, "lsoa_evaluation", ALPHA, content)
    return store


def some_deciles_missing(root: Path) -> DataStore:
    """A third of Alpha's areas have no official decile."""
    locations = simulated.locations(60, 3)
    unknown = locations["area"].isin(sorted(set(locations["area"]))[::3])
    return _with_deciles(root, locations["actual_decile"].mask(unknown))


def all_deciles_missing(root: Path) -> DataStore:
    """No area of Alpha has an official decile."""
    locations = simulated.locations(60, 3)
    return _with_deciles(root, locations["actual_decile"].mask(locations["h"].notna()))


def chain_disagrees(root: Path) -> DataStore:
    """Beta's networks were trained again, and nothing was made of them."""
    store = made_up_study.write(root)
    made_up_study.make_again(store, "trained_model", BETA)
    return store


def odd_titles(root: Path) -> DataStore:
    """The study and a city are called by markup, quotes, and a formula of Matplotlib's."""
    store = made_up_study.write(root)
    text = store.study_file.read_text(encoding="utf-8")
    odd = "'''" + ODD_TITLE + "'''"
    for title in ('"Two towns"', '"Alpha"'):
        text = text.replace(title, odd)
    store.study_file.write_text(text, encoding="utf-8")
    return store


def odd_names(root: Path) -> DataStore:
    """Areas are called by markup and quotes in the boundary file."""
    store = made_up_study.write(root)
    rings = _all_squares(store)
    names = {code: ODD_NAME.format(number) for number, code in enumerate(rings)}
    studies.write_boundaries(store, rings, names)
    return store


def nothing_made(root: Path) -> DataStore:
    """The study's file, and nothing else."""
    return studies.new_study(root, studies.SIMULATED)


def equal_scores(root: Path) -> DataStore:
    """Alpha's networks give every location the same score."""
    store = made_up_study.write(root)
    return _evaluated(store, simulated.locations(60, 3).assign(h=np.float32(0.3)))


def no_postcodes(root: Path) -> DataStore:
    """Boundaries with names, and no postcode directory."""
    store = made_up_study.write(root)
    rings = _all_squares(store)
    studies.write_boundaries(store, rings, {code: f"Town {code[-4:]}A" for code in rings})
    assert store.manifest("postcode_lsoa") is None
    return store


def one_city_without_results(root: Path) -> DataStore:
    """All of Alpha is made, and nothing of Beta."""
    store = made_up_study.write(root)
    for folder in store.assets.glob("*/beta"):
        shutil.rmtree(folder)
    return store


BAD_STUDIES: tuple[Callable[[Path], DataStore], ...] = (
    one_area,
    no_boundaries,
    boundaries_in_degrees,
    boundaries_in_web_mercator,
    boundaries_of_2021,
    nothing_predicted,
    baselines_alone,
    some_deciles_missing,
    all_deciles_missing,
    chain_disagrees,
    odd_titles,
    odd_names,
    nothing_made,
    equal_scores,
    no_postcodes,
    one_city_without_results,
)


# -- parts -----------------------------------------------------------------------------------------


def _all_squares(store: DataStore) -> dict[str, list[tuple[float, float]]]:
    return squares(store, "alpha") | squares(store, "beta")


def _bounded(store: DataStore) -> DataStore:
    studies.write_boundaries(store, _all_squares(store))
    return store


def _with_deciles(root: Path, actual: pd.Series) -> DataStore:
    """The study with these official deciles of Alpha's locations, in labels and predictions."""
    store = made_up_study.write(root)
    locations = simulated.locations(60, 3).assign(actual_decile=actual)
    by_area = locations.groupby("area")["actual_decile"].first()
    labels = store.open("lsoa_labels").table()
    mine = labels["city"] == "alpha"
    labels.loc[mine, "decile"] = labels.loc[mine, "area"].map(by_area)
    labels.loc[mine & labels["decile"].isna(), "value"] = np.nan
    content = {"lsoa_labels": (labels, made_up_study.LSOA_LABELS)}
    made_up_study.publish(store, "lsoa_labels", None, content)
    return _evaluated(store, locations)


def _evaluated(store: DataStore, locations: pd.DataFrame) -> DataStore:
    """Alpha's areas as the platform ranks and evaluates them by these scores.

    Args:
        locations: `predictions.tables.LOCATION_PREDICTIONS`.
    """
    locations = locations.assign(city="alpha")
    settings = {"rule": "mean_score", "scheme": "area"}
    ranked = rank_areas(locations, settings=Areas(), level=0.9, **settings)
    areas = ranked.areas
    known = areas.assign(actual_decile=areas["actual_decile"].fillna(areas["decile"]))
    evaluation = evaluate_pair(
        areas,
        mean_probabilities(locations, areas["area"]),
        simulated.baselines(known),
        simulated.centroids(areas),
        **settings,
        seed=1,
        draws=100,
    )
    record = tables.LocationPredictionsRecord(n_predicted=len(locations), scheme="area")
    content = {
        "location_predictions": {"location_predictions": (locations, tables.LOCATION_PREDICTIONS)},
        "lsoa_predictions": {"lsoa_predictions": (areas, tables.LSOA_PREDICTIONS)},
        "lsoa_evaluation": {n: (getattr(evaluation, n), f) for n, f in EVALUATION_FILES.items()},
    }
    for asset, of_asset in content.items():
        findings = Findings(record=record) if asset == "location_predictions" else None
        made_up_study.publish(store, asset, ALPHA, of_asset, findings)
    return store
