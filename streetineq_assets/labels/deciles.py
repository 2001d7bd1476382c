"""Deciles within a city: 1 = worst-off, 10 = best-off.

The rule: nine inner edges are the linear-interpolation quantiles at .1 to .9 of the values that are
not missing. A value falls into the lowest bin whose upper edge it does not exceed, as in
`pandas.qcut`. Equal values always share a decile, so heavy ties leave deciles empty and never
raise.
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

N_DECILES = 10
WorstEnd = Literal["high", "low"]


def deciles(values: ArrayLike, *, worst: WorstEnd) -> pd.arrays.IntegerArray:
    """The decile of every value among all values that are not missing.

    Args:
        values: (n,) numbers in any unit; NaN or NA where missing.
        worst: which end of the values is worst-off: "high" for a share of ill people, "low" for
            income or for a rank where 1 is most deprived.

    Returns:
        (n,) pandas Int8 array of 1 (worst-off) to 10, NA where the value is missing.

    Raises:
        ValueError: `worst` is neither end, a value is infinite, or `values` is not one-dimensional.
    """
    if worst not in ("high", "low"):
        raise ValueError(f'worst must be "high" or "low", not {worst!r}')
    numbers = _floats(values)
    missing = np.isnan(numbers)
    bins = np.ones(numbers.shape, dtype=np.int8)
    if not missing.all():
        inner = edges(numbers)[1:-1]
        bins += np.searchsorted(inner, numbers, side="left").clip(max=9).astype(np.int8)
    ranked = bins if worst == "low" else np.int8(N_DECILES + 1) - bins
    return pd.arrays.IntegerArray(ranked, mask=missing)


def edges(values: ArrayLike) -> NDArray[np.float64]:
    """The (11,) edges between the ten bins, ascending, from the least value to the greatest.

    Edge k lies at position (n - 1) k / 10 of the sorted values. The position is split in integers:
    in floating point 0.7 x (n - 1) misses a whole number at some n, and an area would move.

    Raises:
        ValueError: every value is missing, a value is infinite, or `values` is not one-dimensional.
    """
    numbers = _floats(values)
    ordered = np.sort(numbers[~np.isnan(numbers)])
    if ordered.size == 0:
        raise ValueError("no value to take quantiles of")
    position, tenths = np.divmod((ordered.size - 1) * np.arange(N_DECILES + 1), N_DECILES)
    below, above = ordered[position], ordered[np.minimum(position + 1, ordered.size - 1)]
    part = tenths / N_DECILES
    # The clip keeps an edge between equal neighbours equal to them, whatever the rounding.
    return np.clip(below * (1 - part) + above * part, below, above)


def decile_table(values: ArrayLike, *, worst: WorstEnd) -> pd.DataFrame:
    """One row per decile: its value interval, its size, its ties.

    Returns:
        Columns `decile` (Int8, 1..10), `lower` and `upper` (float, in the unit of the values; the
        interval is open below and closed above, except that the lowest includes the least value),
        `n_lsoas` (areas in the decile) and `n_ties` (areas in it that share their value with
        another area, and so cannot be told apart).

    Raises:
        ValueError: as `edges`.
    """
    numbers = _floats(values)
    bounds = edges(numbers)
    order = np.arange(N_DECILES) if worst == "low" else np.arange(N_DECILES)[::-1]
    group = deciles(numbers, worst=worst).to_numpy(np.int64, na_value=0)
    tied = pd.Series(numbers).duplicated(keep=False).to_numpy()
    return pd.DataFrame(
        {
            "decile": pd.array(range(1, N_DECILES + 1), dtype="Int8"),
            "lower": bounds[:-1][order],
            "upper": bounds[1:][order],
            "n_lsoas": _sizes(group),
            "n_ties": _sizes(group[tied]),
        }
    )


def _sizes(group: np.ndarray) -> np.ndarray:
    """How many belong to each of the deciles 1 to 10; 0 stands for none and is left out."""
    return np.bincount(group, minlength=N_DECILES + 1)[1:]


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    if np.ndim(values) != 1:
        raise ValueError(f"values must have one dimension, not {np.ndim(values)}")
    numbers = pd.Series(values, dtype="Float64").to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(numbers).any():
        raise ValueError("values must be finite, or NaN where missing")
    return numbers
