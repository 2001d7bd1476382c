"""Guesses of an area's decile from where it lies: what a picture must beat.

`knn` is the mean decile of the eight nearest areas. `gaussian_process` is kriging: a Matern
covariance and noise, their three numbers by maximum likelihood (Rasmussen and Williams 2006,
chapters 2 and 5). `msoa_mean` is the mean decile of the other areas of the same MSOA, or `knn`
where there is none; an MSOA is four to six LSOAs that adjoin, drawn to be alike.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

MAP_MODELS = ("knn", "gaussian_process", "msoa_mean")
MAPS = tuple(f"map_{model}" for model in MAP_MODELS)
_NEIGHBOURS = 8
_LIKELIHOOD_AREAS = 1000  # the likelihood's time grows with their cube
_SEED = 0  # of the draw of these areas


def guess_from_map(
    train: pd.DataFrame, test: pd.DataFrame, *, model: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deciles of areas from the deciles of others and their places.

    Args:
        train: `easting_m, northing_m` (metres on one grid, NaN where unknown), `decile` (a number),
            and `msoa` (a code, missing where unknown; only `msoa_mean` reads it, and does without
            the column). Areas without coordinates are left out.
        test: the same without `decile`.
        model: one of `MAP_MODELS`.

    Returns:
        What the others of `train` say of each of its areas, (len(train),), NaN where there are no
        others with coordinates; and what all of them say of `test`, (len(test),), NaN for areas
        without coordinates, and for all if no area of `train` has any. Both are on the scale of
        deciles.

    Raises:
        ValueError: no such model.
    """
    if model not in MAP_MODELS:
        raise ValueError(f"no map model {model!r}: choose one of {', '.join(MAP_MODELS)}")
    known, wanted = _placed(train), _placed(test)
    own, others = np.full(len(train), np.nan), np.full(len(test), np.nan)
    if not known.any():
        return own, others
    own[known], others[wanted] = _GUESSES[model](train[known], test[wanted])
    return own, others


def _placed(areas: pd.DataFrame) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(_points(areas)).all(axis=1))


def _points(areas: pd.DataFrame) -> NDArray[np.float64]:
    return areas[["easting_m", "northing_m"]].to_numpy(np.float64)


# -- the models: placed training and test areas to guesses of both ---------------------------------

_Both = tuple[NDArray[np.float64], NDArray[np.float64]]


def _knn(train: pd.DataFrame, test: pd.DataFrame) -> _Both:
    from scipy.spatial import cKDTree

    decile, points = train["decile"].to_numpy(np.float64), _points(train)
    tree, n = cKDTree(points), len(train)
    own = np.full(n, np.nan)
    if n > 1:
        _, near = tree.query(points, k=min(_NEIGHBOURS + 1, n))
        # Another area at the same point may come before the area itself, or in place of it.
        itself = near == np.arange(n)[:, None]
        itself[~itself.any(axis=1), -1] = True
        own = decile[near[~itself].reshape(n, -1)].mean(axis=1)
    if test.empty:
        return own, np.empty(0)
    _, near = tree.query(_points(test), k=list(range(1, min(_NEIGHBOURS, n) + 1)))
    return own, decile[near].mean(axis=1)


def _msoa_mean(train: pd.DataFrame, test: pd.DataFrame) -> _Both:
    if "msoa" not in train or "msoa" not in test:
        return _knn(train, test)
    decile = train["decile"].to_numpy(np.float64)
    by_msoa = train.groupby("msoa")["decile"].agg(["sum", "count"])
    total, count = by_msoa.reindex(train["msoa"]).to_numpy(np.float64).T
    others = np.where(count > 1, count - 1, np.nan)
    own = (total - decile) / others
    total, count = by_msoa.reindex(test["msoa"]).to_numpy(np.float64).T
    nearest = _knn(train, test)
    return (
        np.where(np.isnan(own), nearest[0], own),
        np.where(np.isnan(total), nearest[1], total / count),
    )


def _gaussian_process(train: pd.DataFrame, test: pd.DataFrame) -> _Both:
    from scipy.linalg import solve_triangular

    decile, points = train["decile"].to_numpy(np.float64), _points(train) / 1000
    mean, sd = decile.mean(), decile.std()
    if len(train) == 1 or sd == 0:
        own = np.full(len(train), mean if len(train) > 1 else np.nan)
        return own, np.full(len(test), mean)
    y = (decile - mean) / sd
    process = _kriging(points, y)
    # Leave-one-out in closed form: Rasmussen and Williams 2006, equation 5.12.
    inverse = solve_triangular(process.L_, np.eye(len(y)), lower=True)
    own = y - process.alpha_ / np.square(inverse).sum(axis=0)
    others = process.predict(_points(test) / 1000) if len(test) else np.empty(0)
    return mean + sd * own, mean + sd * others


def _kriging(points: NDArray[np.float64], y: NDArray[np.float64]) -> "GaussianProcessRegressor":
    """The process given all areas, its covariance the likeliest of some of them.

    An exponential covariance (Matern's with nu = 1/2) is rougher than those with a larger nu;
    London's deciles are, and are guessed better by it.

    Args:
        points: (n, 2) km.
        y: (n,) of mean 0 and deviation 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(2.0, (0.05, 500.0), nu=0.5)
    kernel += WhiteKernel(0.3, (1e-3, 1e2))
    some = np.random.default_rng(_SEED).permutation(len(y))[:_LIKELIHOOD_AREAS]
    with warnings.catch_warnings():
        # Deciles without any pattern take a number to its bound, which is an answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianProcessRegressor(kernel).fit(points[some], y[some])
    return GaussianProcessRegressor(fitted.kernel_, optimizer=None).fit(points, y)


_GUESSES = {"knn": _knn, "gaussian_process": _gaussian_process, "msoa_mean": _msoa_mean}
