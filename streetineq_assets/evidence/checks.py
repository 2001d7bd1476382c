"""The checks of this step."""

import pandas as pd

from streetineq_assets.evidence.clustered import MIN_CLUSTERS
from streetineq_assets.evidence.equity import SAME_DECILE, SIGNIFICANT
from streetineq_assets.findings import AVAILABLE, Check, CheckSpec

NO_GROUP_IS_MISSED = CheckSpec(
    "no_group_is_missed",
    "No group's areas are predicted better-off or worse-off than others of the same actual decile.",
)
EQUITY_AUDIT = (AVAILABLE, NO_GROUP_IS_MISSED)
_MOST_NAMED = 5


def no_group_is_missed(table: pd.DataFrame) -> Check:
    """Whether any group's errors differ from those of the rest at the same official value.

    Args:
        table: `tables.EQUITY` of one pair.
    """
    tested = table[(table["measure"] == SAME_DECILE) & table["p_adjusted"].notna()]
    if tested.empty:
        return NO_GROUP_IS_MISSED.not_tested(
            f"no grouping has a group that lies, as the rest does, in {MIN_CLUSTERS} MSOAs or more "
            "and errs differently from area to area; bring groups of areas in inputs/groups"
        )
    by_size = tested.sort_values("value", key=abs, ascending=False)
    found = by_size[by_size["differs"].astype(bool)]
    values = {"n_groups_tested": len(tested), "n_groups_differ": len(found)}
    of = f"of {len(tested)} groups, beside others of the same actual decile"
    if found.empty:
        widest = float((tested["upper"] - tested["lower"]).max() / 2)
        text = (
            f"none {of}, errs otherwise (adjusted p > {SIGNIFICANT}); the largest difference is "
            f"{_named(by_size.iloc[0])}, and the widest interval is {widest:.1f} to either side"
        )
        return NO_GROUP_IS_MISSED.result(True, text, **values)
    named = "; ".join(_named(row) for _, row in found.head(_MOST_NAMED).iterrows())
    text = (
        f"{len(found)} {of}, err otherwise (adjusted p <= {SIGNIFICANT}): {named}. Above 0 their "
        "need is missed. Do not fund or rank across these groups by the predictions, and compare "
        "their images: number, date, provider"
    )
    return NO_GROUP_IS_MISSED.result(False, text, **values)


def _named(row: pd.Series) -> str:
    return (
        f"{row['grouping']} {row['group']} {row['value']:+.2f} deciles "
        f"({row['lower']:.2f} to {row['upper']:.2f})"
    )
