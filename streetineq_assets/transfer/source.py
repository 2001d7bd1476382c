"""The networks from which a city's tuning starts: another city's of this study, or a bundle's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Unavailable
from streetineq_assets.models.bundles.bundle import network_bytes, open_bundle, open_networks
from streetineq_assets.models.bundles.provenance import read_taught_areas, stale_labels
from streetineq_assets.models.pair_training import ASSET as TRAINED_MODEL
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.profiles import Profile
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

Weights = list[NDArray]
_OR_ALLOWED = "or allow_stale = true under [transfer] in study.toml"


@dataclass(frozen=True)
class Source:
    """Networks to start from.

    Attributes:
        name: the source's city, or the bundle's file name.
        encoder: of the codes that they take.
        profile: of their layers and head.
        digest: of what they were read from.
        taught: codes of the areas that taught them; None where that is not known.
        read_weights: reads the weights of every network.
    """

    name: str
    encoder: EncoderIdentity
    profile: Profile
    digest: str
    taught: frozenset[str] | None
    read_weights: Callable[[], list[Weights]]

    def learned_from(self, city: str, areas: Iterable[str]) -> Unavailable | None:
        """Why they cannot be tested on a city's areas, which taught them; None where they can.

        Keys and names say nothing: another study may draw its cities otherwise.
        """
        seen = self.taught.intersection(areas) if self.taught else ()
        if not seen:
            return None
        return Unavailable(
            f"networks that learned from no area of {city}",
            f"{self.name} learned from {len(seen)} areas of {city}, such as {min(seen)}, and would "
            "be tested on them",
        )


def is_target(study: Study, city: str) -> bool:
    """Whether the study asks for networks to be transferred to a city."""
    return study.transfer.source not in (None, city)


def read_source(store: DataStore, study: Study, target: Pair) -> Source | Unavailable:
    """The networks that the study transfers to a target pair, or why there are none.

    Raises:
        SourceError: the file is no bundle, or is damaged.
    """
    named = study.transfer.source
    if study.folds.scheme == "city":
        return Unavailable(
            "another scheme under [folds]",
            "folds of whole cities leave nothing to tune on",
        )
    if named is None:
        return Unavailable(
            "`source` under [transfer] in study.toml", "no source is named", by_settings=True
        )
    if named not in study.cities:
        path = store.input_file(named.replace("{outcome}", target.outcome))
        return _from_bundle(store, path, study, target)
    if named == target.city:
        return Unavailable("another city", f"{named} is the source itself", by_settings=True)
    if target.outcome not in study.cities[named].outcomes:
        return Unavailable(
            f"{target.outcome} among the outcomes of {named} in study.toml",
            f"{named} is not trained on it",
        )
    return _from_city(store, study, Pair(named, target.outcome))


def _from_city(store: DataStore, study: Study, pair: Pair) -> Source | Unavailable:
    if store.manifest(TRAINED_MODEL, pair.key) is None:
        return Unavailable(f"{TRAINED_MODEL}[{pair}]", "it is not materialised yet")
    trained = store.open(TRAINED_MODEL, pair.key)
    if why := trained.manifest.unavailable:
        return Unavailable(why.wanted, f"{pair} has no networks")
    if (stale := stale_labels(store, trained.manifest)) and not study.transfer.allow_stale:
        return Unavailable(f"{trained.manifest.label} materialised again, {_OR_ALLOWED}", stale)
    encoder = trained.manifest.read_record(TrainingRecord).encoder
    profile = Profile.model_validate(trained.manifest.recipe.config["profile"])
    return Source(
        name=pair.city,
        encoder=encoder,
        profile=profile,
        digest=trained.digest,
        taught=read_taught_areas(trained),
        read_weights=lambda: [
            network.get_weights()
            for network in open_networks(network_bytes(trained), profile, encoder.width).values()
        ],
    )


def _from_bundle(store: DataStore, path: Path, study: Study, target: Pair) -> Source | Unavailable:
    if not path.is_file():
        return Unavailable(
            f"a bundle at {path}, or a city of the study, as `source` under [transfer]",
            f"{study.transfer.source} is neither a city of the study nor a file",
        )
    bundle = open_bundle(path)
    about = bundle.description
    if about.outcome != target.outcome:
        return Unavailable(
            f"a bundle of {target.outcome}; name it with {{outcome}} in `source` under [transfer]",
            f"{path.name} is of {about.outcome}",
        )
    authorities = study.cities[target.city].authorities
    # Without the areas, whether its networks have seen those that test them is told by names.
    if bundle.areas is None and about.learned_from(target.city, authorities):
        return Unavailable(
            "networks of another city", f"{path.name} was trained on {target.city} itself"
        )
    if (stale := bundle.stale_labels(store, study)) and not study.transfer.allow_stale:
        return Unavailable(f"a bundle of networks of today's labels, {_OR_ALLOWED}", stale)
    return Source(
        name=path.name,
        encoder=about.encoder,
        profile=about.profile,
        digest=digest_file(path),
        taught=bundle.areas,
        read_weights=lambda: [network.get_weights() for network in bundle.networks().values()],
    )
