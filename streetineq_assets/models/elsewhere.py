"""From which cities a pair's networks can learn, and why from none.

What belongs here: the other cities under the scheme `city`, and why a pair is unavailable. What
does not: reading what was chosen (`inputs`), and training on it (`pairs`).
"""

from collections.abc import Sequence

from streetineq_assets.models.inputs import Unavailable, unavailable
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study


def why_not(store: DataStore, study: Study, city: str, outcome: str) -> Unavailable | None:
    """As `unavailable`; for the scheme `city` also when there is no other city to learn from."""
    why = unavailable(store, city, outcome)
    if why or study.folds.scheme != "city" or elsewhere(store, study, city, (outcome,)):
        return why
    return Unavailable(
        f"another city with {outcome} and images in study.toml, or another scheme under [folds]",
        f"the scheme `city` learns from the other cities, and none of them has {outcome}",
    )


def elsewhere(
    store: DataStore, study: Study, city: str, outcomes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """For the scheme `city` the other cities, and which of these outcomes each can be learned by.

    Their folds, codes and labels are read through the store; the lineage shows the city's own.
    """
    if study.folds.scheme != "city":
        return {}
    known = {
        other: tuple(
            outcome
            for outcome in outcomes
            if outcome in study.cities[other].outcomes
            and unavailable(store, other, outcome) is None
        )
        for other in study.cities
        if other != city
    }
    return {other: found for other, found in known.items() if found}
