"""What a pair is trained on and with: from published slices and settings to its recipe.

What belongs here: opening a pair or a city's joint training, and the profile of a run. What does
not: what is made of it (`pairs`), and which outcomes and cities go together (`together`).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from streetineq_assets.errors import StudyError, TrainingError
from streetineq_assets.models.availability import why_not
from streetineq_assets.models.dataset import open_codes
from streetineq_assets.models.pair_training import PairJob
from streetineq_assets.models.together import Together, read_cities, read_together, why_not_together
from streetineq_assets.store import DataStore
from streetineq_assets.study import Profile, Study, Training


def open_pair(
    store: DataStore,
    study: Study,
    key: str,
    *,
    profile_name: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> PairJob:
    """Read what a pair's recipe depends on.

    Args:
        key: the partition, `city/outcome`.
        profile_name, overrides: of this run; empty for the study's.

    Raises:
        StudyError: the profile or an override is wrong.
        StoreError: an artefact is to be materialised first.
        TrainingError: the outcome cannot be trained with the others of its city.
    """
    city, outcome = key.split("/")
    name = profile_name or study.training.profile
    profile = _resolve_profile(study, name, overrides or {})
    together = read_together(store, study, city) if study.training.joint else None
    return _open(store, study, (city, outcome), (name, profile), together)


def open_joint(store: DataStore, study: Study, city: str) -> PairJob:
    """Read what the joint training of a city's available outcomes depends on.

    It does not ask whether the study trains jointly: a study that does not can so compare.

    Raises:
        StudyError, StoreError, TrainingError: as `open_pair`.
    """
    name = study.training.profile
    together = read_together(store, study, city)
    first = (*together.outcomes, *together.refused, *study.cities[city].outcomes)[0]
    settings = name, _resolve_profile(study, name, {})
    job = _open(store, study, (city, first), settings, together)
    # Where nothing is trained, too: its place is the city's, not that of the pair's own networks.
    return replace(job, config=job.config | {"joint": True})


def _open(
    store: DataStore,
    study: Study,
    pair: tuple[str, str],
    settings: tuple[str, Profile],
    together: Together | None,
) -> PairJob:
    """A pair's job: with the others of its city, or alone where `together` is None.

    Args:
        pair: city and outcome.
        settings: the profile's name, and the profile with all overrides.
    """
    (city, outcome), (name, profile) = pair, settings
    config: dict[str, Any] = {"profile": profile.model_dump(), "seed": study.seed}
    opened = partial(
        PairJob, store, study, city, outcome, profile=profile, profile_name=name, config=config
    )
    why = why_not(store, study, city, outcome)
    if together:
        why = why or why_not_together(profile)
    if why:
        inputs = {"unavailable": f"{why.wanted}: {why.reason}"}
        return opened(outcomes=(outcome,), inputs=inputs, reads=(), why=why)
    if together:
        outcomes, reads, refused = together
        config |= {"joint": True, "outcomes": list(outcomes)}
    else:  # an outcome with nothing to learn is then refused where it is trained
        outcomes, reads, refused = (outcome,), read_cities(store, study, city, (outcome,)), {}
    if outcome in refused:
        raise TrainingError(refused[outcome])
    inputs = {name: digest for read in reads for name, digest in read.digests().items()}
    budget = study.training.memory_budget_mb * 2**20
    config["in_memory"] = open_codes([read.shards for read in reads], budget).resident
    return opened(outcomes=outcomes, inputs=inputs, reads=reads, why=None, refused=refused)


def _resolve_profile(study: Study, name: str, overrides: Mapping[str, Any]) -> Profile:
    """The profile with the study's overrides and then the run's.

    Raises:
        StudyError: no such profile, or a field or value that it does not take.
    """
    merged = study.training.overrides | dict(overrides)
    try:
        return Training(profile=name, overrides=merged).resolve()
    except ValidationError as error:
        first = error.errors()[0]
        raise StudyError(
            f"training settings of this run (profile {name!r}, overrides {merged}): {first['msg']}"
        ) from error
