"""Simulated cities of which it is known whether a group is treated otherwise.

Areas lie in MSOAs of five, whose official values and errors are alike. Groups are whole MSOAs, at
random or from the worst-off on.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

PER_MSOA = 5


def city(rng, *, areas=400, groups=6, by_need=False, bias=0.0, r=0.8, alike=0.3) -> pd.DataFrame:
    """Areas as `equity.gather` returns them; `authority` is the group, of which 0 may be biased.

    Args:
        by_need: groups are made of the MSOAs in the order of their official values.
        bias: added to the scores of group 0, in standard deviations.
        r: correlation of score and official value.
        alike: share of the errors' variance that an MSOA has in common.
    """
    n_msoas = areas // PER_MSOA
    msoa = np.repeat(np.arange(n_msoas), PER_MSOA)

    def spread(common):
        of_msoa, own = rng.normal(size=n_msoas), rng.normal(size=areas)
        return np.sqrt(common) * of_msoa[msoa] + np.sqrt(1 - common) * own

    value = spread(0.5)
    order = pd.Series(value).groupby(msoa).mean() if by_need else rng.random(n_msoas)
    group = (rankdata(order, method="ordinal").astype(int) - 1)[msoa] * groups // n_msoas
    score = r * value + np.sqrt(1 - r**2) * spread(alike) + bias * (group == 0)
    return frame(value, score, msoa=msoa, group=group)


def frame(value, score, *, msoa=None, group=None) -> pd.DataFrame:
    """The same of given values and scores, cut into deciles."""
    n = len(value)
    return pd.DataFrame(
        {
            "area": [f"E01{i:06d}" for i in range(n)],
            "actual": decile(value),
            "value": np.asarray(value, dtype=float),
            "predicted": decile(score),
            "score": np.asarray(score, dtype=float),
            "lower": 1.0,
            "upper": 8.0,
            "msoa": [None] * n if msoa is None else [f"E02{i:06d}" for i in msoa],
            "authority": [None] * n if group is None else [f"group {i}" for i in group],
        }
    ).astype({"msoa": "str", "authority": "str"})


def decile(values) -> np.ndarray:
    return np.ceil(rankdata(values) * 10 / len(values))
