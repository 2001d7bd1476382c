"""What encodes: a network of any family, compiled, with what it takes and what it is known by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.preprocess import Decoded
from streetineq_assets.findings import Scalar

if TYPE_CHECKING:
    import keras

Encode = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded picture is made into a network's input.

    Attributes:
        name: all of it in words, for the identity.
        antialias: whether the picture that is screened is scaled as the paper's encoder takes it
            with antialiasing, or without.
        least_px: a JPEG file may be decoded at a fraction of its size while its short side keeps so
            many pixels; None: at full size.
        prepare: upright picture to float32 (height, width, 3); None: the network takes what is
            screened, `preprocess.view_of`. It is called by several threads at once.
    """

    name: str
    antialias: bool = True
    least_px: int | None = None
    prepare: Callable[[Decoded], np.ndarray] | None = None


@dataclass(frozen=True)
class Network:
    """What a family makes of its settings: a network with checked weights, not compiled yet.

    Attributes:
        forward: Keras model of float32 (n, height, width, 3) -> (n, width), or a function of such
            arrays that is ready.
        input_shape: (height, width, 3).
        backbone, layer: as the identity states them.
        width: values per image.
        weights: the identity's label.
        weights_sha256: of their file or folder, or of their arrays where there is none.
        licence: the publisher's, empty where unknown.
        n_parameters: of the network, as far as it is used.
    """

    forward: "keras.Model | Encode"
    input_shape: tuple[int, int, int]
    backbone: str
    layer: str
    width: int
    preprocessing: Preprocessing
    weights: str
    weights_sha256: str
    licence: str = ""
    n_parameters: int = 0


@dataclass(frozen=True)
class Encoder:
    """A network ready to encode.

    Attributes:
        encode: float32 (batch_size, *input_shape) -> (batch_size, width), convertible to a float32
            array; it may still be computing when it returns.
        batch_size: the one number of images that `encode` takes, a multiple of four.
        identity: what decides the codes; two files with the same identity hold comparable codes.
        preprocessing: what makes its input.
        input_shape: (height, width, 3).
        values: single numbers for the UI, such as `n_encoder_parameters`.
    """

    encode: Encode
    batch_size: int
    identity: EncoderIdentity
    values: dict[str, Scalar]
    preprocessing: Preprocessing = Preprocessing("antialias")
    input_shape: tuple[int, int, int] = (224, 224, 3)

    @property
    def width(self) -> int:
        """Values per image."""
        return self.identity.width
