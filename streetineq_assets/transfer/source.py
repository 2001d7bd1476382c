"""The networks from which a city's tuning starts: another city's of this study, or a bundle's.

What belongs here: finding them, and why there are none. What does not: tuning them (`tuning`), and
the bundle's format (`models.bundle`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Unavailable
from streetineq_assets.models.bundles.bundle import network_bytes, open_bundle, open_networks
from streetineq_assets.models.pair_training import ASSET as TRAINED
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.store import DataStore
from streetineq_assets.study import Profile, Study


@dataclass(frozen=True)
class Source:
    """Networks to start from.

    Attributes:
        name: the source's city, or the bundle's file name.
        encoder: of the codes that they take.
        profile: of their layers and head.
        digest: of what they were read from.
        weights: reads the networks' weights, a list of arrays per network.
    """

    name: str
    encoder: EncoderIdentity
    profile: Profile
    digest: str
    weights: Callable[[], list[list[NDArray]]]


def read_source(store: DataStore, study: Study, city: str, outcome: str) -> Source | Unavailable:
    """The networks that the study transfers to one target pair, or why there are none.

    Raises:
        SourceError: the file is no bundle, or is damaged.
    """
    named = study.transfer.source
    if study.folds.scheme == "city":
        return Unavailable(
            "another scheme under [folds]", "folds of whole cities leave nothing to tune on"
        )
    if named is None:
        return Unavailable("`source` under [transfer] in study.toml", "no source is named")
    if named not in study.cities:
        path = store.input_file(named.replace("{outcome}", outcome))
        return _from_bundle(path, named, city, outcome)
    if named == city:
        return Unavailable("another city", f"{city} is the source itself")
    if outcome not in study.cities[named].outcomes:
        return Unavailable(f"{outcome} among {named}'s outcomes", f"{named} is not trained on it")
    return _from_city(store, named, outcome)


def _from_city(store: DataStore, city: str, outcome: str) -> Source | Unavailable:
    if store.manifest(TRAINED, f"{city}/{outcome}") is None:
        return Unavailable(f"trained_model of {city}/{outcome}", "it is not trained yet")
    trained = store.open(TRAINED, f"{city}/{outcome}")
    figures = trained.manifest.summary["values"]
    if figures.get("status") == "unavailable":
        return Unavailable(str(figures["wanted"]), f"{city}/{outcome} has no networks")
    return Source(
        name=city,
        encoder=trained.manifest.read_record(TrainingRecord).encoder,
        profile=Profile.model_validate(trained.manifest.recipe.config["profile"]),
        digest=trained.digest,
        weights=lambda: [
            network.get_weights() for network in open_networks(network_bytes(trained)).values()
        ],
    )


def _from_bundle(path: Path, named: str, city: str, outcome: str) -> Source | Unavailable:
    if not path.is_file():
        return Unavailable(
            f"a bundle at {path}, or a city of the study, as `source` under [transfer]",
            f"{named} is neither a city of the study nor a file",
        )
    bundle = open_bundle(path)
    if bundle.about["outcome"] != outcome:
        return Unavailable(
            f"a bundle of {outcome}; name it with {{outcome}} in `source` under [transfer]",
            f"{path.name} is of {bundle.about['outcome']}",
        )
    if city in bundle.about["trained_on"]:  # its networks have seen the areas that would test them
        return Unavailable("networks of another city", f"{path.name} was trained on {city} itself")
    return Source(
        name=path.name,
        encoder=bundle.description.encoder,
        profile=bundle.description.profile,
        digest=digest_file(path),
        weights=lambda: [network.get_weights() for network in bundle.networks().values()],
    )
