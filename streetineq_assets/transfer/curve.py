"""How well tuned networks rank a city's areas, by the share of the city that tuned them.

Deciles are relative to each city, so what can be transferred is a ranking. The lines to compare
with are those of the target itself, on the same folds: its own networks, and coordinates alone. So
what was made of other folds, labels or codes than stand now is left out.
"""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from streetineq_assets.predictions.evaluation import MAP_KNN, NETWORK
from streetineq_assets.predictions.lineage import Disagreement, Lineage
from streetineq_assets.predictions.tables import SchemeRecord
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty
from streetineq_assets.transfer.tables import CURVE, CURVE_SUMMARY, TunedRecord

RANK_METRICS = ("spearman_score", "kendall", "kappa_quadratic")
SHOWN_METRIC = "spearman_score"
TUNED, OWN, OTHERS = "fine_tuned", "trained_here", "other_cities"
_TUNED_ASSET, _OWN_ASSET = "fine_tuned_model", "lsoa_evaluation"
# What the columns were called before version 2 of `fine_tuned_model`, which may not be made again.
_RENAMED = {"fraction": "share", "draw": "repeat"}


class PairEvaluations(NamedTuple):
    """A pair's evaluations, None where they are absent, unavailable or of an earlier state.

    Attributes:
        tuned: `fine_tuned_model`.
        own: `lsoa_evaluation`.
        disagreements: why one is left out as of an earlier state.
    """

    pair: Pair
    tuned: Artefact | None
    own: Artefact | None
    disagreements: tuple[Disagreement, ...]


def read_targets(store: DataStore, study: Study) -> list[PairEvaluations]:
    """Every pair of the study, with what is published of it.

    Raises:
        StoreError: an artefact's files no longer match its manifest.
    """
    lineage = Lineage(store, study)
    return [_read_target(store, lineage, pair) for pair in study.pairs]


def left_out_notes(targets: Iterable[PairEvaluations]) -> dict[str, str]:
    """A note of what is left out as of an earlier state, if anything is."""
    whys = dict.fromkeys(str(why) for target in targets for why in target.disagreements)
    return {"left_out": f"Left out: {'; '.join(whys)}. Materialise them again."} if whys else {}


def digests(targets: Iterable[PairEvaluations]) -> dict[str, str]:
    """Of each evaluation that is read, for the recipe."""
    return {
        f"{evaluation.manifest.asset}/{target.pair}": evaluation.digest
        for target in targets
        for evaluation in (target.tuned, target.own)
        if evaluation
    }


def gather(targets: Iterable[PairEvaluations]) -> pd.DataFrame:
    """The rank metrics of every target (`tables.CURVE`).

    A pair is a target when networks were tuned for it, or when its folds hold out whole cities:
    then its own evaluation is that of networks trained on the others.
    """
    parts = [empty(CURVE)]
    for target in targets:
        if target.tuned:
            source = target.tuned.manifest.read_record(TunedRecord).source
            tuned = target.tuned.table("tuned_metrics.parquet").rename(columns=_RENAMED)
            parts.append(tuned.assign(network=TUNED, source=source))
            if target.own:
                parts.append(_compared(target.own).assign(source=source))
        elif target.own and _scheme(target.own) == "city":
            parts.append(_compared(target.own).assign(source="the other cities"))
    frame = pd.concat([conform(part, CURVE) for part in parts], ignore_index=True)
    return frame[frame["metric"].isin(RANK_METRICS)].reset_index(drop=True)


def summarise(curve: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over the repeats (`tables.CURVE_SUMMARY`).

    Args:
        curve: `tables.CURVE`.
    """
    keys = ["source", "city", "outcome", "network", "share", "metric"]
    grouped = curve.groupby(keys, sort=True)["value"]
    table = grouped.agg(mean="mean", lowest="min", highest="max", n_repeats="size")
    return conform(table.reset_index(), CURVE_SUMMARY)


def _read_target(store: DataStore, lineage: Lineage, pair: Pair) -> PairEvaluations:
    whys = {asset: lineage.disagreements(asset, pair.key) for asset in (_TUNED_ASSET, _OWN_ASSET)}
    tuned, own = (None if why else _available(store, asset, pair) for asset, why in whys.items())
    disagreements = tuple(dict.fromkeys(each for why in whys.values() for each in why))
    return PairEvaluations(pair, tuned, own, disagreements)


def _available(store: DataStore, asset: str, pair: Pair) -> Artefact | None:
    manifest = store.manifest(asset, pair.key)
    return store.open(asset, pair.key) if manifest and not manifest.unavailable else None


def _scheme(evaluation: Artefact) -> str | None:
    return evaluation.manifest.read_record(SchemeRecord).scheme


def _compared(evaluation: Artefact) -> pd.DataFrame:
    """The target's own networks and coordinates alone, under the scheme of the networks' folds."""
    scheme = _scheme(evaluation)
    names = {NETWORK: OTHERS if scheme == "city" else OWN, MAP_KNN: MAP_KNN}
    table = evaluation.table("metrics.parquet")
    mine = table[(table["scheme"] == scheme) & table["model"].isin(list(names))]
    share = 0.0 if scheme == "city" else 1.0
    return mine.assign(network=mine["model"].map(names), share=share, repeat=0)
