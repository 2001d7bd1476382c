"""How what is published came about: with which settings each pair was made, and what agrees.

All of it is told by manifests. What study.toml says today may have been edited since, and what
stands beside a pair may have been made again since.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.predictions.lineage import EVALUATION, Disagreement, Lineage, label_of
from streetineq_assets.settings import Areas, Folds
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

JOINT, TRANSFER, TUNED = "joint_evaluation", "transfer_report", "fine_tuned_model"
AUDIT, EVIDENCE, EQUITY = "data_audit", "evidence_matrix", "equity_audit"
EXPLANATIONS = "explanations"
RULE = "Aggregation rule"
INTERVALS = "Level of intervals"
TRAINING = "Training: "  # before each setting of it
# What tells pairs apart in a table; the training as a whole is too long for one.
STATED = ("Profile", "Folds", "Spatial blocks", "Seed", RULE, "Date", "Editions")
_UNKNOWN = "not known: {label} was made again since"

Disagreements = tuple[Disagreement, ...]


@dataclass(frozen=True)
class History:
    """How what is published of a study came about.

    Attributes:
        made_with: pair to its settings, name to value as the report prints them; none where
            networks are absent or unavailable.
        evaluations, tuned, equity, explanations: pair to what does not agree in its evaluation, its
            tuned networks, its equity audit, or what pushes its scores.
        joint, shards, audits, evidence: city to what does not agree in its joint evaluation, its
            codes, its audit, or its evidence matrix.
        transfer: what does not agree in `transfer_report` itself.
        tuned_on: of what the shares are that tuned networks, `locations`, `areas` or both.
    """

    made_with: Mapping[Pair, Mapping[str, str]]
    evaluations: Mapping[Pair, Disagreements]
    tuned: Mapping[Pair, Disagreements]
    equity: Mapping[Pair, Disagreements]
    explanations: Mapping[Pair, Disagreements]
    joint: Mapping[str, Disagreements]
    shards: Mapping[str, Disagreements]
    audits: Mapping[str, Disagreements]
    evidence: Mapping[str, Disagreements]
    transfer: Disagreements
    tuned_on: str

    @cached_property
    def left_out(self) -> dict[str, Disagreements]:
        """Label of each result that does not agree with what stands before it, and why."""
        of_pairs = {
            EVALUATION: self.evaluations,
            EQUITY: self.equity,
            EXPLANATIONS: self.explanations,
            TUNED: self.tuned,
        }
        of_cities = {JOINT: self.joint, AUDIT: self.audits, EVIDENCE: self.evidence}
        found = {
            label_of((asset, pair.key)): why
            for asset, whys in of_pairs.items()
            for pair, why in whys.items()
        }
        found |= {
            label_of((asset, city)): why
            for asset, whys in of_cities.items()
            for city, why in whys.items()
        }
        found[TRANSFER] = self.transfer
        return {label: why for label, why in found.items() if why}

    @property
    def digest(self) -> str:
        """sha256 of all that is told here."""
        settings = {pair.key: dict(values) for pair, values in self.made_with.items()}
        whys = {label: list(map(str, why)) for label, why in self.left_out.items()}
        shards = {city: list(map(str, why)) for city, why in self.shards.items()}
        told = json.dumps([settings, whys, shards, self.tuned_on], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


def read_history(store: DataStore, study: Study) -> History:
    """Read manifests, and compare them with what stands.

    Raises:
        StoreError: an artefact's files no longer match its manifest, or an earlier version did not
            record what is told of it.
    """
    lineage = Lineage(store, study)
    evaluations = {p: lineage.disagreements(EVALUATION, p.key) for p in study.pairs}
    transfer = lineage.disagreements(TRANSFER, None)
    return History(
        made_with={pair: made_with(store, lineage, pair) for pair in study.pairs},
        evaluations=evaluations,
        tuned={pair: lineage.disagreements(TUNED, pair.key) for pair in study.pairs},
        equity={pair: lineage.disagreements(EQUITY, pair.key) for pair in study.pairs},
        explanations={p: lineage.disagreements(EXPLANATIONS, p.key) for p in study.pairs},
        joint={city: lineage.disagreements(JOINT, city) for city in study.cities},
        shards={city: lineage.disagreements("hdf5_shards", city) for city in study.cities},
        audits={city: lineage.disagreements(AUDIT, city) for city in study.cities},
        evidence={city: lineage.disagreements(EVIDENCE, city) for city in study.cities},
        transfer=tuple(each for each in transfer if each.label == TRANSFER),
        tuned_on=" or ".join(sorted(_units(store, study))),
    )


def _units(store: DataStore, study: Study) -> set[str]:
    tuned = [store.manifest(TUNED, pair.key) for pair in study.pairs]
    configs = [manifest.recipe.config.get("transfer", {}) for manifest in tuned if manifest]
    # One unit in earlier versions.
    units = [
        config.get("units", [config["unit"]] if "unit" in config else []) for config in configs
    ]
    return set(chain.from_iterable(units))


def made_with(store: DataStore, lineage: Lineage, pair: Pair) -> dict[str, str]:
    """A pair's settings, name to value; those of what was made again since are not known.

    Empty where there are no networks.

    Raises:
        StoreError: as `read_history`.
    """
    trained = store.manifest("trained_model", pair.key)
    if trained is None or trained.unavailable:
        return {}
    record = trained.read_record(TrainingRecord)
    looked_at = ("trained_model", EVALUATION)
    made_again = {
        each.read for asset in looked_at for each in lineage.disagreements(asset, pair.key)
    }

    def of_city(asset: str, partition: str | None) -> dict[str, Any] | str:
        """The settings of something that other pairs share, or why they are not known."""
        manifest, label = store.manifest(asset, partition), label_of((asset, partition))
        if label in made_again or manifest is None:
            return _UNKNOWN.format(label=label)
        return manifest.recipe.config

    own = {
        asset: manifest.recipe.config
        for asset in ("trained_model", "baseline_scores", "lsoa_predictions", EVALUATION)
        if (manifest := store.manifest(asset, pair.key))
    }
    found = {"Profile": record.profile_name + (", jointly" if record.joint else "")}
    found |= _folds(of_city("area_folds", pair.city), record)
    found |= {
        "Seed": _stated("seed", own),
        RULE: _stated("rule", own),
        INTERVALS: _stated("level", own),
        "Ranked areas": _ranked(own.get("lsoa_predictions", {}).get("areas", {})),
        "Date": _of_shared(of_city("locations", pair.city), "date"),
        "Editions": _of_shared(of_city("lsoa_labels", None), "editions"),
        "Encoder": _listed(record.encoder.model_dump(exclude={"width"})),
        "Arithmetic of training": _arithmetic(record.mixed_precision),
    }
    found |= {f"{TRAINING}{name}": value for name, value in in_words(trained.recipe.config)}
    return {name: value for name, value in found.items() if value}


def _folds(config: Mapping[str, Any] | str, record: TrainingRecord) -> dict[str, str]:
    """How areas were split, for the networks and for the baselines on spatial blocks."""
    if isinstance(config, str) or "folds" not in config:
        why = f" ({config})" if isinstance(config, str) else ""
        return {"Folds": f"{record.scheme}, {record.n_folds} networks{why}"}
    folds = Folds.model_validate(config["folds"])
    blocks = f"squares of {folds.block_km:g} km, with a margin of {folds.buffer_km:g} km"
    match folds.scheme:
        case "spatial_block":
            return {"Folds": f"spatial_block, k = {folds.k}, {blocks}"}
        case "city":
            return {"Folds": "city"}
        case "holdout":
            shares = ", ".join(f"{share:g}" for share in folds.holdout_shares)
            return {"Folds": f"holdout, shares {shares}", "Spatial blocks": blocks}
    return {"Folds": f"{folds.scheme}, k = {folds.k}", "Spatial blocks": blocks}


def _stated(name: str, configs: Mapping[str, Mapping[str, Any]]) -> str:
    """A setting of several artefacts; where they differ, which has which."""
    values = {asset: config[name] for asset, config in configs.items() if name in config}
    if len(set(values.values())) <= 1:
        return "".join(map(str, set(values.values())))
    return ", ".join(f"{value} ({asset})" for asset, value in values.items())


def _of_shared(config: Mapping[str, Any] | str, name: str) -> str:
    if isinstance(config, str):
        return config
    value = config.get(name, "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _arithmetic(mixed: bool | None) -> str:
    return "" if mixed is None else "float16 and float32" if mixed else "float32"


def _ranked(areas: Mapping[str, Any]) -> str:
    if not areas:
        return ""
    settings = Areas.model_validate(areas)
    aligned = "scores of all folds on one scale" if settings.align_folds else "scores as they are"
    return (
        f"with {settings.min_locations} or more locations; published with "
        f"{settings.min_published} or more; {aligned}"
    )


def in_words(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each setting, those of sections too, as a phrase and its value in plain text."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from in_words(value)
        else:
            yield name.replace("_", " "), _plain(value)


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case list() | tuple():
            return ", ".join(map(_plain, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)
