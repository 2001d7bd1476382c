"""Do the synthetic street scenes show what ridge on mean codes can learn and coordinates cannot?

    uv run python -m streetineq_tests.benchmarks.bench_signal [SEED ...]

Writes the large synthetic city for ten seeds, extracts codes with He-normal VGG16, and predicts
the decile of living environment of whole areas out of fold: by ridge on an area's mean code, and
from the eight nearest areas. Exits with 1 unless ridge reaches a correlation of 0.85 on average
and is ahead of the coordinates. It takes about two minutes per seed on two cores.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from streetineq_assets.codes.encoders.vgg16 import build_encoder
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.demo.city import Truth, write_study
from streetineq_assets.images.archives import is_archive, read_members
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.labels.deciles import deciles
from streetineq_assets.models.folds import area_folds

CITY, OUTCOME = "northmere", "living_environment"
WANTED = 0.85
PENALTY = 0.3  # of the mean eigenvalue of the codes' Gram matrix


def main(seeds: list[int]) -> int:
    rows = [correlations(seed) for seed in seeds]
    table = pd.DataFrame(rows, index=pd.Index(seeds, name="seed"))
    print(table.round(3).to_string())
    means = table.mean()
    print(f"mean over {len(seeds)} seeds: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
    return 0 if means["ridge"] >= WANTED and means["ridge"] > means["map_knn"] else 1


def correlations(seed: int) -> dict[str, float]:
    """Pearson correlations with the decile, out of fold, by ridge and by coordinates."""
    with tempfile.TemporaryDirectory() as folder:
        truth = write_study(Path(folder), seed=seed, sizes={CITY: 50})
        images, home = usable_images(Path(folder), truth)
    codes = build_encoder("random", seed).predict(images, batch_size=32, verbose=0)
    mean_codes = pd.DataFrame(codes).groupby(np.repeat(home, 4)).mean()
    area = truth.areas.set_index("area").loc[mean_codes.index]
    label = truth.outcomes.set_axis(truth.areas["area"]).loc[mean_codes.index, OUTCOME]
    decile = np.asarray(deciles(label.to_numpy(), worst="low"), dtype=float)
    areas = pd.DataFrame({"area": mean_codes.index, "decile": decile})
    folds = area_folds(areas, k=5, seed=seed)
    kilometres = area[["lon", "lat"]].to_numpy() * [65, 111]
    ridge = make_pipeline(StandardScaler(), Ridge(PENALTY * mean_codes.shape[1]))
    predicted = {
        "ridge": out_of_fold(ridge, mean_codes.to_numpy(), decile, folds),
        "map_knn": out_of_fold(KNeighborsRegressor(8), kilometres, decile, folds),
    }
    return {name: float(np.corrcoef(p, decile)[0, 1]) for name, p in predicted.items()}


def usable_images(root: Path, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """(4 n, 224, 224, 3) inputs of the n complete locations, and their areas (n)."""
    folder = root / "inputs" / "images" / CITY
    matched = truth.locations.query("fault not in ('unknown_postcode', 'outside_city')")
    listed = list_images(folder, matched["location_id"], city=CITY, buckets=1).images
    inputs, home = [], []
    area = dict(zip(matched["location_id"], matched["area"], strict=True))
    for location_id, views in listed.groupby("location_id"):
        if (views["status"] != "present").any():
            continue
        try:
            inputs.append([preprocess(data) for data in stored(folder, views)])
        except ImageRejectedError:
            continue
        home.append(area[location_id])
    return np.concatenate(inputs), np.array(home)


def stored(folder: Path, views: pd.DataFrame) -> list[bytes]:
    """The bytes of a location's views, in their order."""
    path = folder / views["path"].iloc[0]
    if not is_archive(path.name):
        return [(folder / name).read_bytes() for name in views["path"]]
    members = dict(read_members(path, set(views["member"])))
    return [members[name] for name in views["member"]]


def out_of_fold(
    model: RegressorMixin, x: np.ndarray, y: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Predictions of each fold by the model fitted on the others."""
    predicted = np.empty(len(y))
    for fold in np.unique(folds):
        test = folds == fold
        predicted[test] = model.fit(x[~test], y[~test]).predict(x[test])
    return predicted


if __name__ == "__main__":
    sys.exit(main([int(seed) for seed in sys.argv[1:]] or list(range(1, 11))))
