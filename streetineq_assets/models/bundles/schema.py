"""What a bundle must say of itself before any of it is used: `bundle.json`.

A bundle comes from elsewhere. Its names become parts of paths, so they have the shape of a study's.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.errors import SourceError
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.models.pair_training import network_file
from streetineq_assets.profiles import Profile
from streetineq_assets.settings import Key
from streetineq_assets.wrong_settings import in_words

AREAS_MEMBER = "areas.txt"


class BundleDescription(BaseModel):
    """The fields on which reading a bundle relies; others may be there for people.

    Attributes:
        city, outcome: the pair.
        trained_on: key to title of the cities that the networks learned from.
        authorities: their local authorities' codes, by city; earlier bundles did not record them.
        encoder: of the codes that the networks take. Format 2 did not record mixed precision, when
            codes were float32.
        n_views: of the locations that they learned from; earlier bundles are of four.
        profile: how the networks were trained.
        folds: of the networks.
        n_areas: that taught the networks, whose codes are in the bundle; None in earlier bundles,
            which do not list them.
        members: file name to sha256.
    """

    model_config = ConfigDict(frozen=True)

    city: Key
    outcome: Key
    trained_on: dict[Key, str] = Field(min_length=1)
    authorities: dict[Key, list[str]] = Field(default_factory=dict)
    encoder: EncoderIdentity
    n_views: int = Field(len(VIEWS), ge=1)
    profile: Profile
    folds: list[int] = Field(min_length=1)
    n_areas: int | None = Field(None, ge=1)
    members: dict[str, str]

    def learned_from(self, city: str, authorities: Iterable[str]) -> bool:
        """Whether a city taught the networks, which another study may call otherwise.

        Args:
            authorities: codes of the city's local authorities.
        """
        recorded = self.trained_on.keys() & self.authorities.keys()
        seen = {code for key in recorded for code in self.authorities[key]}
        return city in self.trained_on.keys() - recorded or not seen.isdisjoint(authorities)


def read_description(about: Mapping[str, Any], path: Path) -> BundleDescription:
    """What `bundle.json` says, checked.

    Args:
        path: the bundle, for the message.

    Raises:
        SourceError: a field is absent or of another shape, or a fold has no network.
    """
    fields = BundleDescription.model_fields.items()
    missing = [name for name, field in fields if field.is_required() and name not in about]
    if missing:
        raise _unusable(path, f"it lacks {', '.join(missing)}")
    try:
        description = BundleDescription.model_validate(dict(about))
    except ValidationError as error:
        raise _unusable(path, in_words(error, BundleDescription)) from error
    names = map(network_file, description.folds)
    absent = [name for name in names if name not in description.members]
    if description.n_areas is not None and AREAS_MEMBER not in description.members:
        raise _unusable(path, f"there is no {AREAS_MEMBER} among its members")
    if absent:
        raise _unusable(path, f"there is no network {absent[0]} among its members")
    return description


def _unusable(path: Path, fault: str) -> SourceError:
    return SourceError(f"{path} is not a model bundle to be used: {fault}; export it again")
