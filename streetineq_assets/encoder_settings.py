"""The section `[encoder]` of `study.toml`: one model for each family of encoders.

`family` says which; without it the encoder is one of Keras's own, as the paper's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from streetineq_assets.settings import FileBelow, Licence, Settings, Sha256

IMAGENET, RANDOM = "imagenet", "random"


class _Encoder(Settings):
    """What every family has."""

    weights_sha256: Sha256 | None = None
    licence: Licence | None = Field(
        None, description="of the weights; by default the publisher's, where it is known"
    )
    batch_size: int = Field(32, ge=1)

    @property
    def is_random(self) -> bool:
        """Whether nobody trained it, so that results only show that the chain works."""
        return False

    @property
    def decisive(self) -> dict[str, Any]:
        """What of it decides codes, beside the weights."""
        return self.model_dump(exclude={"weights", "weights_sha256", "licence", "batch_size"})


class KerasEncoder(_Encoder):
    """A network of `keras.applications`; by default VGG16's fc6, the paper's."""

    family: Literal["keras"] = "keras"
    backbone: str = Field("vgg16", description="vgg16, or a name in keras.applications")
    layer: str = Field("fc6", description="fc6 (before its ReLU), or a layer of the backbone")
    weights: FileBelow = Field(
        "inputs/weights/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        description="a file below the study's root, 'imagenet', or 'random'",
    )
    preprocessing: Literal["antialias", "suel2019"] = "antialias"
    mixed_precision: bool = Field(
        False,
        description="float16 arithmetic for codes, on GPUs alone; training's is the resource gpu's",
    )

    @property
    def is_fc6(self) -> bool:
        """Whether it is VGG16's fc6, the paper's code."""
        return self.backbone == "vgg16" and self.layer == "fc6"

    @property
    def is_random(self) -> bool:
        """Whether nobody trained it, so that results only show that the chain works."""
        return self.weights == RANDOM

    @property
    def decisive(self) -> dict[str, Any]:
        """What of it decides codes, beside the weights; `family` came later and says no more."""
        return self.model_dump(include={"backbone", "layer", "preprocessing", "mixed_precision"})


class KerasFileEncoder(_Encoder):
    """A whole network in a `.keras` file, which takes RGB in 0..255."""

    family: Literal["keras_file"]
    weights: FileBelow = Field(description="the file, below the study's root")
    layer: str = Field(description="the layer whose output is the code")
    mixed_precision: bool = False


class HubEncoder(_Encoder):
    """The image encoder of a KerasHub preset, such as DINOv2, CLIP or SigLIP."""

    family: Literal["hub"]
    weights: FileBelow = Field(description="the preset's folder, below the study's root")
    pooling: Literal["cls", "mean", "embedding"] | None = Field(
        None,
        description="the class token, the mean of the patches' tokens, or the network's own "
        "embedding; by default as its publisher uses it",
    )
    mixed_precision: bool = False


class InputImage(Settings):
    """How an ONNX network takes pictures: as torchvision's and Hugging Face's transforms do."""

    fit: Literal["crop", "stretch"] = Field(
        "crop", description="the middle of a picture, or all of it, with its sides made equal"
    )
    resize_px: int | None = Field(None, gt=0, description="the short side; by default crop_px")
    crop_px: int | None = Field(None, gt=0, description="of the middle; by default the input's")
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scale: float = Field(1.0, gt=0, description="by which 0..255 is multiplied first")
    mean: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="then subtracted")
    sd: tuple[float, float, float] = Field((1.0, 1.0, 1.0), description="by which it is divided")
    channels: Literal["rgb", "bgr"] = Field("rgb", description="their order, of mean and sd too")

    @model_validator(mode="after")
    def nothing_is_cut_off_what_is_stretched(self) -> "InputImage":
        """A stretched picture has the input's size at once."""
        if self.fit == "stretch" and (self.resize_px or self.crop_px):
            raise ValueError('resize_px and crop_px are of fit = "crop": delete them')
        return self


class OnnxEncoder(_Encoder):
    """A network in an ONNX file."""

    family: Literal["onnx"]
    weights: FileBelow = Field(description="the file, below the study's root")
    output: str | None = Field(None, description="its name, where there are several")
    pooling: Literal["cls", "mean"] | None = Field(
        None, description="the first token or the mean, where an image has several vectors"
    )
    input: InputImage = InputImage()


class ImportedEncoder(_Encoder):
    """Codes that exist already: what somebody states of the encoder that made them."""

    family: Literal["imported"]
    name: str = Field(min_length=1, description="of the network, such as CLIP ViT-B/32")
    layer: str = Field(min_length=1, description="or pooling, whose output the codes are")
    preprocessing: str = Field(min_length=1, description="in a few words")
    width: int = Field(gt=0, le=65_536, description="numbers in the code of one view")


def _tag_of(settings: Any) -> str:
    """The family in brackets, by which a fault's place in a union is told from its keys."""
    if isinstance(settings, Mapping):
        return f"[{settings.get('family', 'keras')}]"
    return f"[{getattr(settings, 'family', 'keras')}]"


Encoder = Annotated[
    Annotated[KerasEncoder, Tag("[keras]")]
    | Annotated[KerasFileEncoder, Tag("[keras_file]")]
    | Annotated[HubEncoder, Tag("[hub]")]
    | Annotated[OnnxEncoder, Tag("[onnx]")]
    | Annotated[ImportedEncoder, Tag("[imported]")],
    Discriminator(_tag_of),
]
