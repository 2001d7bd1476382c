"""Real weights for the demo: a file of them is looked at, put below the study and named there."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetineq_assets.codes.encoders import keras_file, vgg16
from streetineq_assets.digests import digest_file
from streetineq_assets.encoder_settings import Encoder as Settings
from streetineq_assets.encoder_settings import KerasEncoder, KerasFileEncoder
from streetineq_assets.errors import StudyError
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study


@dataclass(frozen=True)
class RealWeights:
    """A network in a file that looks as if it could be opened.

    Attributes:
        encoder: the settings of a study that has the file among its inputs.
    """

    file: Path
    encoder: KerasFileEncoder | KerasEncoder

    @classmethod
    def of(cls, file: Path, layer: str) -> "RealWeights":
        """Look at a file without TensorFlow, which each step sets up for its own device.

        Args:
            file: a whole network as `.keras`, or Keras's weights of VGG16 as `.h5`.
            layer: of the former, whose output is the code.

        Raises:
            StudyError: another kind of file, or a network without that layer.
            SourceError: it is none, or has layers that are not of Keras, or is another network.
        """
        named = {"weights": f"inputs/weights/{file.name}", "weights_sha256": digest_file(file)}
        if file.suffix == ".keras":
            keras_file.require_layer(file, layer)
            settings = {"family": "keras_file", "layer": layer} | named
            return cls(file, KerasFileEncoder.model_validate(settings))
        if file.suffix == ".h5":
            for _ in vgg16.read_weights(file):
                pass
            return cls(file, KerasEncoder.model_validate(named))
        raise StudyError(
            f"{file} is neither a network as Keras saves it (.keras) nor Keras's weights of VGG16 "
            "(.h5): name such a file as --weights"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of `[encoder]` in study.toml."""
        return self.encoder.model_dump(exclude_unset=True)

    def put_below(self, store: DataStore) -> None:
        """Copy the file to where the settings name it."""
        target = store.input_file(self.encoder.weights)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.file, target)

    def require_in(self, store: DataStore) -> None:
        """Refuse a study that has other weights.

        Raises:
            StudyError: it has.
        """
        if load_study(store.study_file).encoder != self.encoder:
            raise StudyError(
                f"{store.root} holds a study that does not have the weights of {self.file}: name "
                "another folder, or leave --weights out"
            )


def in_words(encoder: Settings) -> str | None:
    """Which real weights a study names; None where they are random."""
    if encoder.is_random:
        return None
    named = encoder.model_dump()
    sha256 = f", sha256 {encoder.weights_sha256[:12]}" if encoder.weights_sha256 else ""
    return f"layer {named['layer']} of {Path(named['weights']).name}{sha256}"
