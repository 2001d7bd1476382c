"""Weights on disk: whether they are there, and the sha256 by which they are known."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.digests import digest_file
from streetineq_assets.errors import SourceError, SourceMissingError

if TYPE_CHECKING:
    import keras


def checked_file(path: Path, expected: str | None, *, remedy: str) -> str:
    """The sha256 of a file of weights.

    Args:
        expected: the sha256 that study.toml states, if it does.
        remedy: what to do where the file is missing.

    Raises:
        SourceMissingError: it is missing.
        SourceError: it is another file than study.toml states.
    """
    if not path.is_file():
        raise SourceMissingError(f"{path} is missing: {remedy}")
    sha256 = digest_file(path)
    require_sha256(path, sha256, expected)
    return sha256


def require_sha256(path: Path, found: str, expected: str | None) -> None:
    """Refuse weights that are not those that study.toml states.

    Raises:
        SourceError: they are others.
    """
    if expected and found != expected:
        raise SourceError(
            f"{path} has the sha256 {found}, study.toml expects {expected}: get "
            "the file again, or correct encoder.weights_sha256"
        )


def digest_arrays(model: "keras.Model | Any") -> str:
    """The sha256 of a Keras model's weights, in its order."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()
