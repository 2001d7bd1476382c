"""How well tuned networks rank a city's areas, by the share of the city that tuned them.

Deciles are relative to each city, so what can be transferred is a ranking. The lines to compare
with are those of the target itself, on the same folds: networks trained from scratch on the same
share, its own networks, and the nearest areas. So what was made of other folds, labels or codes
than stand now is left out.
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
from streetineq_assets.transfer.comparison import METRIC, ComparedAreas, compare
from streetineq_assets.transfer.tables import (
    CURVE,
    CURVE_SUMMARY,
    EITHER,
    OTHERS,
    OWN,
    REPEAT,
    SHARE,
    TRANSFER_COMPARISONS,
    TUNED,
    TunedRecord,
)

RANK_METRICS = ("spearman_score", "kendall", "kappa_quadratic")
SHOWN_METRIC = METRIC
_TUNED_ASSET, _OWN_ASSET, _OWN_AREAS = "fine_tuned_model", "lsoa_evaluation", "lsoa_predictions"
_FOLDS = "area_folds"
# What the columns were called before version 2 of `fine_tuned_model`, which may not be made again.
_RENAMED = {"fraction": "share", "draw": "repeat"}


class PairEvaluations(NamedTuple):
    """A pair's evaluations, None where they are absent, unavailable or of an earlier state.

    Attributes:
        tuned: `fine_tuned_model`.
        own: `lsoa_evaluation`.
        disagreements: why one is left out as of an earlier state.
        own_areas: `lsoa_predictions`, of the same networks as `own`.
        folds: `area_folds` of the city.
    """

    pair: Pair
    tuned: Artefact | None
    own: Artefact | None
    disagreements: tuple[Disagreement, ...]
    own_areas: Artefact | None
    folds: Artefact | None


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
    """Of each artefact that is read, for the recipe."""
    return {
        f"{artefact.manifest.asset}/{artefact.manifest.partition}": artefact.digest
        for target in targets
        for artefact in (target.tuned, target.own, target.own_areas, target.folds)
        if artefact
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
            tuned = _with_labelled(_read_tuned(target.tuned, "tuned_metrics"), target.tuned)
            parts.append(tuned.assign(source=source))
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
    keys = ["source", "city", "outcome", *SHARE, "metric"]
    table = curve.groupby(keys, sort=True).agg(
        mean=("value", _mean_of_all),
        lowest=("value", "min"),
        highest=("value", "max"),
        n_repeats=("value", "size"),
        n_lsoas_labelled=("n_lsoas_labelled", "mean"),
        share_lsoas_labelled=("share_lsoas_labelled", "mean"),
    )
    return conform(table.reset_index(), CURVE_SUMMARY)


def _mean_of_all(values: pd.Series) -> float:
    """NaN where one of the repeats has no value: it is not the mean of the others."""
    return float(values.mean(skipna=False))


def compare_all(targets: Iterable[PairEvaluations], study: Study) -> pd.DataFrame:
    """Every target's tuned networks against the others (`tables.TRANSFER_COMPARISONS`).

    Networks that an earlier version tuned have no controls, and are compared with the others.
    """
    rows: list[dict] = []
    for target in targets:
        if target.tuned is None or target.folds is None:
            continue
        areas = ComparedAreas(
            tuned=_read_tuned(target.tuned, "tuned_lsoas"),
            own=target.own_areas.table() if target.own_areas else None,
            centroids=target.folds.table("centroids.parquet"),
            margin=study.transfer.equivalence_margin,
            seed=study.seed,
        )
        source = target.tuned.manifest.read_record(TunedRecord).source
        rows += [target.pair._asdict() | {"source": source} | row for row in compare(areas)]
    table = pd.DataFrame(rows)
    return conform(table, TRANSFER_COMPARISONS) if rows else empty(TRANSFER_COMPARISONS)


def _read_target(store: DataStore, lineage: Lineage, pair: Pair) -> PairEvaluations:
    whys = {asset: lineage.disagreements(asset, pair.key) for asset in (_TUNED_ASSET, _OWN_ASSET)}
    tuned, own = (
        None if why else _available(store, asset, pair.key) for asset, why in whys.items()
    )
    disagreements = tuple(dict.fromkeys(each for why in whys.values() for each in why))
    # What an evaluation was made of agrees with it, or it would have been left out.
    own_areas = _available(store, _OWN_AREAS, pair.key) if tuned and own else None
    folds = _available(store, _FOLDS, pair.city) if tuned else None
    return PairEvaluations(pair, tuned, own, disagreements, own_areas, folds)


def _available(store: DataStore, asset: str, partition: str) -> Artefact | None:
    manifest = store.manifest(asset, partition)
    return store.open(asset, partition) if manifest and not manifest.unavailable else None


def _read_tuned(tuned: Artefact, stem: str) -> pd.DataFrame:
    """A table of `fine_tuned_model`; those of versions 1 and 2 had one unit and no controls."""
    table = tuned.table(f"{stem}.parquet").rename(columns=_RENAMED)
    if "share_of" in table:
        return table
    unit = tuned.manifest.recipe.config.get("transfer", {}).get("unit", "locations")
    is_end = table["share"].isin([0.0, 1.0])
    return table.assign(network=TUNED, share_of=pd.Series(unit, table.index).mask(is_end, EITHER))


def _with_labelled(metrics: pd.DataFrame, tuned: Artefact) -> pd.DataFrame:
    """With how many areas' labels each attempt used, in all and of the fold's, over the folds."""
    runs = tuned.table("tuning_runs.parquet")
    if "n_lsoas_of_fold" not in runs:  # of version 1 or 2
        return metrics.assign(n_lsoas_labelled=float("nan"), share_lsoas_labelled=float("nan"))
    means = runs.groupby(REPEAT, as_index=False)[["n_lsoas", "n_lsoas_of_fold"]].mean()
    share = means["n_lsoas"] / means.pop("n_lsoas_of_fold")
    labelled = means.rename(columns={"n_lsoas": "n_lsoas_labelled"})
    return metrics.merge(labelled.assign(share_lsoas_labelled=share), on=REPEAT, how="left")


def _scheme(evaluation: Artefact) -> str | None:
    return evaluation.manifest.read_record(SchemeRecord).scheme


def _compared(evaluation: Artefact) -> pd.DataFrame:
    """The target's own networks and the nearest areas, under the scheme of the networks' folds.

    Of folds that hold out whole cities there are no coordinates to compare with: neighbours in
    another city are none.
    """
    scheme = _scheme(evaluation)
    names = {NETWORK: OTHERS} if scheme == "city" else {NETWORK: OWN, MAP_KNN: MAP_KNN}
    table = evaluation.table("metrics.parquet")
    mine = table[(table["scheme"] == scheme) & table["model"].isin(list(names))]
    share = 0.0 if scheme == "city" else 1.0
    return mine.assign(
        network=mine["model"].map(names),
        share_of=EITHER,
        share=share,
        repeat=0,
        share_lsoas_labelled=share,
        n_lsoas_labelled=float("nan"),
    )
