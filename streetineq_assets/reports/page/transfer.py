"""How the report shows another city's networks: the curves, and what their intervals say."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.evaluation import MAP_KNN
from streetineq_assets.reports.comparison import value_range
from streetineq_assets.transfer.curve import SHOWN_METRIC
from streetineq_assets.transfer.tables import EITHER, FROM_SCRATCH, OTHERS, OWN, TUNED, UNTUNED

_WORDS = {
    TUNED: "tuned",
    FROM_SCRATCH: "from scratch",
    OWN: "its own networks",
    UNTUNED: "not tuned",
    OTHERS: "of the other cities",
}


def transfers(table: pd.DataFrame) -> tuple[list[str], list[dict[str, Any]]]:
    """Rank correlations of tuned networks and their controls by share, beside the targets' own.

    Args:
        table: `StudyResults.transfer`.

    Returns:
        The shares as headings; and a row per source, target, network and unit of shares: `source,
        city, outcome, network`, `by_share` (a text for each share), `own` and `map_knn`, "-" where
        there is none.
    """
    shown = table[table["metric"] == SHOWN_METRIC]
    shares = sorted(set(shown.loc[shown["network"] == TUNED, "share"]))
    rows = []
    for (source, city, outcome), group in shown.groupby(["source", "city", "outcome"]):
        by_network = {r.network: _mean_and_range(r) for r in group.itertuples()}
        line = {"source": source, "city": city, "outcome": OUTCOMES[outcome].title}
        line["own"] = by_network.get(OWN) or by_network.get(OTHERS, "-")
        line["map_knn"] = by_network.get(MAP_KNN, "-")
        rows += [line | curve for curve in _curves(group, shares)]
    return [f"{share:.3g}" for share in shares], rows


def transfer_claims(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Tuned networks against the others: a row per target, share and network compared with.

    Args:
        table: `StudyResults.transfer_comparisons`.

    Returns:
        `city, outcome, share, claim, difference` (with its interval) and `result`.
    """
    return [
        {
            "city": row.city,
            "outcome": OUTCOMES[row.outcome].title,
            "share": f"{row.share:.3g}{_of(row.share_of)}",
            "claim": f"no worse by {row.margin:g} than {_WORDS[row.against]}"
            if row.margin
            else f"better than {_WORDS[row.against]}",
            "difference": "none"
            if np.isnan(row.lower)
            else f"{row.difference:z.2f} ({value_range(row.lower, row.upper)})",
            "result": row.result,
        }
        for row in table.itertuples()
    ]


def _of(share_of: str) -> str:
    return "" if share_of == EITHER else f" of {share_of}"


def _curves(group: pd.DataFrame, shares: Sequence[float]) -> Iterator[dict[str, Any]]:
    """`network` and `by_share` of each network and unit of one target."""
    named = group[group["network"].isin([TUNED, FROM_SCRATCH])]
    for network, mine in named.groupby("network", sort=False):
        ends = mine["share_of"] == EITHER
        for share_of in sorted(set(mine.loc[~ends, "share_of"])) or [EITHER]:
            rows = mine[ends | (mine["share_of"] == share_of)]
            texts = {row.share: _with_labels(row) for row in rows.itertuples()}
            yield {
                "network": f"{_WORDS[str(network)]}, shares{_of(share_of)}",
                "by_share": [texts.get(share, "-") for share in shares],
            }
    if named.empty:
        yield {"network": _WORDS[OTHERS], "by_share": ["-"] * len(shares)}


def _with_labels(line: Any) -> str:
    """The metric, and which share of the areas' labels it took (a row of the summary)."""
    text, used = _mean_and_range(line), line.share_lsoas_labelled
    if line.share_of == EITHER or np.isnan([used, line.mean]).any():
        return text
    return f"{text}, {used:.0%} of the labels"


def _mean_and_range(line: Any) -> str:
    """The mean over the repeats of one share, with their range (a row of the summary)."""
    if np.isnan(line.mean):
        return "-"
    if line.n_repeats == 1:
        return f"{line.mean:z.2f}"
    return f"{line.mean:z.2f} ({value_range(line.lowest, line.highest)})"
