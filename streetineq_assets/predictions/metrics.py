"""How well predicted deciles agree with the actual ones.

Every metric of a pair of deciles is a function of the 10 x 10 table that counts them. So they are
written once, in closed form, for a stack of tables: one table gives the metric, and a thousand
resampled tables give its interval in the same call. scikit-learn and SciPy, which take one pair of
arrays at a time, are the oracles of the tests. Labels are fixed at 1..10: a decile that does not
occur counts as a decile all the same. What is undefined is NaN, without a warning: a correlation
with a constant, the kappa of areas of one actual decile, the recall of a decile without areas,
anything of no areas.
"""

import numpy as np
from numpy.typing import ArrayLike

from streetineq_assets.labels.deciles import N_DECILES

LOWER_IS_BETTER = frozenset({"mae", "rps"})
_LABELS = np.arange(N_DECILES)
_DISTANCE = np.abs(_LABELS[:, None] - _LABELS[None, :]).astype(np.float64)


def scores(
    actual: ArrayLike, predicted: ArrayLike, probabilities: ArrayLike | None = None
) -> dict[str, float]:
    """All metrics of predicted deciles against actual ones.

    Args:
        actual: (n,) whole numbers 1..10.
        predicted: (n,) whole numbers 1..10.
        probabilities: (n, 10) of the deciles, rows sum to 1.

    Returns:
        `pearson, spearman` (average ranks), `kendall` (tau-b), `mae` (deciles), `kappa,
        kappa_linear, kappa_quadratic` (Cohen's), `accuracy, within_1, within_2` (shares),
        `recall_decile_1, recall_decile_10` (shares), and `rps` when probabilities are given.

    Raises:
        ValueError: lengths that differ, a missing value, or a decile outside 1..10.
    """
    actual, predicted = as_deciles(actual, "actual"), as_deciles(predicted, "predicted")
    if len(actual) != len(predicted):
        raise ValueError(f"{len(actual)} actual but {len(predicted)} predicted deciles")
    found = {
        name: float(value[0]) for name, value in of_tables(table(actual, predicted)[None]).items()
    }
    if probabilities is not None:
        each = ranked_probability_scores(actual, probabilities)
        found["rps"] = float(each.mean()) if len(each) else float("nan")
    return found


def table(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """How many areas of each actual (row) and predicted (column) decile: (10, 10) of int64."""
    return np.bincount(cells(actual, predicted), minlength=N_DECILES**2).reshape(
        N_DECILES, N_DECILES
    )


def cells(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The cell of the flattened table in which each area counts: (n,) of 0..99."""
    return (actual - 1) * N_DECILES + predicted - 1


def as_deciles(values: ArrayLike, name: str) -> np.ndarray:
    """Whole numbers 1..10 as int64.

    Raises:
        ValueError: a missing value, a fraction, or a number outside 1..10.
    """
    try:
        given = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is not a decile: {error}") from error
    if not np.isin(given, np.arange(1, N_DECILES + 1)).all():
        wrong = given[~np.isin(given, np.arange(1, N_DECILES + 1))][0]
        raise ValueError(f"{name} must be whole deciles 1 to 10 without gaps, not {wrong}")
    return given.astype(np.int64)


def of_tables(tables: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of each table of a stack: (b, 10, 10) -> name to (b,) of float64."""
    counts = np.asarray(tables, dtype=np.float64)
    n = counts.sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    labels = np.broadcast_to(_LABELS, rows.shape)
    ranks = _average_ranks(rows), _average_ranks(columns)
    return {
        "pearson": _correlation(counts, labels, labels),
        "spearman": _correlation(counts, *ranks),
        "kendall": _tau_b(counts),
        "mae": ratio((counts * _DISTANCE).sum(axis=(1, 2)), n),
        "kappa": _kappa(counts, np.minimum(_DISTANCE, 1)),
        "kappa_linear": _kappa(counts, _DISTANCE),
        "kappa_quadratic": _kappa(counts, _DISTANCE**2),
        "accuracy": _share_within(counts, 0),
        "within_1": _share_within(counts, 1),
        "within_2": _share_within(counts, 2),
        "recall_decile_1": ratio(counts[:, 0, 0], rows[:, 0]),
        "recall_decile_10": ratio(counts[:, -1, -1], rows[:, -1]),
    }


def ranked_probability_scores(actual: np.ndarray, probabilities: ArrayLike) -> np.ndarray:
    """Per area, the mean over nine borders of (P(decile <= k) - [actual <= k])^2: (n,), 0 is best.

    Of a forecast without doubt it is the absolute error in deciles divided by nine.

    Raises:
        ValueError: not (n, 10), a negative or missing probability, or a row that does not sum to 1.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    if given.shape != (len(actual), N_DECILES):
        raise ValueError(f"probabilities are {given.shape}, expected {(len(actual), N_DECILES)}")
    if not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1, atol=1e-3):
        raise ValueError("probabilities must be at least 0 and sum to 1 in every row")
    borders = np.arange(1, N_DECILES)
    reached = (np.asarray(actual)[:, None] <= borders).astype(np.float64)
    return ((np.cumsum(given, axis=1)[:, :-1] - reached) ** 2).mean(axis=1)


def told(value: float) -> str:
    """A metric in words, with three decimals; `none` where it is undefined."""
    return "none" if np.isnan(value) else f"{value:z.3f}"


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _share_within(counts: np.ndarray, distance: int) -> np.ndarray:
    return ratio((counts * (distance >= _DISTANCE)).sum(axis=(1, 2)), counts.sum(axis=(1, 2)))


def _correlation(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r where a row's areas have the value x and a column's the value y, (b, 10) each.

    Whether a margin varies is asked of the counts: rounding may leave a constant some variance.
    """
    n = counts.sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    x = x - ratio((rows * x).sum(axis=1), n)[:, None]
    y = y - ratio((columns * y).sum(axis=1), n)[:, None]
    product = np.einsum("bij,bi,bj->b", counts, x, y)
    spread = np.sqrt((rows * x**2).sum(axis=1) * (columns * y**2).sum(axis=1))
    varied = (np.count_nonzero(rows, axis=1) > 1) & (np.count_nonzero(columns, axis=1) > 1)
    return ratio(product, np.where(varied, spread, 0.0))


def _average_ranks(margin: np.ndarray) -> np.ndarray:
    """Average rank of the areas of each decile, from how many there are: (b, 10)."""
    return np.cumsum(margin, axis=1) - (margin - 1) / 2


def _tau_b(counts: np.ndarray) -> np.ndarray:
    """Kendall's tau-b: (concordant - discordant) / sqrt((n0 - n1)(n0 - n2))."""
    above = _sum_below(counts)  # areas with both deciles higher
    across = _sum_below(counts[:, :, ::-1])[:, :, ::-1]  # actual higher, predicted lower
    difference = (counts * (above - across)).sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    untied = [_pairs(counts.sum(axis=(1, 2))) - _pairs(m).sum(axis=1) for m in (rows, columns)]
    return ratio(difference, np.sqrt(untied[0] * untied[1]))


def _sum_below(counts: np.ndarray) -> np.ndarray:
    """For each cell, the sum of the cells strictly below and to the right of it."""
    total = counts[:, ::-1, ::-1].cumsum(axis=1).cumsum(axis=2)[:, ::-1, ::-1]
    shifted = np.zeros_like(counts)
    shifted[:, :-1, :-1] = total[:, 1:, 1:]
    return shifted


def _pairs(n: np.ndarray) -> np.ndarray:
    return n * (n - 1) / 2


def _kappa(counts: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Cohen's kappa: 1 - sum(w O) / sum(w E), with E the product of the margins.

    NaN where all areas are of one actual decile: it would be 0 whatever is predicted.
    """
    n, rows = counts.sum(axis=(1, 2)), counts.sum(axis=2)
    expected = rows[:, :, None] * counts.sum(axis=1)[:, None, :]
    observed = (counts * weight).sum(axis=(1, 2)) * n
    varied = np.count_nonzero(rows, axis=1) > 1
    return 1 - ratio(observed, np.where(varied, (expected * weight).sum(axis=(1, 2)), 0.0))
