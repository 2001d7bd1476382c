"""The checks of this step: of tuned networks, and of the curve of all of them."""

import numpy as np
import pandas as pd

from streetineq_assets.findings import AVAILABLE, Check, CheckSpec
from streetineq_assets.models.checks import VALID_PROBABILITIES
from streetineq_assets.predictions.checks import LOCATION_IDENTITY, OUT_OF_FOLD
from streetineq_assets.transfer.curve import OWN, SHOWN_METRIC, TUNED

SHARES_LARGE_ENOUGH = CheckSpec("shares_large_enough", "Every share has at least ten areas.")
FINE_TUNED_MODEL = (
    AVAILABLE,
    LOCATION_IDENTITY,
    OUT_OF_FOLD,
    VALID_PROBABILITIES,
    SHARES_LARGE_ENOUGH,
)

ONE_PERCENT_IS_ENOUGH = CheckSpec(
    "one_percent_is_enough", "A share of 0.01 does as well as training on the whole city."
)
TRANSFER_REPORT = (AVAILABLE, ONE_PERCENT_IS_ENOUGH)

_PAPER_SHARE = 0.01
_CLOSE = 0.05


def shares_large_enough(runs: pd.DataFrame) -> Check:
    """Whether networks were tuned on every share.

    Args:
        runs: `tables.TUNING_RUNS`.
    """
    skipped = runs[runs["skipped"] != ""].drop_duplicates("share")
    if skipped.empty:
        text = "networks were tuned on every share"
        return SHARES_LARGE_ENOUGH.result(True, text, of=len(runs))
    reasons = "; ".join(f"{row.share:g}: {row.skipped}" for row in skipped.itertuples())
    return SHARES_LARGE_ENOUGH.result(
        False,
        f"shares that are too small and were skipped: {reasons}; add images, or name larger "
        "`shares` under [transfer] in study.toml",
    )


def one_percent_is_enough(summary: pd.DataFrame) -> Check:
    """Whether one per cent of a city does as well as training on all of it, as the paper claims.

    Args:
        summary: `tables.CURVE_SUMMARY`.
    """
    shown = summary[summary["metric"] == SHOWN_METRIC].set_index(["city", "outcome"])
    own = shown.loc[shown["network"] == OWN, "mean"]
    tuned = shown[(shown["network"] == TUNED) & np.isclose(shown["share"], _PAPER_SHARE)]
    both = pd.DataFrame({"tuned": tuned["mean"]}).join(pd.DataFrame({"own": own}), how="inner")
    if both.empty:
        text = f"no pair with networks of its own was tuned on {_PAPER_SHARE:.0%}"
        return ONE_PERCENT_IS_ENOUGH.not_tested(text)
    n_close = int((both["tuned"] >= both["own"] - _CLOSE).sum())
    text = (
        f"{n_close} of {len(both)} pairs tuned on {_PAPER_SHARE:.0%} rank areas within {_CLOSE:g} "
        "of their own networks' rank correlation"
    )
    return ONE_PERCENT_IS_ENOUGH.result(
        n_close == len(both), text, n_pairs=len(both), n_pairs_close=n_close
    )
