"""The checks of explanations: that they are of the published scores, and what these hang on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.findings import AVAILABLE, Check, CheckSpec
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.predictions.aggregation import area_means
from streetineq_assets.predictions.tables import INFLUENCES

EXPLAINS_THE_PREDICTIONS = CheckSpec(
    "explains_the_predictions",
    "Scores computed again are those that were published.",
    blocking=True,
)
NO_LOCATION_CARRIES_AN_AREA = CheckSpec(
    "no_location_carries_an_area",
    "In few areas does one location move the score by as much as areas differ.",
)
NO_VIEW_DECIDES = CheckSpec(
    "no_view_decides", "No view has more influence on scores than the others together."
)
EXPLANATIONS = (
    AVAILABLE,
    EXPLAINS_THE_PREDICTIONS,
    NO_LOCATION_CARRIES_AN_AREA,
    NO_VIEW_DECIDES,
)

# Of scores, in logits, whatever their spread: by float32 (GPUs round its products to 10 bits), and
# by float16. A decile is some tenths of a logit wide.
_ROUNDING = {False: 0.002, True: 0.02}
_SHARE_OF_SPREAD = 0.02
_MOST_CARRIED = 0.1
_MOST_OF_ONE_VIEW = 0.5


def codes_of_predictions(predicted: pd.DataFrame, rows: NDArray[np.integer]) -> Check | None:
    """The blocking check of scores that cannot be computed again for want of codes; else None.

    Args:
        predicted: `tables.LOCATION_PREDICTIONS`.
        rows: (n,) of their codes, -1 where there are none.
    """
    without = predicted["location_id"].to_numpy()[rows < 0]
    if not len(without):
        return None
    text = (
        f"{len(without)} of {len(predicted)} predicted locations, such as {without[0]}, have no "
        "codes by now: materialise trained_model and location_predictions again"
    )
    return EXPLAINS_THE_PREDICTIONS.result(False, text, n_without_codes=len(without))


def explains_the_predictions(
    predicted: pd.DataFrame, again: NDArray[np.floating], *, mixed_precision: bool
) -> Check:
    """Whether the networks give the published scores once more, but for rounding.

    Networks, codes or locations that do not belong together differ by as much as scores do.

    Args:
        predicted: `tables.LOCATION_PREDICTIONS`.
        again: (n,) scores of the same locations.
        mixed_precision: whether float16 arithmetic made the published ones.
    """
    h = predicted["h"].to_numpy(np.float64)
    spread = float(h.std()) if len(h) else 0.0
    limit = max(_ROUNDING[mixed_precision], _SHARE_OF_SPREAD * spread)
    largest = float(np.abs(h - again).max(initial=0.0))
    text = f"the largest difference is {largest:.2g} logit (limit {limit:.2g})"
    if not largest <= limit:
        text += (
            "; networks, codes and predictions do not belong together, and nothing is explained: "
            "materialise trained_model and location_predictions again"
        )
    return EXPLAINS_THE_PREDICTIONS.result(
        largest <= limit, text, of=len(h), largest_difference=largest, limit=limit
    )


def no_location_carries_an_area(explained: pd.DataFrame) -> Check:
    """Whether areas would keep about their place if any one of their locations were left out.

    Args:
        explained: `tables.EXPLANATIONS`.
    """
    scores = area_means(explained, ["h"])["h"]
    spread = float(scores.std()) if len(scores) > 1 else 0.0
    moves = explained["location_influence"].abs().groupby(explained["area"]).max().dropna()
    of_one = len(scores) - len(moves)
    if moves.empty or not spread > 0:
        return NO_LOCATION_CARRIES_AN_AREA.not_tested(
            f"of {len(scores)} areas {of_one} have one location, and the deviation between areas "
            f"is {spread:.2g} logit: add images of more locations and areas"
        )
    carried = moves > spread
    share = float(carried.mean())
    text = (
        f"in {int(carried.sum())} of {len(moves)} areas ({share:.0%}) leaving out one location "
        f"moves the score by more than {spread:.2g} logit, the standard deviation between areas "
        f"(limit {_MOST_CARRIED:.0%})"
    )
    if share > _MOST_CARRIED:
        text += (
            f", such as {moves.idxmax()}: such scores hang on one place; add locations, or raise "
            "min_locations under [areas]"
        )
    if of_one:
        text += f"; areas of one location alone: {of_one}"
    return NO_LOCATION_CARRIES_AN_AREA.result(
        share <= _MOST_CARRIED, text, share_carried=share, n_lsoas=len(moves)
    )


def no_view_decides(explained: pd.DataFrame) -> Check:
    """Whether scores rest on several views, not on what one direction of the camera shows.

    Args:
        explained: `tables.EXPLANATIONS`.
    """
    sizes = explained[list(INFLUENCES)].abs().mean().fillna(0.0).to_numpy(np.float64)
    if not len(explained) or sizes.sum() == 0:
        return NO_VIEW_DECIDES.not_tested("no view has any influence on any score")
    shares = sizes / sizes.sum()
    view = VIEWS[int(shares.argmax())]
    largest = float(shares.max())
    text = f"view {view} has the largest share of what views move, {largest:.0%} (limit 50%)"
    if largest > _MOST_OF_ONE_VIEW:
        text += (
            "; look at images of that view for what a network could take for a sign, such as the "
            "car, the camera's mount or a print on the picture"
        )
    return NO_VIEW_DECIDES.result(largest <= _MOST_OF_ONE_VIEW, text, largest_share=largest)
