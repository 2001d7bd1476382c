"""What the scheme `city` learns from: the other cities, as far as they are there.

What belongs here: which cities can teach a pair, which cannot yet, and why a pair has none. What
does not: how their slices are read (`inputs`), and training.

Dagster knows nothing of these dependencies: a mapping would make every city wait for all others,
while any one of them is enough to learn from. So a city whose artefacts are not there yet is left
out and named. One whose files are damaged is an error, as everywhere.
"""

from collections.abc import Sequence

from streetineq_assets.models.dataset import Unavailable, labels_unavailable, unavailable
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study

_READ = ("locations", "hdf5_shards", "area_folds")


def elsewhere(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """For the scheme `city` the other cities, and which of these outcomes each can be learned by.

    Their folds, codes and labels are read through the store; the lineage shows the city's own.
    """
    known = {
        other: tuple(outcome for outcome in shared if unavailable(store, other, outcome) is None)
        for other, shared in _labelled(store, study, city, outcomes).items()
        if not _missing(store, other)
    }
    return {other: found for other, found in known.items() if found}


def absent(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """For the scheme `city` the others with one of these outcomes that cannot be read yet.

    Returns:
        City to what is to be materialised for it, as `area_folds[leeds]`.
    """
    missing = {other: _missing(store, other) for other in _labelled(store, study, city, outcomes)}
    return {other: labels for other, labels in missing.items() if labels}


def why_not(store: DataStore, study: Study, city: str, outcome: str) -> Unavailable | None:
    """As `unavailable`; for the scheme `city` also when there is no other city to learn from."""
    why = unavailable(store, city, outcome)
    if why or study.folds.scheme != "city" or elsewhere(store, study, city, (outcome,)):
        return why
    missing = absent(store, study, city, (outcome,))
    if missing:
        return Unavailable(
            f"{_listed(missing)} to be materialised",
            "the scheme `city` learns from the other cities, and none of those with "
            f"{outcome} is there yet",
        )
    return Unavailable(
        f"another city with {outcome} and images in study.toml, or another scheme under [folds]",
        f"the scheme `city` learns from the other cities, and none of them has {outcome}",
    )


def absent_note(missing: dict[str, tuple[str, ...]]) -> str | None:
    """What to say of cities that could have been learned from; None when there are none."""
    if not missing:
        return None
    return (
        f"Not learned from, since not there yet: {', '.join(missing)}. To learn from them too, "
        f"materialise {_listed(missing)}, then this again."
    )


def _labelled(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The other cities with labels of some of these outcomes; empty unless by the scheme `city`."""
    if study.folds.scheme != "city":
        return {}
    shared = {
        other: tuple(
            outcome
            for outcome in outcomes
            if outcome in study.cities[other].outcomes
            and labels_unavailable(store, other, outcome) is None
        )
        for other in study.cities
        if other != city
    }
    return {other: found for other, found in shared.items() if found}


def _missing(store: DataStore, city: str) -> tuple[str, ...]:
    return tuple(f"{asset}[{city}]" for asset in _READ if store.manifest(asset, city) is None)


def _listed(missing: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(label for labels in missing.values() for label in labels)
