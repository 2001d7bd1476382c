"""Whether tuned networks rank areas as well as, or better than, others: paired intervals.

Two networks are compared on the same areas. What is drawn with replacement is blocks of areas
(`predictions.blocks`), since neighbours err alike, and the repeats, since which share was chosen is
chance too. The difference of the rank correlations, averaged over the drawn repeats, then has a
percentile interval. "As well as" is a claim of equivalence on one side: it holds where the whole
interval lies above minus the margin, not where a difference merely was not found (Schuirmann 1987,
J. Pharmacokinet. Biopharm. 15, 657: the one-sided tests of equivalence). The 95 % interval gives
each claim a nominal error of 2.5 %. The networks are taken as they are: what another seed would
make of the city's own networks is not in the interval.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED
from streetineq_assets.predictions import bootstrap
from streetineq_assets.predictions.blocks import Blocks, placed_units
from streetineq_assets.predictions.bootstrap import Forecast
from streetineq_assets.predictions.evaluation import MIN_AREAS
from streetineq_assets.transfer.tables import EITHER, FROM_SCRATCH, OWN, SHARE, TUNED, UNTUNED

METRIC = "spearman_score"
UNDECIDED = "undecided"
DRAWS = 1000


class Difference(NamedTuple):
    """Of two networks' rank correlations, with its interval; NaN where it is undefined."""

    value: float
    lower: float
    upper: float


def result(difference: Difference, margin: float) -> str:
    """Whether the difference lies above minus the margin, by its interval.

    Returns:
        `holds` or `does not hold` where the whole interval lies on one side, else `undecided`;
        `not tested` where it is undefined.
    """
    if np.isnan(difference).any():
        return NOT_TESTED
    if difference.lower > -margin:
        return HOLDS
    return DOES_NOT_HOLD if difference.upper < -margin else UNDECIDED


def paired_draws(
    actual: NDArray, scores: NDArray, *, blocks: Blocks, draws: int, seed: int
) -> NDArray[np.float64]:
    """The rank correlation of several networks on the same areas, in the same draws.

    Args:
        actual: (n,) deciles 1..10.
        scores: (m, n), a row for each network.
        blocks: of the n areas, which are drawn together.

    Returns:
        (m, 1 + draws): the correlation itself, then in each draw; NaN where it is undefined.
    """
    counts = bootstrap.draw_blocks(blocks.n_blocks, draws, seed)
    counts = np.vstack([np.ones((1, blocks.n_blocks)), counts])
    # The deciles are not asked for, and their metrics take no time.
    drawn = (bootstrap.evaluate(actual, Forecast(actual, each), blocks, counts) for each in scores)
    return np.stack([metrics[METRIC] for metrics in drawn])


def mean_difference(first: NDArray, second: NDArray, *, n_blocks: int, seed: int) -> Difference:
    """First minus second network, averaged over the repeats.

    Args:
        first: (r, 1 + draws) of `paired_draws`, a row for each repeat.
        second: the same, paired row by row.
        n_blocks: how many blocks were drawn.
        seed: of the repeats that each draw takes.
    """
    n_repeats, draws = len(first), first.shape[1] - 1
    difference = first - second
    taken = bootstrap.draw_blocks(n_repeats, draws, seed) / n_repeats
    drawn = np.einsum("dr,rd->d", taken, difference[:, 1:])
    ends = bootstrap.percentile_interval(drawn, n_blocks)
    return Difference(float(difference[:, 0].mean()), *ends)


class ComparedAreas(NamedTuple):
    """What networks of one target are compared on.

    Attributes:
        tuned: `tables.TUNED_LSOAS`, of all networks, shares and repeats.
        own: `predictions.tables.LSOA_PREDICTIONS` of the city's own networks; None without any.
        centroids: `area, easting_m, northing_m` and, where known, `msoa`.
        margin: of equivalence with the city's own networks.
        seed: of the draws.
    """

    tuned: pd.DataFrame
    own: pd.DataFrame | None
    centroids: pd.DataFrame
    margin: float
    seed: int


def compare(areas: ComparedAreas, *, draws: int = DRAWS) -> list[dict[str, Any]]:
    """Rows of `tables.TRANSFER_COMPARISONS` without the pair: every share against the others.

    Tuned networks are held against the city's own (not worse by the margin), against the networks
    that they started from, and against those trained from scratch on the same share (better). Areas
    that one of the networks did not score are left out.
    """
    wide = _wide(areas)
    if wide.empty:
        return []
    actual = wide.pop(_ACTUAL).to_numpy(np.int64)
    scores = wide.to_numpy(np.float64).T
    blocks = placed_units(wide.index, areas.centroids, list(scores), actual)[0]
    drawn = paired_draws(actual, scores, blocks=blocks, draws=draws, seed=areas.seed)
    if len(actual) < MIN_AREAS:
        drawn = np.full_like(drawn, np.nan)
    by_network = dict(zip(wide.columns, drawn, strict=True))
    about = {"n_lsoas": len(actual), "n_blocks": blocks.n_blocks, "metric": METRIC}
    return [row | about for row in _rows(by_network, areas, blocks.n_blocks)]


_ACTUAL = ("", "", 0.0, 0)
_OWN = (OWN, EITHER, 1.0, 0)


def _wide(areas: ComparedAreas) -> pd.DataFrame:
    """Scores by area (rows) and attempt (columns), with the actual decile; complete rows only."""
    tuned = areas.tuned.astype({"share": "float64"})
    wide = tuned.pivot(index="area", columns=[*SHARE, "repeat"], values="score")  # noqa: PD010
    actual = tuned.drop_duplicates("area").set_index("area")["actual_decile"]
    columns = dict(wide.items()) | {_ACTUAL: actual.astype("float64")}
    if areas.own is not None:
        columns[_OWN] = areas.own.set_index("area")["score"]
    frame = pd.DataFrame({name: column.reindex(wide.index) for name, column in columns.items()})
    return frame.dropna()


def _rows(
    drawn: dict[Any, NDArray], areas: ComparedAreas, n_blocks: int
) -> Iterator[dict[str, Any]]:
    shares = {key[1:3]: None for key in drawn if key[0] == TUNED and key[2]}
    untuned = _repeats(drawn, (TUNED, EITHER, 0.0))
    for share_of, share in shares:
        tuned = _repeats(drawn, (TUNED, share_of, share))
        others = {
            OWN: (_repeats(drawn, _OWN[:-1]), areas.margin),
            UNTUNED: (untuned, 0.0),
            FROM_SCRATCH: (_repeats(drawn, (FROM_SCRATCH, share_of, share)), 0.0),
        }
        for against, (other, margin) in others.items():
            if not len(other):
                continue
            # The city's own networks have one repeat, those at a share of 0 as many as start.
            paired = other[np.arange(len(tuned)) % len(other)]
            difference = mean_difference(tuned, paired, n_blocks=n_blocks, seed=areas.seed)
            yield {
                "share_of": share_of,
                "share": share,
                "against": against,
                "margin": margin,
                "difference": difference.value,
                "lower": difference.lower,
                "upper": difference.upper,
                "n_repeats": len(tuned),
                "result": result(difference, margin),
            }


def _repeats(drawn: dict[Any, NDArray], key: Sequence[Any]) -> NDArray:
    """(r, 1 + draws) of a network and share; none where it is not there."""
    found = [values for name, values in sorted(drawn.items()) if name[:-1] == tuple(key)]
    return np.stack(found) if found else np.empty((0, 0))
