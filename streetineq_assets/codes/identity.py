"""Which encoder made some codes, and the refusal to take codes of two encoders for one.

The identity stands in every bucket and shard, in the records of shards and networks, and in
bundles. It is compared here and nowhere else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from streetineq_assets.errors import TrainingError

_LABELS = ("weights", "licence")
_LATER = ("family", "input_px", "licence")


class EncoderIdentity(BaseModel):
    """What decides the codes of an image.

    Files of earlier versions lack some of these; their codes are of `keras.applications`, from
    pictures of 224 pixels, in float32.

    Attributes:
        family: as in study.toml, `[encoder]`.
        backbone: the network, by the name that its family has for it.
        layer: or pooling, whose output the codes are.
        input_px: side of the pictures that it takes.
        preprocessing: how pictures are made into its input, in words that name all of it.
        weights: `imagenet`, `random`, `file`, `imported`, or `none` where nothing was encoded: a
            label only, since a renamed file makes the same codes; the sha256 is what counts.
        licence: of the weights, empty where nobody stated it: a label too.
        mixed_precision: float16 arithmetic.
        width: values per view; 0 where nothing was encoded.
    """

    model_config = ConfigDict(frozen=True)

    family: str = "keras"
    backbone: str
    layer: str
    input_px: int = 224
    preprocessing: str
    weights: str
    weights_sha256: str
    licence: str = ""
    mixed_precision: bool = False
    width: int

    @property
    def is_imported(self) -> bool:
        """Whether somebody brought the codes, so that no picture was looked at."""
        return self.family == "imported"

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "EncoderIdentity":
        """The identity among the attributes of a bucket or shard; HDF5's scalars become Python's.

        Raises:
            pydantic.ValidationError: an attribute is absent.
        """
        named = {name: attributes[name] for name in cls.model_fields if name in attributes}
        return cls.model_validate({name: plain_attribute(value) for name, value in named.items()})

    @property
    def attributes(self) -> dict[str, Any]:
        """The identity as attributes of an HDF5 file.

        What came after the first versions is left out where it is as it was then, so that the same
        codes have the same attributes.
        """
        later = {name: type(self).model_fields[name].default for name in _LATER}
        return {n: value for n, value in self.model_dump().items() if later.get(n) != value}

    @property
    def covered(self) -> dict[str, Any]:
        """Those of the attributes that belong to a file's content: all but the licence."""
        return {name: value for name, value in self.attributes.items() if name != "licence"}

    def differences(self, other: "EncoderIdentity") -> Iterator[tuple[str, Any, Any]]:
        """What makes the other's codes mean something else: name, own value, the other's."""
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if name not in _LABELS and mine != theirs:
                yield name, mine, theirs

    def is_same(self, other: "EncoderIdentity") -> bool:
        """Whether codes of the two can stand in one table."""
        return not any(self.differences(other))


def require_encoder(wanted: EncoderIdentity, found: EncoderIdentity) -> None:
    """Refuse networks codes that they did not learn from.

    Args:
        wanted: of the codes that the networks learned from.
        found: of the codes at hand.

    Raises:
        TrainingError: they differ; the message names the first difference.
    """
    for name, mine, theirs in wanted.differences(found):
        raise TrainingError(
            f"the networks take codes with {name} {mine}, these have {theirs}: extract codes with "
            "the networks' encoder, or use networks trained on these codes"
        )


def require_one_encoder(by_city: Mapping[str, EncoderIdentity]) -> None:
    """Refuse to learn from cities whose codes mean different things.

    Raises:
        TrainingError: two cities' codes differ; the message names both and the difference.
    """
    cities = list(by_city)
    for city in cities[1:]:
        for name, mine, theirs in by_city[cities[0]].differences(by_city[city]):
            raise TrainingError(
                f"the codes of {cities[0]} have {name} {mine}, those of {city} {theirs}: networks "
                "that learn from both need one encoder; materialise image_codes and hdf5_shards of "
                "the city that differs from study.toml again"
            )


def plain_attribute(value: Any) -> Any:
    """An attribute of an HDF5 file as Python's own type."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if hasattr(value, "item") else value
