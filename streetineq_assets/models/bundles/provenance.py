"""What taught networks: which areas, and whether their labels are still those that stand."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import StoreError
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.dataset import city_labels
from streetineq_assets.models.pair_training import TAUGHT_FILE
from streetineq_assets.models.tables import JointRecord, TrainingRecord
from streetineq_assets.store import Artefact, DataStore

_LABELS = "lsoa_labels"


class ComparedLabels(NamedTuple):
    """Cities whose labels stand as they were learned from, and those that have others now."""

    same: tuple[str, ...]
    others: tuple[str, ...]


def read_taught_areas(trained: Artefact) -> frozenset[str] | None:
    """Codes of the areas on which a pair's networks were trained or selected, over all folds.

    Returns:
        None where an earlier version trained them, which did not record it.
    """
    if TAUGHT_FILE not in trained.manifest.files:
        return None
    return frozenset(trained.table(TAUGHT_FILE)["area"])


def compare_labels(
    store: DataStore, learned: Mapping[str, str], outcomes: Sequence[str]
) -> ComparedLabels:
    """Whether cities' labels that stand now are those that were learned from.

    A city of which no label stands is in neither list: nothing is known of it.

    Args:
        learned: city to the digest of its labels at the time.
        outcomes: that were learned together.
    """
    if store.manifest(_LABELS) is None:
        return ComparedLabels((), ())
    labels = store.open(_LABELS)
    now = {city: city_labels(labels, city, outcomes) for city in learned}
    same = {city: digest_frame(now[city]) == was for city, was in learned.items() if len(now[city])}
    return ComparedLabels(
        tuple(city for city, is_same in same.items() if is_same),
        tuple(city for city, is_same in same.items() if not is_same),
    )


def learned_labels(inputs: Mapping[str, str], cities: Iterable[str]) -> dict[str, str]:
    """City to the digest of its labels, of those that a training's recipe names."""
    return {city: inputs[f"{city}/labels"] for city in cities if f"{city}/labels" in inputs}


def stale_labels(store: DataStore, trained: Manifest) -> str | None:
    """What to say of networks that learned from other labels than stand now; None if they did not.

    Args:
        trained: manifest of a `trained_model` that is available.
    """
    cities = trained.read_record(TrainingRecord).trained_on
    pair_outcome = str(trained.partition).partition("/")[2]
    outcomes = trained.recipe.config.get("outcomes", (pair_outcome,))
    learned = learned_labels(trained.recipe.inputs, cities)
    return stale_sentence(trained.label, compare_labels(store, learned, outcomes).others)


def stale_of_city(
    store: DataStore, trained: Manifest, scheme: str, outcomes: Sequence[str]
) -> str | None:
    """The same of networks of several outcomes of a city.

    Args:
        trained: manifest of an artefact whose partition begins with the city.
        scheme: of its folds; by city, the city's own labels taught nothing.
        outcomes: that were learned together.
    """
    own, inputs = str(trained.partition).partition("/")[0], trained.recipe.inputs
    named = [name.removesuffix("/labels") for name in inputs if name.endswith("/labels")]
    cities = [each for each in named if each != own or scheme != "city"]
    others = compare_labels(store, learned_labels(inputs, cities), outcomes).others
    return stale_sentence(trained.label, others)


def refuse_stale(store: DataStore, trained: Manifest) -> None:
    """Refuse networks that learned from other labels than stand now.

    Args:
        trained: manifest of a `trained_model`; nothing is asked of one that is unavailable.

    Raises:
        StoreError: they did; the message names the networks and the labels.
    """
    stale = None if trained.unavailable else stale_labels(store, trained)
    if stale:
        raise StoreError(f"{stale}: materialise {trained.label} first")


def refuse_stale_joint(store: DataStore, trained: Manifest, scheme: str) -> None:
    """The same of a city's joint networks.

    Args:
        trained: manifest of a `joint_model`.
        scheme: of its folds.

    Raises:
        StoreError: as `refuse_stale`.
    """
    if trained.unavailable:
        return
    outcomes = trained.read_record(JointRecord).outcomes
    if stale := stale_of_city(store, trained, scheme, outcomes):
        raise StoreError(f"{stale}: materialise {trained.label} first")


def stale_sentence(networks: str, cities: Sequence[str]) -> str | None:
    """One sentence that names the networks and the labels; None without cities."""
    if not cities:
        return None
    return (
        f"{networks} was trained on other labels of {', '.join(cities)} than the {_LABELS} that "
        "stand now"
    )
