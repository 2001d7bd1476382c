"""The checks of this step: of scores under a scheme, of the matrix of them, of errors by group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.evidence.clustered import MIN_CLUSTERS
from streetineq_assets.evidence.equity import SAME_DECILE, SIGNIFICANT
from streetineq_assets.evidence.schemes import STRICTNESS, TITLES
from streetineq_assets.findings import AVAILABLE, Check, CheckSpec
from streetineq_assets.models.folds import LEAKY, FoldTable
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK

OUT_OF_FOLD = CheckSpec(
    "out_of_fold", "Every area is scored in the fold that tests it.", blocking=True
)
ONE_SCORE_PER_AREA = CheckSpec(
    "one_score_per_area", "One score per outcome, model, training and area.", blocking=True
)
ALL_MODELS = CheckSpec("all_models", "Every outcome has scores of the network and of the map.")
SCHEME_SCORES = (AVAILABLE, OUT_OF_FOLD, ONE_SCORE_PER_AREA, ALL_MODELS)

ALL_SCHEMES = CheckSpec("all_schemes", "Every scheme of the study was tried.")
BEATS_THE_MAP = CheckSpec(
    "beats_the_map", "Where the map is of least help, the network beats the best map baseline."
)
NOT_FLATTERED = CheckSpec(
    "not_flattered", "The study's own scheme flatters the network by no more than a little."
)
EVIDENCE_MATRIX = (AVAILABLE, ALL_SCHEMES, BEATS_THE_MAP, NOT_FLATTERED)

NO_GROUP_IS_MISSED = CheckSpec(
    "no_group_is_missed",
    "No group's areas are predicted better-off or worse-off than others of the same actual decile.",
)
EQUITY_AUDIT = (AVAILABLE, NO_GROUP_IS_MISSED)

_MOST_NAMED = 5
_METRIC = "spearman_score"
_LITTLE = 0.05
_WITHIN_THE_CITY = tuple(each for each in STRICTNESS if each != "city" and each not in LEAKY)
_KEYS = ["outcome", "model", "seed", "area"]


def score_checks(scores: pd.DataFrame, table: FoldTable, outcomes: Sequence[str]) -> list[Check]:
    """The checks of one scheme's scores.

    Args:
        scores: `tables.SCHEME_SCORES` of one city and scheme.
        table: the folds.
        outcomes: those that were trained.
    """
    twice = int(scores.duplicated(_KEYS).sum())
    known = scores.dropna(subset=["score"])
    models = {str(key): set(group["model"]) for key, group in known.groupby("outcome")}
    wanted = {JOINT_NETWORK} | (set() if table.scheme == "city" else set(MAPS))
    lacking = [each for each in outcomes if not wanted <= models.get(each, set())]
    text = f"{len(outcomes) - len(lacking)} of {len(outcomes)} outcomes have scores of all models"
    if lacking:
        text += f"; {', '.join(lacking)} lack some: materialise locations and area_folds again"
    return [
        AVAILABLE.result(len(scores) > 0, f"{len(scores)} scores"),
        _out_of_fold(scores, table),
        ONE_SCORE_PER_AREA.result(twice == 0, f"{twice} scores are repeated", of=len(scores)),
        ALL_MODELS.result(not lacking, text, of=len(outcomes)),
    ]


def _out_of_fold(scores: pd.DataFrame, table: FoldTable) -> Check:
    fold_of = table.areas.set_index("area")["fold"].reindex(scores["area"]).to_numpy()
    astray = int((fold_of != scores["fold"].to_numpy()).sum())
    text = f"{astray} scores are of a fold that does not test their area"
    return OUT_OF_FOLD.result(astray == 0, text, of=len(scores), n_astray=astray)


def all_schemes(scored: Sequence[str], wanted: Sequence[str], reasons: Sequence[str]) -> Check:
    """Whether every scheme of the study is in the matrix.

    Args:
        reasons: of those that are not, a sentence each.
    """
    text = f"{len(scored)} of {len(wanted)} schemes: {', '.join(scored) or 'none'}"
    if reasons:
        text += f"; {'; '.join(reasons)}"
    return ALL_SCHEMES.result(set(scored) >= set(wanted), text, of=len(wanted))


def beats_the_map(gains: pd.DataFrame) -> Check:
    """Whether the network's gain over the best map is above 0 under the strictest scheme.

    Args:
        gains: `tables.GAINS` of one city.
    """
    mine = gains[(gains["model"] == JOINT_NETWORK) & (gains["metric"] == _METRIC)]
    schemes = [each for each in _WITHIN_THE_CITY if each in set(mine["scheme"])]
    if not schemes:
        return BEATS_THE_MAP.not_tested(
            "no scheme within the city has scores of the network and of the map: materialise "
            "scheme_scores"
        )
    rows, unknown = _told(mine[mine["scheme"] == schemes[-1]], "gain")
    title = TITLES[schemes[-1]].lower()
    if rows.empty:
        return BEATS_THE_MAP.not_tested(f"{title}: {unknown}")
    ahead = rows["lower"] > 0
    text = (
        f"{title}: in {int(ahead.sum())} of {len(rows)} outcomes the network's Spearman "
        f"correlation is above that of the best map: {_listed(rows, 'gain')}"
    )
    if not ahead.all():
        text += "; where the interval reaches 0, do not say that the pictures add to the map"
    values: dict[str, Any] = {"n_outcomes_ahead": int(ahead.sum())}
    if unknown:
        text += f"; {unknown}"
        if ahead.all():
            return BEATS_THE_MAP.not_tested(text, **values)
    return BEATS_THE_MAP.result(bool(ahead.all()), text, **values)


def not_flattered(flattery: pd.DataFrame, own_scheme: str) -> Check:
    """Whether the study's scheme shows the network as spatial blocks do, but for a little.

    Args:
        flattery: `tables.FLATTERY` of one city.
    """
    mine = flattery[(flattery["model"] == JOINT_NETWORK) & (flattery["metric"] == _METRIC)]
    compared = mine[mine["scheme"] == "spatial_block"]
    if compared.empty:
        why = f"the network was not scored under {own_scheme} and under spatial blocks"
        if own_scheme == "spatial_block":
            why = "spatial blocks are the study's own scheme"
        return NOT_FLATTERED.not_tested(why)
    rows, unknown = _told(compared, "flattery")
    if rows.empty:
        return NOT_FLATTERED.not_tested(unknown)
    text = (
        f"Spearman's correlation under {own_scheme} less that under spatial blocks: "
        f"{_listed(rows, 'flattery')} (limit {_LITTLE})"
    )
    text += f"; {unknown}" if unknown else ""
    if (rows["upper"] <= _LITTLE).all() and not unknown:
        return NOT_FLATTERED.result(True, text)
    if (rows["lower"] > 0).any():
        text += "; quote the figures under spatial blocks beside those of the study's scheme"
        return NOT_FLATTERED.result(False, text, largest=float(np.max(rows["flattery"])))
    return NOT_FLATTERED.not_tested(f"too few areas to tell. {text}")


def _told(rows: pd.DataFrame, column: str) -> tuple[pd.DataFrame, str]:
    """The rows with an interval, and in words which have none; empty where all have one."""
    known = rows[[column, "lower", "upper"]].notna().all(axis=1)
    lacking = rows[~known]
    if lacking.empty:
        return rows, ""
    named = ", ".join(f"{row.outcome} ({row.n_lsoas} areas)" for row in lacking.itertuples())
    return rows[known], (
        f"nothing is known of {named}: areas are too few for an interval, or their scores or "
        "actual deciles are all one; add images of more areas"
    )


def _listed(rows: pd.DataFrame, column: str) -> str:
    return "; ".join(
        f"{row['outcome']} {row[column]:z.2f} ({row['lower']:z.2f} to {row['upper']:z.2f})"
        for _, row in rows.iterrows()
    )


def no_group_is_missed(table: pd.DataFrame) -> Check:
    """Whether any group's errors differ from those of the rest at the same official value.

    Args:
        table: `tables.EQUITY` of one pair.
    """
    groups = table[table["measure"] == SAME_DECILE]
    tested = groups[groups["p_adjusted"].notna()]
    if tested.empty:
        return NO_GROUP_IS_MISSED.not_tested(
            f"no grouping has a group that lies, as the rest does, in {MIN_CLUSTERS} MSOAs or more "
            "and errs differently from area to area; bring groups of areas in inputs/groups"
        )
    by_size = tested.sort_values("value", key=abs, ascending=False)
    found = by_size[by_size["differs"].astype(bool)]
    untested = groups[groups["p_adjusted"].isna()]
    values = {
        "n_groups_tested": len(tested),
        "n_groups_differ": len(found),
        "n_groups_not_tested": len(untested),
    }
    of = f"of {len(tested)} groups, beside others of the same actual decile"
    if found.empty:
        widest = float((tested["upper"] - tested["lower"]).max() / 2)
        text = (
            f"none {of}, errs otherwise (adjusted p > {SIGNIFICANT}); the largest difference is "
            f"{_named(by_size.iloc[0])}, and the widest interval is {widest:.1f} to either side"
        )
        text += _untested(untested)
        return NO_GROUP_IS_MISSED.result(True, text, **values)
    named = "; ".join(_named(row) for _, row in found.head(_MOST_NAMED).iterrows())
    text = (
        f"{len(found)} {of}, err otherwise (adjusted p <= {SIGNIFICANT}): {named}. Above 0 their "
        "need is missed. Do not fund or rank across these groups by the predictions, and compare "
        "their images: number, date, provider"
    )
    text += _untested(untested)
    return NO_GROUP_IS_MISSED.result(False, text, **values)


def _untested(groups: pd.DataFrame) -> str:
    """Which groups nothing is said of; empty where there are none."""
    if groups.empty:
        return ""
    named = ", ".join(
        f"{row.grouping} {row.group} ({row.n_lsoas} ranked)"
        for row in groups.head(_MOST_NAMED).itertuples()
    )
    more = f" and {len(groups) - _MOST_NAMED} more" if len(groups) > _MOST_NAMED else ""
    return (
        f"; not tested, since they or the rest lie in fewer than {MIN_CLUSTERS} MSOAs or have no "
        f"counterpart of the same decile: {named}{more}"
    )


def _named(row: pd.Series) -> str:
    return (
        f"{row['grouping']} {row['group']} {row['value']:+.2f} deciles "
        f"({row['lower']:.2f} to {row['upper']:.2f})"
    )
