"""How two sides differ, as HTML: a section for a page, and a page of its own.

Nothing in it tells where the two lie or when it was made, and all that others wrote is escaped.
"""

from typing import Any

from streetineq_assets.reports.differences import words
from streetineq_assets.reports.differences.compare import SIZES, PairDifference
from streetineq_assets.reports.differences.differences import Differences
from streetineq_assets.reports.page.environment import environment

PAGE = "differences_page.html.j2"
MOST = 20  # areas of one pair; CSV has all


def render_page(found: Differences) -> str:
    """A page that needs nothing else."""
    titles = dict.fromkeys((found.a.title, found.b.title))
    return (
        environment()
        .get_template(PAGE)
        .render(title=f"Differences: {' and '.join(titles)}", **section_context(found))
    )


def section_context(found: Differences) -> dict[str, Any]:
    """What `differences.html.j2` shows."""
    sides = {"A": found.a, "B": found.b}
    reasons = {name: side.provenance.synthetic for name, side in sides.items()}
    return {
        "sides": [words.side_line(side) for side in sides.values()],
        "synthetic": [(name, why) for name, why in reasons.items() if why],
        "opening": list(words.opening(found)),
        "changed": [_pair(found, pair) for pair in found.changed],
        "size_titles": [f"Moved by {size}" for size in SIZES],
        "verdict_titles": [title.capitalize() for title in words.VERDICTS.values()],
        "rule": words.RULE,
        "metrics": [
            words.metric_row(row) for pair in found.changed for row in pair.metrics.itertuples()
        ],
        "on_metrics": words.ON_METRICS,
        "chain_lines": list(words.chain_lines(found)) if found.any else [],
        "changes": _changes(found),
    }


def _pair(found: Differences, pair: PairDifference) -> dict[str, Any]:
    return {
        "pair": pair.pair,
        "n_both": pair.n_both,
        "counts": [*pair.sizes.values(), *(pair.verdicts[each] for each in words.VERDICTS)],
        "mean_move": words.decimal(pair.mean_move),
        "rank_correlation": words.decimal(pair.rank_correlation),
        "notes": list(words.pair_notes(found, pair)),
        "moved": [words.moved_row(row) for row in pair.moved.head(MOST).itertuples()],
        "n_moved": f"{len(pair.moved):,}",
    }


def _changes(found: Differences) -> dict[str, list[dict[str, str]]]:
    n_pairs = words.n_compared(found)
    return {
        title: [
            {"what": each.what, "a": each.a, "b": each.b}
            | {"pairs": words.of_pairs(each.pairs, n_pairs)}
            for each in changes
        ]
        for title, changes in words.changes(found).items()
    }
