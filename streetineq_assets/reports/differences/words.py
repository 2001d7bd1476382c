"""How two sides differ, in words: what text and HTML have in common."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from streetineq_assets.reports.comparison import METRIC_TITLES, MODEL_TITLES, value_range
from streetineq_assets.reports.differences.causes import Chain, Change
from streetineq_assets.reports.differences.compare import (
    BEYOND,
    ONLY_A,
    ONLY_B,
    PARTLY,
    UNTESTED,
    WITHIN,
    PairDifference,
)
from streetineq_assets.reports.differences.differences import Differences
from streetineq_assets.reports.differences.sides import Side

RULE = (
    "Beyond both intervals: each side's decile lies outside the other's interval; beyond one: only "
    "one of them does. This is no test of a change. Intervals are of the actual decile, and two "
    "predictions of an unchanged area lie farther apart than that: in simulation up to one "
    "unchanged area in six was beyond both where the errors of A and B had nothing in common, and "
    "hardly any where networks differed by their seed. Deciles are ranks: where an area rises, "
    "another falls."
)
ON_METRICS = (
    "Each side has its own interval at 95 %. Whether the two overlap does not test the difference, "
    "since both sides mostly share areas and labels; and metrics compare on the same folds alone."
)
TITLES = {
    "is_published": "published",
    "too_uncertain_to_rank": "too uncertain to rank",
}
VERDICTS = {
    BEYOND: "beyond both intervals",
    PARTLY: "beyond one",
    WITHIN: "within both",
    UNTESTED: "not tested (no interval)",
}
_FEW = 5  # names in one sentence


def opening(found: Differences) -> Iterator[str]:
    """What the two sides have in common, and the answer in short."""
    if not found.any:
        yield f"Nothing differs: A and B have the same results, {_counted(found)}."
    yield from _without_results(found)
    for name, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            yield f"Only {name} has results of {listed(only)} that may be compared."
    n_same = len(found.pairs) - len(found.changed)
    if found.any and n_same:
        yield f"The results of {n_same} of {plural(len(found.pairs), 'pair')} in both are the same."
    if len(found.moved):
        counts = found.moved["verdict"].value_counts()
        told = [f"{counts.get(each, 0):,} {title}" for each, title in VERDICTS.items()]
        of = f"Of {_counted(found)} that both give, {len(found.moved):,} moved"
        yield f"{of}: {', '.join(told)}."
    elif found.changed:
        yield f"No predicted decile moved, of {_counted(found)} that both give."
    for name, side in (("A", found.a), ("B", found.b)):
        for why in side.left_out:
            yield f"Left out of {name}: {why}."


def _without_results(found: Differences) -> Iterator[str]:
    for name, side in (("A", found.a), ("B", found.b)):
        if not side.pairs:
            yield f"{name} has no result: no area of any pair has a prediction that may be shown."
    if found.a.pairs and found.b.pairs and not found.pairs:
        yield (
            "A and B have no pair of city and outcome in common, so that no area can be compared: "
            "they are results of different studies."
        )


def side_line(side: Side) -> str:
    """A side as one line: its title, what it is, and how much it has."""
    kind = f"synthetic {side.kind}" if side.provenance.synthetic else side.kind
    deciles = _deciles(len(side.areas), len(side.pairs))
    return f"{side.title} ({kind}; {deciles}; streetineq {side.provenance.version})"


def pair_notes(found: Differences, pair: PairDifference) -> Iterator[str]:
    """What else differs among the areas of a pair than their deciles."""
    if not pair.n_both:
        yield "No area is in both: the pair is of other places in A than in B."
    for verdict in (ONLY_A, ONLY_B):
        if codes := pair.only(verdict):
            yield (
                f"{plural(len(codes), 'area')} {verdict}, so that ranks are among other areas: "
                f"{listed(codes)}."
            )
    counts = {
        "another score": pair.n_scores,
        "another interval": pair.n_intervals,
        "another actual decile": pair.n_relabelled,
    }
    if told := [f"{plural(n, 'area')} with {what}" for what, n in counts.items() if n]:
        yield f"Of {plural(pair.n_both, 'area')} in both: {', '.join(told)}."
    for flag, transitions in pair.flags.items():
        for (old, new), n in transitions.items():
            yield f"{TITLES[flag]}: {old} in A, {new} in B, in {plural(n, 'area')}."
    if found.is_unexplained(pair):
        yield (
            "Both sides record the same predictions, and the tables differ: the files of one are "
            "not those that its provenance is of."
        )


def moved_row(row: Any) -> dict[str, str]:
    """A moved area, of `tables.CHANGED_AREAS`, as texts."""
    return {
        "pair": f"{row.city}/{row.outcome}",
        "area": row.area,
        "a": str(row.decile_a),
        "b": str(row.decile_b),
        "move": f"{row.move:+d}",
        "interval_a": decile_interval(row.lower_a, row.upper_a),
        "interval_b": decile_interval(row.lower_b, row.upper_b),
        "verdict": VERDICTS[row.verdict],
    }


def metric_row(row: Any) -> dict[str, str]:
    """A metric on both sides, as texts."""
    return {
        "pair": f"{row.city}/{row.outcome}",
        "metric": METRIC_TITLES[row.metric],
        "model": MODEL_TITLES[row.model],
        "scheme": row.scheme.replace("_", " "),
        "a": _value(row.value_a, row.lower_a, row.upper_a),
        "b": _value(row.value_b, row.lower_b, row.upper_b),
    }


def chain_lines(found: Differences) -> Iterator[str]:
    """Where the content of the pairs' chains begins to differ."""
    chains, n_pairs = found.causes.chains, n_compared(found)
    for chain, pairs in chains.items():
        if chain.differs:
            yield f"{of_pairs(pairs, n_pairs)}: {_chain(chain)}."
        else:
            yield f"{of_pairs(pairs, n_pairs)}: the content of every artefact is the same."


def changes(found: Differences) -> dict[str, tuple[Change, ...]]:
    """What is recorded otherwise, by kind; kinds of which nothing is are left out."""
    causes = found.causes
    kinds = {
        "Settings": causes.settings,
        "Code versions": causes.code_versions,
        "Sources": causes.sources,
        "Study, platform and libraries": causes.of_study,
    }
    return {kind: found for kind, found in kinds.items() if found}


def n_compared(found: Differences) -> int:
    """How many pairs both sides record."""
    return sum(map(len, found.causes.chains.values()))


def change_line(change: Change, n_pairs: int) -> str:
    """`Seed: 7 in A, 8 in B (all 3 pairs)`."""
    of = f" ({of_pairs(change.pairs, n_pairs)})" if change.pairs else ""
    return f"{change.what}: {change.a or 'none'} in A, {change.b or 'none'} in B{of}"


def of_pairs(pairs: Sequence[str], n_pairs: int) -> str:
    """Some of the pairs that both sides record."""
    if len(pairs) == n_pairs and n_pairs > 1:
        return f"all {n_pairs} pairs"
    return listed(pairs)


def decile_interval(lower: Any, upper: Any) -> str:
    """`2 to 4`; `none` where there is none."""
    return "none" if pd.isna(lower) or pd.isna(upper) else f"{lower} to {upper}"


def decimal(value: float) -> str:
    """With two decimals; `none` where it is undefined."""
    return "none" if pd.isna(value) else f"{value:z.2f}"


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - _FEW} more" if len(every) > _FEW else ""
    return ", ".join(every[:_FEW]) + more


def plural(n: int, what: str) -> str:
    """`1 area`, `2 areas`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _counted(found: Differences) -> str:
    return _deciles(sum(pair.n_both for pair in found.pairs), len(found.pairs))


def _deciles(n_areas: int, n_pairs: int) -> str:
    return f"{plural(n_areas, 'predicted decile')} of {plural(n_pairs, 'pair')}"


def _chain(chain: Chain) -> str:
    told = [f"the same up to {chain.before[-1]}"] if chain.first and chain.before else []
    if chain.first:
        code = ": code version {} in A, {} in B".format(*chain.code) if chain.code else ""
        told.append(f"the first to differ is {chain.first}{code}")
    if chain.also:
        told.append(f"after it differ {', '.join(chain.also)}")
    if chain.again:
        told.append(f"the same after it: {', '.join(chain.again)}")
    if chain.alone:
        told.append(f"on one side alone: {', '.join(chain.alone)}")
    return "; ".join(told)


def _value(value: float, lower: float, upper: float) -> str:
    interval = "" if pd.isna(lower) or pd.isna(upper) else f" ({value_range(lower, upper)})"
    return f"{decimal(value)}{interval}"
