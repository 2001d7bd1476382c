"""What can be trained at all, and which cities the scheme `city` learns from.

Under that scheme a pair learns from all other cities that have its outcome. Dagster knows nothing
of these dependencies: a mapping would make every city wait for all others, while any one of them is
enough to learn from. So a city whose artefacts are not there yet is left out and named. One whose
files are damaged is an error, as everywhere.
"""

from collections.abc import Sequence

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.findings import Unavailable
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

Labels = dict[str, tuple[str, ...]]
_READ = ("locations", "hdf5_shards", "area_folds")


def pair_unavailable(store: DataStore, study: Study, pair: Pair) -> Unavailable | None:
    """Why a pair cannot be trained; None when it can.

    It lacks labels, folds or codes, or, under the scheme `city`, another city to learn from.

    Raises:
        StoreError: an artefact is absent or damaged; the message names what to materialise.
    """
    why = inputs_unavailable(store, pair)
    if (
        why
        or study.folds.scheme != "city"
        or teaching_cities(store, study, pair.city, (pair.outcome,))
    ):
        return why
    missing = missing_cities(store, study, pair.city, (pair.outcome,))
    if missing:
        return Unavailable(
            f"{_joined(missing)} to be materialised",
            "the scheme `city` learns from the other cities, and none of those with "
            f"{pair.outcome} is there yet",
        )
    return Unavailable(
        f"another city with {pair.outcome} and images in study.toml, or another scheme under "
        "[folds]",
        f"the scheme `city` learns from the other cities, and none of them has {pair.outcome}",
    )


def inputs_unavailable(store: DataStore, pair: Pair) -> Unavailable | None:
    """Why a pair has nothing of its own to train on: by its labels, folds or codes."""
    if why := labels_unavailable(store, pair):
        return why
    if why := store.open("area_folds", pair.city).manifest.unavailable:
        return why
    packed = store.open("hdf5_shards", pair.city).manifest
    if packed.unavailable:
        return packed.unavailable
    shards = packed.read_record(ShardsRecord)
    if shards.n_extracted:
        return None
    images = f"inputs/images/{pair.city}"
    if not shards.n_listed:
        wanted = f"inputs/locations/{pair.city}.csv and the images in {images}"
        return Unavailable(wanted, "no location of the city has codes: none is listed")
    reasons = ", ".join(f"{n} {reason}" for reason, n in shards.without_codes.items())
    return Unavailable(
        f"the four views of each location, <location_id>_a to <location_id>_d, in {images}",
        f"no location of the city has codes: of {shards.n_listed} listed ones {reasons}",
    )


def labels_unavailable(store: DataStore, pair: Pair) -> Unavailable | None:
    """Why a pair has no labels, by their own account; None when it has."""
    table = store.open("lsoa_labels").table("availability.parquet")
    mine = table[(table["city"] == pair.city) & (table["outcome"] == pair.outcome)]
    if len(mine) and mine["status"].iloc[0] != "available":
        return Unavailable(str(mine["wanted"].iloc[0]), str(mine["reason"].iloc[0]))
    return None


def nothing_to_learn(outcome: str, n_deciles: int) -> str | None:
    """Why an outcome cannot be trained that has so many deciles among its locations with codes."""
    if n_deciles >= 2:
        return None
    return (
        f"{outcome} has {'one decile only' if n_deciles else 'no labelled location'} "
        "among the locations with codes: there is nothing to learn; check lsoa_labels"
    )


def teaching_cities(store: DataStore, study: Study, city: str, outcomes: Sequence[str]) -> Labels:
    """Under the scheme `city` the other cities, and which of these outcomes each can teach."""
    known = {
        other: tuple(o for o in shared if inputs_unavailable(store, Pair(other, o)) is None)
        for other, shared in _labelled_cities(store, study, city, outcomes).items()
        if not missing_assets(store, study, other)
    }
    return {other: shared for other, shared in known.items() if shared}


def missing_assets(store: DataStore, study: Study, city: str) -> tuple[str, ...]:
    """What a city lacks of all that its trainings read, as `area_folds[leeds]`."""
    read = (*_READ, "image_repeats") if study.repeats.drop else _READ
    return tuple(f"{asset}[{city}]" for asset in read if store.manifest(asset, city) is None)


def missing_cities(store: DataStore, study: Study, city: str, outcomes: Sequence[str]) -> Labels:
    """Under the scheme `city` the others with one of these outcomes that cannot be read yet.

    Returns:
        City to what is to be materialised for it, as `area_folds[leeds]`.
    """
    labelled = _labelled_cities(store, study, city, outcomes)
    missing = {other: missing_assets(store, study, other) for other in labelled}
    return {other: assets for other, assets in missing.items() if assets}


def missing_cities_note(missing: Labels) -> str | None:
    """What to say of cities that could have been learned from; None when there are none."""
    if not missing:
        return None
    return (
        f"Not learned from, since not there yet: {', '.join(missing)}. To learn from them too, "
        f"materialise {_joined(missing)}, then this again."
    )


def _labelled_cities(store: DataStore, study: Study, city: str, outcomes: Sequence[str]) -> Labels:
    """The other cities with labels of some of these outcomes; empty under any other scheme."""
    if study.folds.scheme != "city":
        return {}
    shared = {
        other: tuple(
            outcome
            for outcome in outcomes
            if outcome in study.cities[other].outcomes
            and labels_unavailable(store, Pair(other, outcome)) is None
        )
        for other in study.cities
        if other != city
    }
    return {other: labelled for other, labelled in shared.items() if labelled}


def _joined(missing: Labels) -> str:
    return ", ".join(asset for assets in missing.values() for asset in assets)
