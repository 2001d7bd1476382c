"""Which encoder made some codes, and the refusal of networks that learnt from another's.

What belongs here: the identity and its comparison, of codes with networks and with each other. What
does not: encoders themselves (`codes`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from streetineq_assets.errors import TrainingError

ENCODER_KEYS = ("backbone", "layer", "preprocessing", "weights", "weights_sha256", "width")
# What must agree for codes to mean the same; the weights' name is only a name.
_IDENTITY = ("backbone", "layer", "preprocessing", "weights_sha256", "width")


def encoder_identity(attributes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The part of the codes' attributes that says how they were made.

    Args:
        attributes: of the shards, or figures of a training in which they carry a prefix.
    """
    found = {key: _plain(attributes.get(prefix + key)) for key in ENCODER_KEYS}
    return found | {"synthetic": bool(attributes.get(f"{prefix}synthetic", False))}


def refuse_other_codes(encoder: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Raise TrainingError unless codes were made as those that the networks learnt from."""
    for key, want, have in _differences(encoder, attributes):
        raise TrainingError(
            f"the networks take codes with {key} {want}, these have {have}: extract codes "
            "with the networks' encoder, or use networks trained on these codes"
        )


def refuse_mixed_codes(made: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise TrainingError unless all cities' codes, which are to be learned from as one, are alike.

    Args:
        made: city to the attributes of its codes.
    """
    first = next(iter(made), None)
    for city, attributes in made.items():
        for key, have, other in _differences(made[first], attributes):
            raise TrainingError(
                f"the codes of {first} have {key} {have}, those of {city} {other}: networks that "
                "learn from both need one encoder; materialise image_codes and hdf5_shards of the "
                "city that differs from study.toml again"
            )


def _differences(
    one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """What makes codes mean something else, and its two values."""
    for key in _IDENTITY:
        values = _plain(one.get(key)), _plain(other.get(key))
        if values[0] != values[1]:
            yield key, *values


def _plain(value: Any) -> Any:
    """HDF5's scalars as Python's."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value
