"""Statistics of codes, and what they say about how to store them.

What belongs here: means, spreads and rounding errors of features, gathered block by block, and the
choice between float16 and float32. What does not: reading and writing codes (`packing`).
"""

import numpy as np

FLOAT16_LIMIT = 32_752
FLOAT16_ERROR = 0.005  # root mean square, in standard deviations of the feature


class FeatureStatistics:
    """Running mean, spread and float16 rounding error of each feature, over locations and views.

    Means and sums of squares are merged block by block in float64 (Chan et al. 1983).
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean = np.zeros(width)
        self._squares = np.zeros(width)
        self._rounding = np.zeros(width)
        self.largest = 0.0
        self.not_finite = 0

    def add(self, block: np.ndarray) -> None:
        """Take in a block (m, 4, width)."""
        rows = block.reshape(-1, block.shape[-1])
        finite = np.isfinite(rows).all(axis=1)
        self.not_finite += int((~finite).sum())
        rows = rows[finite]
        if not len(rows):
            return
        mean = rows.mean(axis=0, dtype=np.float64)
        squares = np.square(rows - mean.astype(np.float32)).sum(axis=0, dtype=np.float64)
        total = self.count + len(rows)
        step = mean - self.mean
        self._squares += squares + step**2 * self.count * len(rows) / total
        self.mean += step * len(rows) / total
        self.count = total
        self.largest = max(self.largest, float(np.abs(rows).max()))
        with np.errstate(over="ignore"):
            error = rows - rows.astype(np.float16).astype(np.float32)
        self._rounding += np.square(error).sum(axis=0, dtype=np.float64)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of each feature (width,)."""
        return np.sqrt(self._squares / max(self.count, 1))

    @property
    def float16_error(self) -> float:
        """The largest root-mean-square rounding error, in the feature's standard deviations."""
        varying = self.sd > 0
        if not varying.any():
            return 0.0
        error = np.sqrt(self._rounding[varying] / self.count)
        return float((error / self.sd[varying]).max())

    @property
    def dead_units(self) -> int:
        """Features with one value for all images."""
        return int((self.sd == 0).sum()) if self.count > 1 else 0

    @property
    def overall(self) -> tuple[float, float]:
        """Mean and standard deviation over all values of all features; NaN of no features."""
        if not len(self.mean):
            return float("nan"), float("nan")
        variance = float((self.sd**2).mean() + self.mean.var())
        return float(self.mean.mean()), variance**0.5


def storage_type(statistics: FeatureStatistics) -> tuple[np.dtype, str | None]:
    """float16 where it is harmless, else float32 and the reason; nothing is ever clipped."""
    if statistics.not_finite:
        return np.dtype(np.float32), "codes that are not finite"
    if statistics.largest > FLOAT16_LIMIT:
        return np.dtype(np.float32), f"a magnitude of {statistics.largest:.6g}"
    if statistics.float16_error > FLOAT16_ERROR:
        return np.dtype(np.float32), f"a rounding error of {statistics.float16_error:.2g} sd"
    return np.dtype(np.float16), None
