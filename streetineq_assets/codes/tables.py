"""The tables of this step, and the records that later steps read."""

from typing import Any

import pyarrow as pa
from pydantic import AliasChoices, BaseModel, Field, model_validator

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.tables import column, schema

_FEATURES = pa.list_(pa.list_(pa.float32()))
IMAGE_CODES = schema(
    column("location_id", "string", "the location; rows ascend by it"),
    column(
        "image_sha256",
        pa.list_(pa.string()),
        "sha256 of each view, with its cut of a panorama; empty of absent views",
    ),
    column("features", _FEATURES, "codes of views a, b, c, d, by the study's encoder"),
)
HDF5_SHARDS = schema(
    column("location_id", "string", "the location; rows ascend by hash(seed, location_id)"),
    column("features", _FEATURES, "codes of views a, b, c, d, as float16 or float32"),
)
SHARD_ROWS = schema(
    column("shard", "int32", "number of the shard, from 0"),
    column("row", "int32", "row in the shard, from 0"),
    column("location_id", "string", "the location whose codes lie there"),
)
IMAGE_QUALITY = schema(
    column("location_id", "string", "a location with codes"),
    column("view", "string", "its view a, b, c or d"),
    column(
        "sharpness",
        "float32",
        "steepest step of the strongest edges, as a share of their height",
        nullable=True,
    ),
    column("brightness", "float32", "mean luma", unit="grey levels of 255", nullable=True),
    column("sky", "float32", "share of the upper third that is like sky", nullable=True),
)

REPEATED_IMAGES = schema(
    column("picture", "int64", "number of the picture: images with one number show the same"),
    column("location_id", "string", "a location that has it"),
    column("view", "string", "as its view a, b, c or d"),
)
IMAGE_REPEATS = schema(
    column("location_id", "string", "a location with codes"),
    column(
        "other_location_id", "string", "one of another LSOA that shows the same; it sorts later"
    ),
    column(
        "kind",
        "string",
        "exact (a picture in common), perceptual (one that looks the same) or near (by position)",
    ),
    column(
        "distance",
        "float64",
        "0 if exact; least number of bits of 64 that differ if perceptual; metres if near",
    ),
)


class BucketRecord(BaseModel):
    """What later runs need to know of a bucket of codes.

    Attributes:
        n_buckets: of the city, when the bucket was made.
        n_rejected: locations that could not be encoded.
        n_without_phash: locations with codes and without perceptual hashes; None where an earlier
            version made the file, which made none.
        n_without_quality: the same of figures of quality.
        encoder: what made the codes; None where an earlier version did not record it.
    """

    n_buckets: int = Field(validation_alias=AliasChoices("n_buckets", "buckets"))
    n_rejected: int = Field(validation_alias=AliasChoices("n_rejected", "rejected"))
    n_without_phash: int | None = None
    n_without_quality: int | None = None
    encoder: EncoderIdentity | None = None


class ShardsRecord(BaseModel):
    """What later steps need to know of a city's shards.

    Attributes:
        n_listed, n_extracted, n_rejected, n_missing: locations.
        without_codes: reason to number of locations.
        encoder: what made the codes.
        synthetic: whether they are of synthetic images or random weights.
        dtype: of the features, `float16` or `float32`.
        n_views: of a location, present or absent.
        n_absent_views: of all locations together.
    """

    n_listed: int = Field(validation_alias=AliasChoices("n_listed", "listed"))
    n_extracted: int = Field(validation_alias=AliasChoices("n_extracted", "extracted"))
    n_rejected: int = Field(validation_alias=AliasChoices("n_rejected", "rejected"))
    n_missing: int = Field(validation_alias=AliasChoices("n_missing", "missing"))
    without_codes: dict[str, int] = Field(default_factory=dict)
    encoder: EncoderIdentity
    synthetic: bool = False
    dtype: str
    n_views: int = len(VIEWS)
    n_absent_views: int = 0

    @model_validator(mode="before")
    @classmethod
    def from_version_1(cls, record: dict[str, Any]) -> dict[str, Any]:
        """Read what stood among the values and tables of manifests of version 1."""
        if "encoder" in record or "backbone" not in record:
            return record
        rows = record.get("without_codes", [])
        reasons = {row["reason"]: row["locations"] for row in rows}
        return record | {"encoder": record, "without_codes": reasons}

    @property
    def n_images(self) -> int:
        """Images with codes: the views that are there."""
        return self.n_extracted * self.n_views - self.n_absent_views

    @property
    def size_bytes(self) -> int:
        """Bytes of all features."""
        itemsize = {"float16": 2, "float32": 4}[self.dtype]
        return self.n_extracted * self.n_views * self.encoder.width * itemsize
