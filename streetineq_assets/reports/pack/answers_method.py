"""What manifests say of how a study's predictions were made, in answer to items of checklists."""

import json
from typing import Any

from streetineq_assets.models.folds import scheme_note
from streetineq_assets.reports.comparison import MODEL_TITLES
from streetineq_assets.reports.history import RULE
from streetineq_assets.reports.pack.answers import (
    CARD,
    CITIES,
    LEADS,
    LIBRARIES,
    METRICS,
    PAIRS,
    PREDICTIONS,
    README,
    REPORT_MADE,
    REPORT_USE,
    VERSION,
    Answer,
    absent,
    by_name,
    of_pairs,
    of_results,
    stated,
)
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.results import PairResults


def code(material: Material) -> Answer:
    """The platform's version, and that of each step."""
    address = material.study.publication.code
    where = f"It lies at {address}." if address else "Its address and commit: author to add."
    text = (
        f"streetineq {material.provenance.version}; provenance.json names the version of each "
        f"step's code by pair. {where}"
    )
    return Answer(text, (VERSION, PAIRS))


def computing(material: Material) -> Answer:
    """Libraries and arithmetic; not the machine."""
    libraries = [f"{name} {found}" for name, found in material.provenance.libraries.items()]
    if not libraries:
        return absent("nothing is published that records its libraries")
    arithmetic = stated(material.current, "Arithmetic of training") if material.current else "none"
    text = (
        f"{', '.join(libraries)}; arithmetic of training: {arithmetic}. The machines and hours: "
        "author to add (the UI has them by step)."
    )
    return Answer(text, (LIBRARIES, PAIRS))


def instructions(material: Material) -> Answer:  # noqa: ARG001
    """The README of the pack, and the manual of the study."""
    text = (
        "README.md of this pack says how to open and verify it. The manual that streetineq init "
        "writes into a study says which file goes where, and how a study is run."
    )
    return Answer(text, (README,))


def script(material: Material) -> Answer:  # noqa: ARG001
    """One command makes all of a study."""
    text = (
        "The command streetineq run makes every file of this pack from study.toml and the inputs, "
        "and skips what is unchanged. The images must be had from their owners."
    )
    return Answer(text, (README, REPORT_MADE))


def transformations(material: Material) -> Answer:
    """From image and table to decile."""
    found = encoders(material)
    if not found:
        return absent("no city has codes")
    text = (
        f"Each of a location's four images becomes a code: {'; '.join(found)}. Codes are scaled "
        "by the training rows of each fold where the profile says so. Official values become "
        "deciles of the city; scores of locations become an area's by the rule of aggregation."
    )
    return Answer(text, (CITIES, PAIRS))


def codes(material: Material) -> Answer:
    """What the predictors are."""
    found = encoders(material)
    if not found:
        return absent("no city has codes")
    text = (
        f"The predictors of a location are the codes of its four images: {'; '.join(found)}. "
        "They are numbers of a network's layer, without a meaning each. Scaled by the training "
        f"rows of each fold: {_common(material, 'standardise') if material.current else 'no'}."
    )
    return Answer(text, (CITIES,))


def encoders(material: Material) -> list[str]:
    """What made the codes of the cities, a phrase for each encoder."""
    found = [city.encoder for city in material.provenance.cities.values() if city.encoder]
    return list(
        dict.fromkeys(
            f"{each['backbone']} {each['layer']}, preprocessing {each['preprocessing']}, weights "
            f"{each['weights']} (sha256 {str(each['weights_sha256'])[:12]}...), "
            f"{each['width']} values a view"
            for each in found
        )
    )


@of_results
def models(material: Material) -> Answer:
    """The networks."""
    trained = [each for each in material.current if each.training]
    if not trained:
        return absent("no networks are published; metrics are those of baselines")
    networks = of_pairs({each.pair.key: _networks(each) for each in trained})
    text = (
        "Ordinal networks that give a location a score and probabilities of ten deciles from the "
        f"codes of its four images, one network for each fold: {networks}."
    )
    return Answer(text, (CARD, PAIRS))


def _networks(each: PairResults) -> str:
    assert each.training
    head = _profile(each).get("head")
    return (
        f"{each.training.n_folds} networks by the profile {each.training.profile_name}"
        f"{', jointly with the other outcomes' if each.training.joint else ''}"
        f"{f', head {head}' if head else ''}"
    )


def _profile(each: PairResults) -> dict[str, Any]:
    return json.loads(each.made_with.get("Training", "{}")).get("profile", {})


@of_results
def splits(material: Material) -> Answer:
    """The folds."""
    leak = scheme_note([each.scheme for each in material.current])
    text = (
        f"Every prediction is out of fold: {stated(material.current, 'Folds')}. "
        "The map is tried on spatial blocks too: "
        f"{stated(material.current, 'Spatial blocks')}.{f' {leak}' if leak else ''}"
    )
    return Answer(text, (PAIRS, PREDICTIONS, METRICS))


@of_results
def selection(material: Material) -> Answer:
    """No model is picked by its test result."""
    profile = _common(material, "fewest_validation_areas")
    text = (
        "Every pair's networks are reported, by the profile that is stated and the first seed; "
        "none is picked by test areas. Within a training the epoch is picked on validation areas, "
        "cut from the training fold; where these are fewer than fewest_validation_areas of the "
        f"profile ({profile}), the last epoch is kept."
    )
    return Answer(text, (PAIRS, CARD))


def _common(material: Material, setting: str) -> str:
    values = {str(_profile(each).get(setting, "not recorded")) for each in material.current}
    return " or ".join(sorted(values))


@of_results
def hyperparameters(material: Material) -> Answer:
    """The profile, whole; nothing is searched."""
    names = stated(material.current, "Profile")
    text = (
        f"Profile {names}; provenance.json has every value under Training. The platform searches "
        "none. Whether any was changed after results were seen: author to add."
    )
    return Answer(text, (PAIRS, CARD))


@of_results
def baselines(material: Material) -> Answer:
    """What networks are compared with."""
    found = set(material.results.metrics["model"]) - {"network", "joint_network"}
    named = [title for model, title in MODEL_TITLES.items() if model in found]
    if not named:
        return absent("no baseline has a metric")
    text = (
        f"{', '.join(named)}, on the same folds. The map sees no image, and much can be guessed "
        "from where a place is; ridge regression sees the same codes; the constant sees nothing."
    )
    return Answer(text, (METRICS, LEADS))


@of_results
def separation(material: Material) -> Answer:
    """Nothing of a fold's test reaches its training."""
    scores = material.results.areas
    shared = scores.loc[scores["fold"].isna(), "area"].nunique()
    leak = scheme_note([each.scheme for each in material.current])
    text = (
        "Scaling, noise, class weights, the choice of an epoch and the link of probabilities are "
        "of each fold's training areas, or of the other folds. A check that blocks publication "
        f"refuses folds that share an area. Areas in several folds here: {shared:,}."
        f"{f' {leak}' if leak else ''}"
    )
    return Answer(text, (PREDICTIONS, PAIRS))


@of_results
def repeats(material: Material) -> Answer:
    """Whether copies were left out of training."""
    known = {
        pair: found.drops_repeats
        for pair, found in material.provenance.pairs.items()
        if found.drops_repeats is not None
    }
    if not known:
        return absent("no networks are published")
    kept = [pair for pair, drops in known.items() if not drops]
    limits = material.study.repeats
    said = "Training leaves out what repeats a test location: the same picture, one that looks the "
    said += f"same, or one within {limits.near_m:g} m (settings of study.toml as it stands)."
    if kept:
        said = f"Repeats of test locations were not left out of the training of {', '.join(kept)}."
    return Answer(f"{said} Folds: {stated(material.current, 'Folds')}.", (PAIRS,))


def inputs(material: Material) -> Answer:  # noqa: ARG001
    """Codes of images alone."""
    text = (
        "The networks' only inputs are codes of images: no coordinate, code of an area, statistic "
        "or text reaches them. A network may still know a place by its look, which is why the map "
        "stands beside it."
    )
    return Answer(text, (CARD, METRICS))


@of_results
def recalibration(material: Material) -> Answer:
    """The link of probabilities."""
    text = (
        "Networks are not updated. The probabilities of areas come from a link that is fitted on "
        f"the other folds' areas; level of the intervals: {_level(material)}."
    )
    return Answer(text, (PREDICTIONS, PAIRS))


def _level(material: Material) -> str:
    return stated(material.current, "Level of intervals")


@of_results
def aggregation(material: Material) -> Answer:
    """From locations to areas."""
    text = (
        "A location's score is that of the network that had not seen its area. An area's decile "
        f"comes from its locations by the rule {stated(material.current, RULE)}; the table has the "
        "decile of every other rule beside it."
    )
    return Answer(text, (PREDICTIONS, PAIRS))


@of_results
def balance(material: Material) -> Answer:
    """Deciles are even; locations are balanced by the profile."""
    text = (
        "Deciles hold near-equal numbers of areas. Classes of locations are balanced in training "
        f"as the profile says: {_common(material, 'balance')}. Probabilities of areas are "
        "calibrated afterwards."
    )
    return Answer(text, (PAIRS, PREDICTIONS))


@of_results
def output(material: Material) -> Answer:
    """Score, decile, probabilities, interval."""
    text = (
        "For each area a score, a decile, the probabilities of ten deciles, the interval of the "
        f"actual decile (level: {_level(material)}), and whether it is too uncertain to rank. "
        "No threshold is chosen by hand: deciles follow from the rule of aggregation."
    )
    return Answer(text, (PREDICTIONS,))


@of_results
def specification(material: Material) -> Answer:
    """Networks travel as bundles."""
    if not any(each.training for each in material.current):
        return absent("no networks are published")
    text = (
        "The networks are not in this pack. The command streetineq model export writes those of a "
        "pair as one file, with weights, encoder and edges of deciles, which predicts elsewhere."
    )
    return Answer(text, (CARD,))


def intended_use(material: Material) -> Answer:  # noqa: ARG001
    """From the model card."""
    text = (
        "Research on inequality between small areas of these cities, and methods for it. Not for "
        "decisions about people, households, addresses or single areas."
    )
    return Answer(text, (CARD, README, REPORT_USE))


OF_METHOD = by_name(
    (
        code,
        computing,
        instructions,
        script,
        transformations,
        codes,
        models,
        splits,
        selection,
        hyperparameters,
        baselines,
        separation,
        repeats,
        inputs,
        recalibration,
        aggregation,
        balance,
        output,
        specification,
        intended_use,
    )
)
