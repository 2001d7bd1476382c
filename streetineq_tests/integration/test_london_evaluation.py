"""London's real areas, deciles and boundaries, with simulated scores: evaluation at full size."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsRegressor

from streetineq_assets.geography import find_boundaries, read_boundaries
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.models import binomial
from streetineq_assets.models.folds import area_folds
from streetineq_assets.models.tables import BASELINES, PROBABILITIES
from streetineq_assets.predictions.aggregation import area_means, lsoa_table
from streetineq_assets.predictions.evaluation import evaluate_pair
from streetineq_assets.predictions.tables import LOCATION_PREDICTIONS
from streetineq_assets.reports.page.layers import LAYERS
from streetineq_assets.reports.page.pictures import draw_map, rasterise
from streetineq_assets.reports.page.shapes import city_shapes
from streetineq_assets.tables import conform

FILE_7 = "iod_2015/File_7_ID_2015_All_ranks_deciles_and_scores.csv.gz"
CODE, SCORE = "LSOA code (2011)", "Living Environment Score"


@pytest.fixture(scope="module")
def boundaries(shared_data):
    return read_boundaries(find_boundaries(shared_data / "boundaries"))


@pytest.fixture(scope="module")
def areas(shared_data, boundaries) -> pd.DataFrame:
    """`area, decile, fold, easting_m, northing_m` of all of London."""
    table = pd.read_csv(shared_data / FILE_7, usecols=[CODE, SCORE]).rename(columns={CODE: "area"})
    frame = boundaries[["area"]].merge(table, on="area")
    frame["decile"] = deciles(frame[SCORE], worst="high")
    centres = boundaries.set_index("area").geometry.centroid[frame["area"]]
    frame = frame.assign(easting_m=centres.x.to_numpy(), northing_m=centres.y.to_numpy())
    return frame.assign(fold=area_folds(frame[["area", "decile"]], k=5, seed=1))


@pytest.fixture(scope="module")
def locations(areas) -> pd.DataFrame:
    """Ten simulated locations in each area, 48,350 in all."""
    rng = np.random.default_rng(0)
    area = np.repeat(np.arange(len(areas)), 10)
    share = (areas["decile"].to_numpy(float) - 0.5) / 10
    h = (np.log(share / (1 - share))[area] + rng.normal(0, 2.0, len(area))).astype(np.float32)
    p = np.exp(binomial.log_probabilities(h))
    frame = pd.DataFrame(
        {
            "city": "london",
            "outcome": "living_environment",
            "location_id": [f"{i:06d}" for i in range(len(area))],
            "area": areas["area"].to_numpy()[area],
            "fold": areas["fold"].to_numpy()[area],
            "weight": rng.integers(0, 30, len(area)),
            "n_views": 4,
            "h": h,
            "decile": binomial.decile(h),
            "actual_decile": areas["decile"].to_numpy(int)[area],
            **dict(zip(PROBABILITIES, p.T, strict=True)),
        }
    )
    return conform(frame, LOCATION_PREDICTIONS)


@pytest.fixture(scope="module")
def coordinates(areas) -> pd.DataFrame:
    """A guess from the eight nearest areas of the other folds, by scikit-learn."""
    points = areas[["easting_m", "northing_m"]].to_numpy()
    score = np.empty(len(areas))
    for fold in range(5):
        test = (areas["fold"] == fold).to_numpy()
        model = KNeighborsRegressor(8).fit(points[~test], areas["decile"].to_numpy(float)[~test])
        score[test] = model.predict(points[test])
    named = areas[["area", "fold"]].assign(baseline="map_knn", scheme="area")
    return conform(named.assign(score=score), BASELINES)


def test_all_of_london_is_evaluated_beside_its_coordinates(areas, locations, coordinates):
    table = lsoa_table(locations, rule="mean_score")
    means = area_means(locations, list(PROBABILITIES))
    evaluation = evaluate_pair(
        table,
        means[list(PROBABILITIES)].to_numpy(),
        coordinates,
        areas[["area", "easting_m", "northing_m"]],
        rule="mean_score",
        scheme="area",
        seed=1,
    )
    assert len(table) == 4835
    # The map alone does as well as published networks: why it must stand beside every metric.
    assert evaluation.value("pearson_score", "map_knn") > 0.8
    assert evaluation.value("interval_coverage") > 0.89
    width = evaluation.metrics.query("model == 'network' and metric == 'kappa_quadratic'")
    assert 0 < (width["upper"] - width["lower"]).item() < 0.05


def test_londons_maps_are_small_and_show_every_area(areas, locations, boundaries):
    """All of them stand in one page of 10 MB, with the other cities'."""
    table = lsoa_table(locations, rule="mean_score")
    table = table.assign(lower=table["decile"], upper=table["decile"])
    nowhere = pd.DataFrame({"area": [], "lat": [], "lon": []})
    shapes = city_shapes(table["area"].tolist(), boundaries, nowhere)
    raster = rasterise(shapes)
    seen = np.unique(raster.index[raster.index >= 0])
    assert len(seen) > 0.98 * 4835, "a few areas of London are smaller than a pixel"
    positions = np.arange(len(table))
    pictures = [draw_map(raster, positions, table, layer) for layer in LAYERS]
    assert sum(map(len, pictures)) < 100_000
    assert len("".join(shapes.paths())) < 500_000
