"""Whether two measurements of the directions of captures agree.

Directions are compared on the circle: 359 and 1 degree lie two degrees apart. A difference is that
of `compass_deg` from `second_compass_deg`, positive where the picture looks further to the right.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FAR_DEG = 10.0
SIDES = {90: "to the right", 180: "backwards", -90: "to the left"}
LEAST_COMPARED = 10  # captures, below which chance alone moves the median by as much as matters
_NEAR_SIDE_DEG = 20.0
_ERROR_OF_MEDIAN = 1.2533 * 1.4826  # of a normal sample, by its median absolute deviation


@dataclass(frozen=True)
class Agreement:
    """How far two measurements of directions lie apart.

    Attributes:
        n: captures that have both.
        median_deg: circular median of their differences, above -180 and at most 180; NaN of none.
        spread_deg: half of the differences lie within so many degrees of it.
        error_deg: standard error of the median, of a normal sample of that spread.
        share_far: share of differences of more than 10 degrees.
        shares: share of differences within 20 degrees of 90, 180 and -90 degrees.
    """

    n: int
    median_deg: float
    spread_deg: float
    error_deg: float
    share_far: float
    shares: dict[int, float]


def differences(captures: pd.DataFrame) -> NDArray[np.float64]:
    """Of the captures that have both: degrees, above -180 and at most 180.

    Args:
        captures: `compass_deg, second_compass_deg`, degrees, null where unknown.
    """
    both = captures[["compass_deg", "second_compass_deg"]].dropna().to_numpy(np.float64)
    return wrapped(both[:, 0] - both[:, 1])


def wrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles as they are above -180 and at most 180."""
    return 180.0 - np.mod(180.0 - degrees, 360.0)


def agreement(difference: NDArray[np.float64]) -> Agreement:
    """What is to be said of differences.

    Args:
        difference: (n,) degrees.
    """
    n = len(difference)
    median = circular_median(difference)
    spread = float(np.median(np.abs(wrapped(difference - median)))) if n else np.nan
    apart = {side: np.abs(wrapped(difference - side)) <= _NEAR_SIDE_DEG for side in SIDES}
    return Agreement(
        n=n,
        median_deg=median,
        spread_deg=spread,
        error_deg=_ERROR_OF_MEDIAN * spread / np.sqrt(n) if n else np.nan,
        share_far=float(np.mean(np.abs(difference) > FAR_DEG)) if n else np.nan,
        shares={side: float(np.mean(is_near)) if n else np.nan for side, is_near in apart.items()},
    )


def circular_median(degrees: NDArray[np.float64]) -> float:
    """The direction from which a sample lies least far away, by the sum of arcs (Fisher 1993, 2.3).

    One of the sample minimises that sum; where several do, as with an even number, it is the middle
    of these.

    Args:
        degrees: (n,) directions.

    Returns:
        Degrees above -180 and at most 180; NaN of an empty sample.
    """
    if not len(degrees):
        return np.nan
    angle = np.sort(np.mod(degrees, 360.0))
    n = len(angle)
    twice = np.concatenate([angle, angle + 360.0])
    total = np.concatenate([[0.0], np.cumsum(twice)])
    # From each, those in the half circle ahead of it lie as far as they lie ahead, the rest behind.
    first = np.arange(n)
    half = np.searchsorted(twice, angle + 180.0, side="right")
    ahead = total[half] - total[first] - (half - first) * angle
    behind = (first + n - half) * (angle + 360.0) - (total[first + n] - total[half])
    arcs = ahead + behind
    least = angle[arcs <= arcs.min() + 1e-6]
    middle = np.rad2deg(np.angle(np.exp(1j * np.deg2rad(least)).sum()))
    return float(wrapped(np.array([middle]))[0])
