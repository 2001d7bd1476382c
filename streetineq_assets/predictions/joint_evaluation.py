"""The joint networks of a city beside its separate ones, on the same areas, folds and rule."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import (
    Check,
    Findings,
    Scalar,
    Unavailable,
    unavailable_findings,
)
from streetineq_assets.models.bundles.provenance import refuse_stale_joint
from streetineq_assets.models.dataset import city_labels
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.predictions import checks
from streetineq_assets.predictions.evaluation import NETWORK, Reference, evaluate_scores
from streetineq_assets.predictions.location_scores import matched_locations, tested_by
from streetineq_assets.predictions.tables import METRICS
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty, write

JOINT_NETWORK = "joint_network"
COMPARED = ("kappa_quadratic", "spearman_score", "mae")
_SEPARATE = "lsoa_evaluation"


@dataclass(frozen=True)
class JointSources:
    """What the evaluation of a city's joint networks reads.

    Attributes:
        trained, folds: the published artefacts.
        references: outcome to what its scores are evaluated against.
        separate: outcome to the evaluation of its own networks, where there is one.
    """

    trained: Artefact
    folds: Artefact
    references: dict[str, Reference]
    separate: dict[str, Artefact]

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        of_city = next(iter(self.references.values()))
        found = {
            "joint_model": self.trained.digest,
            "locations": digest_frame(of_city.locations),
            "area_folds": self.folds.digest,
        }
        for outcome, reference in self.references.items():
            found[f"labels/{outcome}"] = digest_frame(reference.labels)
        for outcome, evaluation in self.separate.items():
            found[f"{_SEPARATE}/{outcome}"] = evaluation.digest
        return found


def read_joint_sources(store: DataStore, study: Study, city: str) -> JointSources:
    """Open what the evaluation reads, each slice once.

    Raises:
        StoreError: an artefact is absent or damaged, or the networks learned from other labels than
            stand now; the message names what to materialise.
    """
    outcomes = study.cities[city].outcomes
    artefact, trained = store.open("area_folds", city), store.open("joint_model", city)
    folds = FoldTable.load(artefact)
    scheme = folds.scheme if folds else study.folds.scheme
    refuse_stale_joint(store, trained.manifest, scheme)
    labels = city_labels(store.open("lsoa_labels"), city, outcomes)
    of_city = Reference(
        pair=Pair(city, outcomes[0]),
        locations=matched_locations(store, city),
        labels=labels,
        tested=tested_by(folds),
        centroids=artefact.table("centroids.parquet"),
        rule=study.aggregation,
        scheme=scheme,
        seed=study.seed,
        areas=study.areas,
        level=study.intervals.level,
    )
    return JointSources(
        trained=trained,
        folds=artefact,
        references={
            outcome: replace(of_city, pair=Pair(city, outcome), labels=_of_outcome(labels, outcome))
            for outcome in outcomes
        },
        separate={
            outcome: store.open(_SEPARATE, Pair(city, outcome).key)
            for outcome in outcomes
            if store.manifest(_SEPARATE, Pair(city, outcome).key)
        },
    )


def write_joint_evaluation(sources: JointSources, folder: Path) -> Findings:
    """Evaluate every head, and write `joint_evaluation.parquet`."""
    file = folder / "joint_evaluation.parquet"
    if why := sources.trained.manifest.unavailable:
        write(empty(METRICS), METRICS, file)
        return unavailable_findings(why, checks.JOINT_EVALUATION)
    metrics, found = evaluate_outcomes(sources.trained.table(), sources.references)
    write(metrics, METRICS, file)
    if metrics.empty and all(check.passed for check in found):
        return unavailable_findings(_no_head(sources), checks.JOINT_EVALUATION)
    own = [evaluation.table("metrics.parquet") for evaluation in sources.separate.values()]
    compared = side_by_side(metrics, pd.concat(own)) if own and len(metrics) else []
    return Findings(
        checks=[checks.inputs_available(), *found],
        tables={"comparison": compared},
        notes=checks.leak_notes(each.scheme for each in sources.references.values()),
        holdings={
            f"metrics of {outcome}": int((metrics["outcome"] == outcome).sum())
            for outcome in sources.references
        },
    )


def _no_head(sources: JointSources) -> Unavailable:
    outcomes, label = ", ".join(sources.references), sources.trained.manifest.label
    return Unavailable(f"{label} made again", f"none of its networks' outcomes is of {outcomes}")


def evaluate_outcomes(
    scores: pd.DataFrame, references: Mapping[str, Reference]
) -> tuple[pd.DataFrame, list[Check]]:
    """The metrics of every head, and the blocking checks of its locations.

    Args:
        scores: `models.tables.JOINT_SCORES`, out of fold. A location whose area has no label for an
            outcome has a score there too, which is not evaluated.
        references: outcome to what its scores are evaluated against. Scores of other outcomes, such
            as those that have left the study since the training, are left out.

    Returns:
        `tables.METRICS` with the model `joint_network`; and the checks of the first outcome that
        fails them.
    """
    parts: list[pd.DataFrame] = [empty(METRICS)]
    found: list[Check] = []
    known = scores[scores["outcome"].isin(list(references))]
    for outcome, group in known.groupby("outcome", sort=True):
        reference = references[str(outcome)]
        locations = reference.locations
        unlabelled = ~locations["area"].isin(reference.labels["area"])
        left_out = group["location_id"].isin(locations.loc[unlabelled, "location_id"])
        own = group[~left_out].drop(columns="outcome").reset_index(drop=True)
        evaluated = evaluate_scores(own, reference)
        parts.append(evaluated.metrics.assign(model=JOINT_NETWORK))
        found += checks.location_checks(evaluated.locations, reference.tested)
    metrics = conform(pd.concat(parts, ignore_index=True), METRICS)
    return metrics, checks.first_failures(found)


def side_by_side(joint: pd.DataFrame, separate: pd.DataFrame) -> list[dict[str, Scalar]]:
    """A row per outcome and compared metric: `outcome, metric, separate, joint`.

    Args:
        joint: `tables.METRICS` of the joint networks.
        separate: `tables.METRICS` of the pairs' own networks and baselines.
    """
    keys = ["outcome", "metric", "scheme"]
    own = separate[separate["model"] == NETWORK][[*keys, "value"]]
    both = joint[[*keys, "value"]].merge(own, on=keys, how="left", suffixes=("", "_separate"))
    shown = both[both["metric"].isin(COMPARED)]
    renamed = shown.rename(columns={"value": "joint", "value_separate": "separate"})
    return renamed[["outcome", "metric", "separate", "joint"]].to_dict("records")


def _of_outcome(labels: pd.DataFrame, outcome: str) -> pd.DataFrame:
    mine = labels["outcome"] == outcome
    return labels.loc[mine, ["area", "decile"]].reset_index(drop=True)
