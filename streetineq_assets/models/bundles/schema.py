"""What a bundle must say of itself before any of it is used.

What belongs here: the fields of `bundle.json` on which reading a bundle relies, and their refusal
in one sentence. What does not: the archive and its members (`bundle`), and the fields for people.

A bundle comes from elsewhere. Its names become parts of paths, so they have the shape of a study's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from streetineq_assets.errors import SourceError
from streetineq_assets.models.pair_training import network_file
from streetineq_assets.study import Key, Profile


class _Description(BaseModel):
    """The fields that must be there, and their shapes; others may be there too."""

    city: Key
    outcome: Key
    trained_on: dict[Key, str] = Field(min_length=1)
    encoder: dict[str, Any]
    profile: Profile
    folds: list[int] = Field(min_length=1)
    members: dict[str, str]


def require_description(about: Mapping[str, Any], path: Path) -> None:
    """Raise SourceError unless `bundle.json` says what is needed, each field in its shape.

    Args:
        about: what it says.
        path: the bundle, for the message.
    """
    fault = _fault(about)
    if fault:
        raise SourceError(f"{path} is not a model bundle to be used: {fault}; export it again")


def _fault(about: Mapping[str, Any]) -> str | None:
    missing = [name for name in _Description.model_fields if name not in about]
    if missing:
        return f"it lacks {', '.join(missing)}"
    try:
        found = _Description.model_validate(dict(about))
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    absent = [name for name in map(network_file, found.folds) if name not in found.members]
    return f"there is no network {absent[0]} among its members" if absent else None
