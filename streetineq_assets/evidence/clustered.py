"""Whether a group's errors differ from those of the rest, where neighbouring areas err alike.

The difference is the coefficient of membership in a least-squares regression of the errors, so that
areas are compared with others of the same controls. Areas of one cluster are not independent, and a
group may lie in few of them: its variance is the bias-reduced cluster-robust one, and its degrees
of freedom are Bell's and McCaffrey's (Survey Methodology 28:169, 2002; Imbens and Kolesár, Rev.
Econ. Stat. 98:701, 2016). Plain cluster-robust intervals of a group in few clusters hold far less
often than they say.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_CLUSTERS = 4  # that a group, and the rest, must lie in
_ROUNDING = 1e-9


class Contrast(NamedTuple):
    """A group's mean error minus that of the rest; NaN where it cannot be told.

    Attributes:
        value, lower, upper: the difference and its interval, in the unit of the errors.
        p: two-sided, by Student's t.
    """

    value: float
    lower: float
    upper: float
    p: float


UNKNOWN = Contrast(np.nan, np.nan, np.nan, np.nan)


def contrast(
    errors: Floats,
    member: NDArray[np.bool_],
    controls: Floats,
    clusters: NDArray[np.int64],
    *,
    level: float = 0.95,
) -> Contrast:
    """The difference between a group and the rest among areas of the same controls.

    Args:
        errors: (n,) float.
        member: (n,) whether an area is of the group.
        controls: (n, k) float, with a constant among their combinations.
        clusters: (n,) number of the cluster of each area.

    Returns:
        `UNKNOWN` where group or rest lie in fewer than `MIN_CLUSTERS` clusters, where no area of
        the rest has the controls of one of the group, or where errors do not vary.
    """
    from scipy.stats import t

    if min(_n_distinct(clusters[member]), _n_distinct(clusters[~member])) < MIN_CLUSTERS:
        return UNKNOWN
    basis = _orthonormal(controls)
    beyond = _residual(member.astype(np.float64), basis)
    length = float(np.linalg.norm(beyond))
    if length < _ROUNDING * len(member):
        return UNKNOWN
    basis = np.column_stack([basis, beyond / length])
    residuals = _residual(errors, basis)
    value = float(beyond @ errors) / length**2
    loadings = _adjusted(beyond / length**2, basis, clusters)
    variance = float(np.sum(_sums(loadings * residuals, clusters) ** 2))
    if variance < _ROUNDING**2:
        return UNKNOWN
    standard_error, freedom = variance**0.5, _freedom(loadings, basis, clusters)
    half = float(t.ppf((1 + level) / 2, freedom)) * standard_error
    p = 2 * float(t.sf(abs(value) / standard_error, freedom))
    return Contrast(value, value - half, value + half, p)


def holm(p: Floats) -> Floats:
    """(m,) p-values adjusted for m tests by Holm's step-down rule; NaN is no test.

    The chance of any false alarm stays at the level, however the tests depend on each other (Holm,
    Scand. J. Statist. 6:65, 1979).
    """
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _n_distinct(values: NDArray[np.int64]) -> int:
    return len(np.unique(values))


def _orthonormal(columns: Floats) -> Floats:
    """(n, r) an orthonormal basis of the columns' space, whatever depends on others in it."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, sizes > sizes[0] * _ROUNDING]


def _residual(values: Floats, basis: Floats) -> Floats:
    return values - basis @ (basis.T @ values)


def _sums(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    return np.bincount(clusters, weights=values).astype(np.float64)


def _adjusted(loadings: Floats, basis: Floats, clusters: NDArray[np.int64]) -> Floats:
    """(n,) each cluster's loadings times (I - H)^(-1/2), H the cluster's block of the hat matrix.

    Clusters of one size go together, since there may be thousands.
    """
    adjusted = np.empty_like(loadings)
    order = np.argsort(clusters, kind="stable")
    _, starts, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    for size in np.unique(sizes):
        rows = order[starts[sizes == size][:, None] + np.arange(size)]  # (clusters, size)
        block = basis[rows]
        values, vectors = np.linalg.eigh(np.eye(size) - block @ block.transpose(0, 2, 1))
        root = np.where(values > _ROUNDING, np.maximum(values, _ROUNDING) ** -0.5, 0.0)
        turned = np.einsum("cij,ci->cj", vectors, loadings[rows])
        adjusted[rows] = np.einsum("cij,cj->ci", vectors, root * turned)
    return adjusted


def _freedom(loadings: Floats, basis: Floats, clusters: NDArray[np.int64]) -> float:
    """Degrees of freedom that match the variance's first two moments under equal variances."""
    _, codes = np.unique(clusters, return_inverse=True)
    length = _sums(loadings**2, codes)
    shared = np.column_stack([_sums(loadings * column, codes) for column in basis.T])
    gram = shared.T @ shared
    trace = length.sum() - np.trace(gram)
    squares = length @ length - 2 * length @ (shared**2).sum(axis=1) + np.sum(gram**2)
    return float(trace**2 / squares)
