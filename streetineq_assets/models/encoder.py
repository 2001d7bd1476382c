"""Which encoder made some codes, and the refusal of networks that learnt from another's.

What belongs here: the identity and its comparison, also between cities. What does not: encoders
themselves (`codes`).
"""

from collections.abc import Mapping
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
    for key in _IDENTITY:
        have, want = _plain(attributes.get(key)), _plain(encoder.get(key))
        if have != want:
            raise TrainingError(
                f"the networks take codes with {key} {want}, these have {have}: extract codes "
                "with the networks' encoder, or use networks trained on these codes"
            )


def refuse_mixed_codes(attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise TrainingError unless the codes of all cities were made by one encoder.

    Args:
        attributes: city to the attributes of its codes.
    """
    first, *others = attributes
    for other, key in ((other, key) for other in others for key in _IDENTITY):
        one, two = _plain(attributes[first].get(key)), _plain(attributes[other].get(key))
        if one != two:
            raise TrainingError(
                f"the codes of {first} have {key} {one}, those of {other} {two}: networks cannot "
                "learn from both; materialise image_codes and hdf5_shards of both cities with one "
                "encoder"
            )


def _plain(value: Any) -> Any:
    """HDF5's scalars as Python's."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value
