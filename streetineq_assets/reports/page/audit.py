"""What a city's results rest on, and what others found there, as the report prints it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.evaluation import NETWORK
from streetineq_assets.reports.published import PublishedFigure

if TYPE_CHECKING:
    from streetineq_assets.reports.results import PairResults

Row = dict[str, Any]


def audit_context(audit: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The rows of a city's audit; empty where there is none.

    Args:
        audit: the tables of `audit.data_audit.AUDIT_FILES`, by name.
    """
    if not audit or audit["data_audit"].empty:
        return {}
    deciles = audit["coverage_by_decile"].groupby("outcome", sort=False)["share_ranked"]
    years = audit["capture_years"].itertuples()
    return {
        "rights": [_texts(row) for row in audit["image_rights"].to_dict("records")],
        "years": [(_year(row.year), row.n_locations) for row in years],
        "outcomes": [_outcome(row) for row in audit["data_audit"].to_dict("records")],
        "deciles": [(OUTCOMES[str(o)].title, shares.tolist()) for o, shares in deciles],
    }


def published_rows(
    figures: Iterable[PublishedFigure], pairs: Iterable["PairResults"]
) -> list[tuple[PublishedFigure, str]]:
    """Published figures with ours beside them, where the outcome is the same.

    Args:
        figures: of the place that the city is.
        pairs: the city's results that may be compared.
    """
    ours = {each.pair.outcome: each for each in pairs}
    return [(figure, _ours(figure, ours.get(figure.outcome))) for figure in figures]


def _ours(figure: PublishedFigure, own: "PairResults | None") -> str:
    if own is None:
        return ""
    value = own.value(figure.metric, NETWORK)
    return "" if pd.isna(value) else f"{value:.2f}, folds by {own.scheme.replace('_', ' ')}"


def _texts(row: Row) -> Row:
    return {name: "" if pd.isna(cell) else cell for name, cell in row.items()}


def _year(year: object) -> str:
    return "unknown" if pd.isna(year) else str(year)


def _outcome(row: Row) -> Row:
    days = dict.fromkeys(filter(pd.notna, (row["described_from"], row["described_to"])))
    return row | {
        "title": OUTCOMES[row["outcome"]].title,
        "described": " to ".join(map(str, days)) or "no single time",
        "years_after": _number(row["years_after"], "{:+.1f}"),
        "mean_decile_ranked": _number(row["mean_decile_ranked"], "{:.2f}"),
        "difference": _number(row["difference"], "{:+.2f}"),
        "interval": "" if pd.isna(row["lower"]) else f"{row['lower']:+.2f} to {row['upper']:+.2f}",
    }


def _number(value: float, form: str) -> str:
    return "none" if pd.isna(value) else form.format(value)
