"""Which outcomes and cities are learned from together, and what cannot be.

What belongs here: whether a pair can be trained at all, alone and with the other outcomes of its
city. What does not: opening a pair (`pairs`), and the joint networks themselves (`joint`).
"""

from collections.abc import Sequence

from streetineq_assets.models.inputs import CityInputs, Unavailable, read_inputs
from streetineq_assets.models.other_cities import elsewhere, why_not
from streetineq_assets.store import DataStore
from streetineq_assets.study import Profile, Study


def why_not_together(profile: Profile) -> Unavailable | None:
    """Why this profile cannot train a city's outcomes jointly; None when it can."""
    if profile.balance == "weights":
        return None
    return Unavailable(
        'balance = "weights" under [training.overrides]',
        "one row per class of every outcome at once cannot be drawn",
    )


def available_outcomes(store: DataStore, study: Study, city: str) -> tuple[str, ...]:
    """The city's outcomes that can be trained by the labels' account, in the study's order."""
    named = study.cities[city].outcomes
    return tuple(o for o in named if why_not(store, study, city, o) is None)


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


def untrainable(reads: Sequence[CityInputs], outcomes: Sequence[str]) -> dict[str, str]:
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


def read_together(
    store: DataStore, study: Study, city: str
) -> tuple[tuple[str, ...], tuple[CityInputs, ...], dict[str, str]]:
    """The outcomes that a city trains jointly, their slices, and which it does without and why."""
    named = available_outcomes(store, study, city)
    if not named:
        return (), (), {}
    reads = read_cities(store, study, city, named)
    refused = untrainable(reads, named)
    outcomes = tuple(outcome for outcome in named if outcome not in refused)
    if refused and outcomes:
        reads = read_cities(store, study, city, outcomes)
    return outcomes, reads, refused
