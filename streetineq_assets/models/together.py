"""Which outcomes and cities are learned from together, and what cannot be.

What belongs here: whether a pair can be trained at all, alone and with the other outcomes of its
city. What does not: opening a pair (`opening`), and the joint networks themselves (`joint`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streetineq_assets.models.availability import elsewhere, why_not
from streetineq_assets.models.dataset import CityInputs, Unavailable, read_inputs
from streetineq_assets.store import DataStore
from streetineq_assets.study import Profile, Study


class Together(NamedTuple):
    """What a city trains jointly.

    Attributes:
        outcomes: those that share the trunk.
        reads: the slices of the city and of those that it learns from.
        refused: the outcomes that have labels and that it does without, and why.
    """

    outcomes: tuple[str, ...]
    reads: tuple[CityInputs, ...]
    refused: Mapping[str, str]


def why_not_together(profile: Profile) -> Unavailable | None:
    """Why this profile cannot train a city's outcomes jointly; None when it can."""
    if profile.balance == "weights":
        return None
    return Unavailable(
        'balance = "weights" under [training.overrides]',
        "one row per class of every outcome at once cannot be drawn",
    )


def read_cities(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> tuple[CityInputs, ...]:
    """The city's slices, and for the scheme `city` those of the cities that it learns from."""
    learned = {city: tuple(outcomes)} | elsewhere(store, study, city, outcomes)
    return tuple(read_inputs(store, c, known) for c, known in learned.items())


def nothing_to_learn(outcome: str, n_deciles: int) -> str | None:
    """Why an outcome cannot be trained that has so many deciles among its locations with codes."""
    if n_deciles >= 2:
        return None
    return (
        f"{outcome} has {'one decile only' if n_deciles else 'no labelled location'} "
        "among the locations with codes: there is nothing to learn; check lsoa_labels"
    )


def read_together(store: DataStore, study: Study, city: str) -> Together:
    """The city's available outcomes, less those that training would refuse."""
    named = study.cities[city].outcomes
    available = tuple(o for o in named if why_not(store, study, city, o) is None)
    if not available:
        return Together((), (), {})
    reads = read_cities(store, study, city, available)
    refused = _untrainable(reads, available)
    outcomes = tuple(outcome for outcome in available if outcome not in refused)
    if refused and outcomes:
        reads = read_cities(store, study, city, outcomes)
    return Together(outcomes, reads, refused)


def _untrainable(reads: Sequence[CityInputs], outcomes: Sequence[str]) -> dict[str, str]:
    """Those of the outcomes that training would refuse, and why.

    Joint training does without them: one poor outcome must not take its city's others with it.
    """
    deciles: dict[str, set[float]] = {outcome: set() for outcome in outcomes}
    for read in reads:
        ids = read.shards.table("rows.parquet", columns=["location_id"])["location_id"].astype(str)
        areas = read.places.loc[read.places["location_id"].isin(ids), "lsoa11"]
        known = read.labels[read.labels["lsoa11"].isin(areas)]
        for outcome, found in known.groupby("outcome")["decile"]:
            deciles[str(outcome)] |= set(found)
    why = {outcome: nothing_to_learn(outcome, len(found)) for outcome, found in deciles.items()}
    return {outcome: reason for outcome, reason in why.items() if reason}
