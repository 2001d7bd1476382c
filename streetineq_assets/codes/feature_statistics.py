"""Statistics of codes, gathered block by block, and what they say about how to store them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FLOAT16_LIMIT = 32_752
FLOAT16_ERROR = 0.005  # root mean square, in standard deviations of the feature
# Sums of squares are taken in float32 over so many values, which keeps their rounding below 1e-5.
_ROWS = 2048


class RunningMoments:
    """Running mean and standard deviation of each feature, over locations and views.

    Means are exact to float64; squares are summed about each block's mean in float32, several times
    as fast, and merged in float64 (Chan, Golub and LeVeque 1983).

    Attributes:
        count: number of values of each feature that were taken in.
        mean: (width,) float64.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(width)
        self._squares = np.zeros(width)

    def add(self, block: NDArray) -> None:
        """Take in a block (m, views, width) or (m, width) of finite values, of any float type."""
        rows = block.reshape(-1, len(self.mean))
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS].astype(np.float32)
            mean = part.mean(axis=0, dtype=np.float64)
            part -= mean.astype(np.float32)
            squares = np.einsum("ij,ij->j", part, part).astype(np.float64)
            step, total = mean - self.mean, self.count + len(part)
            self._squares += squares + np.square(step) * (self.count * len(part) / total)
            self.mean += step * (len(part) / total)
            self.count = total

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of each feature, (width,); zero before anything was taken in."""
        return np.sqrt(self._squares / max(self.count, 1))


class FeatureStatistics:
    """Running statistics of features, and of what float16 would make of them.

    Attributes:
        moments: of the images whose codes are finite.
        largest: the largest magnitude of a value.
        n_not_finite: images with a code that is not a finite number; they count for nothing else.
    """

    def __init__(self, width: int) -> None:
        self.moments = RunningMoments(width)
        self.largest = 0.0
        self.n_not_finite = 0
        self._rounding = np.zeros(width)

    def add(self, block: NDArray[np.float32]) -> None:
        """Take in codes of views that are there, (m, width) or (m, V, width)."""
        rows = block.reshape(-1, block.shape[-1])
        finite = np.isfinite(rows).all(axis=1)
        self.n_not_finite += int((~finite).sum())
        rows = rows[finite]
        if not len(rows):
            return
        self.moments.add(rows)
        self.largest = max(self.largest, float(np.abs(rows).max(initial=0.0)))
        with np.errstate(over="ignore"):
            error = rows - rows.astype(np.float16).astype(np.float32)
        self._rounding += np.square(error).sum(axis=0, dtype=np.float64)

    @property
    def float16_error(self) -> float:
        """The largest root-mean-square rounding error, in the feature's standard deviations."""
        sd = self.moments.sd
        varying = sd > 0
        if not varying.any():
            return 0.0
        error = np.sqrt(self._rounding[varying] / self.moments.count)
        return float((error / sd[varying]).max())

    @property
    def n_dead_units(self) -> int:
        """Features with one value for all images."""
        return int((self.moments.sd == 0).sum()) if self.moments.count > 1 else 0

    @property
    def overall(self) -> tuple[float, float]:
        """Mean and standard deviation over all values of all features; NaN of no features."""
        mean = self.moments.mean
        if not len(mean):
            return float("nan"), float("nan")
        variance = float((self.moments.sd**2).mean() + mean.var())
        return float(mean.mean()), variance**0.5


class Storage(NamedTuple):
    """The type in which features are stored, and why it is not float16."""

    dtype: np.dtype
    reason: str | None = None


def storage_type(statistics: FeatureStatistics) -> Storage:
    """float16 where it is harmless, else float32 and the reason; nothing is ever clipped."""
    single = np.dtype(np.float32)
    if statistics.n_not_finite:
        return Storage(single, "codes that are not finite")
    if statistics.largest > FLOAT16_LIMIT:
        return Storage(single, f"a magnitude of {statistics.largest:.6g}")
    if statistics.float16_error > FLOAT16_ERROR:
        return Storage(single, f"a rounding error of {statistics.float16_error:.2g} sd")
    return Storage(np.dtype(np.float16))
