"""For whom the predictions err: errors, intervals and missed need by group of areas.

Predictions lean towards the middle, as every prediction with errors does, so areas of decile 1 are
predicted better-off than they are and areas of decile 10 worse-off. A group of poor areas therefore
has errors of its own without being treated otherwise than other poor areas. So whether a group's
errors differ is asked at the same official value: of its areas and the rest's, in each decile and
along the values within it.

Need is being among the city's worst-off tenth or fifth. The question who loses is that of
Aiken, Rolf and Blumenstock (arXiv 2305.01783): as many areas as are in need are funded, in the
order of their scores, and areas without a prediction are not. Alpherts et al. (FAccT 2025) ask it
of street images.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.evidence.clustered import contrast, holm
from streetineq_assets.evidence.resampling import ratios
from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.labels.deciles import N_DECILES
from streetineq_assets.tables import conform, empty

SIGNIFICANT = 0.05
CITY, ACTUAL, AUTHORITY = "city", "actual_decile", "authority"
BUILT_IN = (CITY, ACTUAL, AUTHORITY)
MEAN_ERROR, SHARE_RANKED = "mean_error", "share_ranked"
SAME_DECILE = "error_at_same_decile"
MISSED_20 = "missed_worst_20"
WORST = {10: 1, 20: 2}  # per cent, and the highest decile among them

Floats = NDArray[np.float64]


class _Measure(NamedTuple):
    """A mean over areas: (n,) what each adds to the sum, and whether it counts."""

    numerator: Floats
    denominator: Floats
    is_share: bool


def gather(values: pd.DataFrame, predicted: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """The city's areas with a decile, whether they are predicted or not.

    Args:
        values: `area, decile, value`, as `places.pair_values` returns them.
        predicted: `predictions.tables.LSOA_PREDICTIONS`.
        places: `area, msoa, authority`.

    Returns:
        `area, actual, value, predicted, score, lower, upper` (float64, NaN where there is none),
        `msoa, authority`.
    """
    known = values.rename(columns={"decile": "actual"})
    columns = {"decile": "predicted", "score": "score", "lower": "lower", "upper": "upper"}
    theirs = predicted[["area", *columns]].rename(columns=columns)
    areas = known.merge(theirs, on="area", how="left").merge(places, on="area", how="left")
    numbers = ["actual", "value", *columns.values()]
    return areas.astype(dict.fromkeys(numbers, "Float64")).astype(dict.fromkeys(numbers, "float64"))


def audit(areas: pd.DataFrame, groups: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Every measure of every group, with intervals, and whether the group's errors differ.

    Args:
        areas: as `gather` returns them.
        groups: `area, grouping, group`, of the user's files.

    Returns:
        `tables.EQUITY` without `city` and `outcome`; no row without areas.
    """
    if areas.empty:
        return empty(EQUITY).drop(columns=["city", "outcome"])
    measures = _measures(areas)
    parts = []
    for grouping, group in _groupings(areas, groups).items():
        if group.notna().any():
            found = [_measured(areas, measures, group, seed)]
            if grouping not in (CITY, ACTUAL):
                found.append(compare(areas, group))
            together = pd.concat(found).sort_values("group", kind="stable")
            parts.append(together.assign(grouping=grouping))
    return _adjusted(pd.concat(parts, ignore_index=True))


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each group with the measures that are read first, for people.

    Args:
        table: as `audit` returns it.
    """
    keys = ["grouping", "group"]
    rows = table[keys].drop_duplicates().set_index(keys)
    for name in (SHARE_RANKED, MEAN_ERROR, MISSED_20, SAME_DECILE):
        measured = table[table["measure"] == name].set_index(keys)
        rows[name] = measured["value"]
        if name == SHARE_RANKED:
            rows.insert(0, "n_lsoas", measured["n_lsoas"])
    rows["p_adjusted"] = measured["p_adjusted"]
    return rows.reset_index()


def funded(score: Floats, budget: int) -> Floats:
    """(n,) share of each area that is funded, where the budget pays for so many areas.

    Areas of the lowest scores come first; those of one score share what is left for them. An area
    without a score gets nothing.
    """
    share = np.zeros(len(score))
    left = float(budget)
    for value in np.unique(score[~np.isnan(score)]):
        tied = score == value
        share[tied] = min(1.0, left / tied.sum())
        left -= share[tied].sum()
        if left <= 0:
            break
    return share


# -- measures --------------------------------------------------------------------------------------


def _measures(areas: pd.DataFrame) -> dict[str, _Measure]:
    actual, predicted = areas["actual"].to_numpy(), areas["predicted"].to_numpy()
    ranked = ~np.isnan(predicted)
    error = np.where(ranked, predicted - actual, 0.0)
    lower, upper = areas["lower"].to_numpy(), areas["upper"].to_numpy()
    held = (lower <= actual) & (actual <= upper)
    found = {
        SHARE_RANKED: _share(ranked, np.ones_like(ranked)),
        MEAN_ERROR: _Measure(error, ranked.astype(float), is_share=False),
        "mae": _Measure(np.abs(error), ranked.astype(float), is_share=False),
        "coverage": _share(held, ~np.isnan(lower)),
    }
    for per_cent, highest in WORST.items():
        need = actual <= highest
        paid = funded(areas["score"].to_numpy(), int(need.sum()))
        found |= {
            f"recall_worst_{per_cent}": _share(predicted <= highest, need & ranked),
            f"missed_worst_{per_cent}": _share(1 - paid, need),
            f"funded_without_need_{per_cent}": _share(paid, ~need),
        }
    return found


def _share(of_area: NDArray, among: NDArray[np.bool_]) -> _Measure:
    return _Measure(np.where(among, of_area, 0).astype(float), among.astype(float), is_share=True)


def _clusters(areas: pd.DataFrame) -> NDArray[np.int64]:
    """(n,) number of each area's MSOA, or of itself where that is not known."""
    return pd.factorize(areas["msoa"].fillna(areas["area"]))[0].astype(np.int64)


def _groupings(areas: pd.DataFrame, groups: pd.DataFrame) -> dict[str, pd.Series]:
    """(n,) group of each area by the name of its grouping; missing where an area has none."""
    found = {
        CITY: pd.Series("all", index=areas.index),
        ACTUAL: areas["actual"].astype(int),
        AUTHORITY: areas["authority"],
    }
    for grouping, rows in groups.groupby("grouping", sort=False):
        found[str(grouping)] = areas["area"].map(rows.set_index("area")["group"])
    return found


def _measured(
    areas: pd.DataFrame, measures: dict[str, _Measure], group: pd.Series, seed: int
) -> pd.DataFrame:
    """`group, n_lsoas, measure, value, lower, upper` of one grouping."""
    codes, names = pd.factorize(group, sort=True)
    below = np.column_stack([each.denominator for each in measures.values()])
    found = ratios(
        np.column_stack([each.numerator for each in measures.values()]),
        below,
        codes,
        _clusters(areas),
        shares=np.array([each.is_share for each in measures.values()]),
        seed=seed,
    )
    counted = np.array([below[codes == code].sum(axis=0) for code in range(len(names))])
    return pd.DataFrame(
        {
            "group": np.repeat(names, len(measures)),
            "n_lsoas": counted.ravel(),
            "measure": list(measures) * len(names),
            "value": found.value.ravel(),
            "lower": found.lower.ravel(),
            "upper": found.upper.ravel(),
        }
    )


# -- whether errors differ -------------------------------------------------------------------------


def compare(areas: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Each group's mean error beyond that of the other groups at the same official value.

    Args:
        areas: as `gather` returns them.
        group: (n,) of each area, missing where it has none.

    Returns:
        `group, n_lsoas, measure, value, lower, upper, p`; p before it is adjusted, NaN where a
        group was not tested: see `clustered.contrast`.
    """
    ranked = areas["predicted"].notna() & group.notna()
    error = (areas["predicted"] - areas["actual"]).to_numpy()[ranked]
    controls = official_position(areas["actual"].to_numpy(), areas["value"].to_numpy())[ranked]
    clusters = _clusters(areas)[ranked]
    names = np.unique(group.dropna())
    rows = []
    for name in names:
        member = (group[ranked] == name).to_numpy()
        found = contrast(error, member, controls, clusters)
        rows.append((name, int(member.sum()), SAME_DECILE, *found))
    columns = ["group", "n_lsoas", "measure", "value", "lower", "upper", "p"]
    return pd.DataFrame(rows, columns=columns)


def official_position(actual: Floats, value: Floats) -> Floats:
    """(n, 20): in which decile an area lies, and where in it by the official value.

    Within a decile the errors follow the value as well, and a group of poor areas lies low in each;
    by deciles alone it would seem to be treated otherwise. Values enter as normal scores of their
    ranks (Blom 1958), each decile with a slope of its own.

    Args:
        actual: (n,) decile.
        value: (n,) official value in any unit and direction.
    """
    from scipy.stats import norm, rankdata

    within = actual[:, None] == np.arange(1, N_DECILES + 1)
    known = np.where(np.isnan(value), actual, value)
    normal = norm.ppf((rankdata(known) - 3 / 8) / (len(known) + 1 / 4))
    return np.column_stack([within, within * normal[:, None]]).astype(np.float64)


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """All tests of the pair are one family, whatever grouping they are of."""
    p_adjusted = holm(table.reindex(columns=["p"])["p"].to_numpy(np.float64))
    differs = pd.Series(p_adjusted <= SIGNIFICANT, dtype="boolean").mask(np.isnan(p_adjusted))
    table = table.assign(p_adjusted=p_adjusted, differs=differs, city="", outcome="")
    return conform(table, EQUITY).drop(columns=["city", "outcome"])
