"""The sections of `study.toml`, each a model that refuses keys that it does not know.

How to train has a module of its own, `profiles`; the file as a whole is `study`.
"""

import datetime as dt
import math
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from streetineq_assets.name_patterns import DEFAULT_NAMES, checked_pattern, refuse_same
from streetineq_assets.wrong_settings import path_below, written_as

OutcomeKey = Literal[
    "self_reported_health",
    "occupancy_rating",
    "unemployment",
    "education",
    "health_deprivation",
    "barriers_to_housing",
    "employment_deprivation",
    "education_deprivation",
    "income_deprivation",
    "crime",
    "living_environment",
    "mean_income",
    "median_income",
]
OUTCOME_KEYS: tuple[str, ...] = get_args(OutcomeKey)
Act = Literal["store_images", "derive_codes", "publish_codes", "show_images"]
ACTS: tuple[str, ...] = get_args(Act)
AggregationRule = Literal["mean_score", "shrunk_score", "mean_decile", "fixed_borders"]
SchemeName = Literal["location", "area", "buffered_area", "spatial_block", "district", "city"]
# A key becomes part of paths.
Key = Annotated[
    str, AfterValidator(written_as("[a-z][a-z0-9_]*", "of a-z, 0-9 and _, such as west_midlands"))
]
AuthorityCode = Annotated[
    str, AfterValidator(written_as("[EWSN][0-9]{8}", "a local authority's code, such as E09000001"))
]
_EMAIL, _WEB = r"[^@\s,<>]+@[^@\s,<>]+", r"https://[^\s<>\"]+"
Orcid = Annotated[
    str, AfterValidator(written_as("([0-9]{4}-){3}[0-9]{3}[0-9X]", "as 0000-0002-1825-0097"))
]
Licence = Annotated[
    str,
    AfterValidator(
        written_as(
            rf"{_WEB}|[A-Za-z0-9][A-Za-z0-9.+-]*",
            "an SPDX identifier, such as CC-BY-4.0, or an address that begins with https://",
        )
    ),
]
Doi = Annotated[
    str, AfterValidator(written_as(r"10\.[0-9]{4,9}/[^\s<>\"]+", "as 10.5281/zenodo.1"))
]
Address = Annotated[str, AfterValidator(written_as(_WEB, "an address that begins with https://"))]
Contact = Annotated[
    str,
    AfterValidator(
        written_as(rf"{_WEB}|{_EMAIL}", "an e-mail address, or one that begins with https://")
    ),
]
FileBelow = Annotated[str, AfterValidator(path_below)]
Sha256 = Annotated[str, AfterValidator(written_as("[0-9a-f]{64}", "64 digits of 0-9 and a-f"))]


# Below it a panorama shows what carries the camera: in real ones a rider from 55 degrees below the
# horizon, the roof of a car from 60, and at 45 the road.
LOWEST_DEG = 50.0


def lowest_deg(fov_deg: float, width_px: int, height_px: int) -> float:
    """How far below the horizon the lowest point of a level view lies, in degrees."""
    return math.degrees(math.atan(math.tan(math.radians(fov_deg) / 2) * height_px / width_px))


class Settings(BaseModel):
    """Frozen settings that refuse keys they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class City(Settings):
    """One city: its areas by local authority, its buckets, the outcomes it is trained on."""

    title: str
    authorities: tuple[AuthorityCode, ...] = Field(min_length=1)
    lsoas: int | None = Field(None, gt=0, description="published number of LSOAs of 2011")
    buckets: int = Field(8, ge=1, le=999, description="partitions of image_codes")
    outcomes: tuple[OutcomeKey, ...] = Field(min_length=1)

    @field_validator("authorities", "outcomes")
    @classmethod
    def no_duplicates(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        """A partition key must occur once."""
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} named twice")
        return values


class Folds(Settings):
    """How a city's areas are split; `models.folds` has the schemes."""

    scheme: Literal["area", "spatial_block", "district", "location", "city", "holdout"] = "area"
    k: int = Field(5, ge=2, le=20)
    repeated_below: int = Field(
        200,
        ge=0,
        description="areas of a city below which each further seed of training has folds of its "
        "own, dealt anew, so that the spread over seeds holds the dealing too; 0: never",
    )
    block_km: float = Field(5.0, ge=0.1, description="side of a spatial block")
    buffer_km: float = Field(1.0, ge=0.0, description="removed from training around test blocks")
    buffer_m: float = Field(0.0, ge=0.0, description="the same of locations, under `area`")
    holdout_shares: tuple[float, float, float] = (0.6, 0.1, 0.3)
    stratify_by: tuple[OutcomeKey, ...] | None = Field(
        None,
        min_length=1,
        description="outcomes whose mean decile evens out the folds; by default all of a city. "
        "Those of before keep every area in its fold when an outcome is added",
    )

    @field_validator("holdout_shares")
    @classmethod
    def shares_sum_to_one(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        """Shares are of all areas."""
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError("must be three positive shares that sum to 1")
        return shares

    @model_validator(mode="after")
    def buffer_of_areas(self) -> "Folds":
        """Each scheme has one buffer at most."""
        if self.buffer_m and self.scheme != "area":
            raise ValueError(f"buffer_m is of the scheme area, not of {self.scheme}: delete it")
        return self


class Repeats(Settings):
    """Locations of different areas that show the same; `codes.image_repeats` has the kinds."""

    drop: bool = Field(True, description="leave repeats of a fold's test out of its training")
    max_hamming: int = Field(6, ge=0, le=8, description="of 64 bits, in which like pictures differ")
    near_m: float = Field(50.0, ge=0.0, le=200.0, description="metres between two views of a place")
    max_share: float = Field(0.01, ge=0.0, le=1.0, description="of locations, above which it stops")


class Encoder(Settings):
    """Which network turns an image into a code, and with which weights."""

    backbone: str = Field("vgg16", description="vgg16, or a name in keras.applications")
    layer: str = Field("fc6", description="fc6 (before its ReLU), or a layer of the backbone")
    weights: FileBelow = Field(
        "inputs/weights/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        description="a file below the study's root, 'imagenet', or 'random'",
    )
    weights_sha256: Sha256 | None = None
    preprocessing: Literal["antialias", "suel2019"] = "antialias"
    batch_size: int = Field(32, ge=1)
    mixed_precision: bool = Field(
        False,
        description="float16 arithmetic for codes, on GPUs alone; training's is the resource gpu's",
    )


class Automation(Settings):
    """How much runs by itself, once it is switched on."""

    gpu_hours_per_day: float = Field(
        24.0,
        ge=0,
        description="hours of encoding and training runs that the sensor asks for within 24; "
        "beyond them it asks for no more",
    )


class Notices(Settings):
    """Who is told of failures, and of what changed in a week; `streetineq_assets.notices`."""

    email_to: tuple[str, ...] = Field((), description="addresses; the mail server is set outside")
    email_from: str | None = Field(None, description="by default streetineq@ this machine")

    @field_validator("email_to")
    @classmethod
    def addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        """One address each, so that a header cannot be ended by one."""
        for value in values:
            if not re.fullmatch(_EMAIL, value):
                raise ValueError(f"{value!r} is no address of the form name@host")
        return values


class Author(Settings):
    """A person who answers for the study."""

    name: str = Field(min_length=1, description="as it is cited")
    orcid: Orcid | None = None
    affiliation: str | None = Field(None, min_length=1)


class Publication(Settings):
    """Who publishes the study, and under which licence; `evidence_pack` states it."""

    authors: tuple[Author, ...] = Field((), description="in the order in which they are cited")
    licence: Licence | None = Field(None, description="of what is published")
    doi: Doi | None = Field(None, description="of the deposit that holds the pack")
    code: Address | None = Field(None, description="where the code lies, in the version that ran")
    contact: Contact | None = Field(None, description="for questions")
    date: dt.date | None = Field(
        None, description="day of publication; by default the study's own date stands in"
    )


class Images(Settings):
    """How images are named, and which pictures are taken for images of a street.

    `name_patterns` has what a pattern is, `codes.screening` the rules by which pictures are judged;
    those of `codes.quality` are off unless a limit is set.
    """

    names: tuple[Annotated[str, AfterValidator(checked_pattern)], ...] = Field(
        DEFAULT_NAMES, min_length=1, description="patterns of files' names, the first that fits"
    )
    least_contrast: float = Field(
        1.0,
        ge=0,
        description="standard deviation in grey levels of 255 below which a picture is blank",
    )
    most_plain: float = Field(
        0.9,
        gt=0,
        le=1,
        description="share of pixels of one colour above which it is a provider's placeholder",
    )
    least_sharpness: float | None = Field(
        None, ge=0, le=1, description="below which a picture is refused; `codes.quality` has it"
    )
    least_brightness: float | None = Field(
        None, ge=0, le=255, description="mean grey level below which a picture is refused"
    )
    least_sky: float | None = Field(
        None, ge=0, le=1, description="share of its upper third below which a picture is refused"
    )

    @field_validator("names", mode="before")
    @classmethod
    def names_listed(cls, names: Any) -> Any:
        """One pattern is a list of one."""
        return (names,) if isinstance(names, str) else names

    @field_validator("names")
    @classmethod
    def names_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Each pattern occurs once."""
        refuse_same(names)
        return names


class Views(Settings):
    """How a location's four views are made of captures; `images.headings` has the rules."""

    fov_deg: float = Field(
        90.0, ge=30, le=120, description="width of a view that is cut of a panorama"
    )
    width_px: int = Field(640, ge=224, le=2048, description="of such a view")
    height_px: int = Field(400, ge=224, le=2048, description="of such a view")
    tolerance_deg: float = Field(
        45.0, gt=0, le=45, description="by which a photograph may look past a heading"
    )
    within_m: float = Field(
        25.0, gt=0, le=200, description="from a location to a capture that shows it"
    )
    within_days: float = Field(
        366.0, ge=0, description="between the captures of one location's views"
    )

    @model_validator(mode="after")
    def above_the_car(self) -> "Views":
        """No view shows what carries the camera."""
        lowest = lowest_deg(self.fov_deg, self.width_px, self.height_px)
        if lowest > LOWEST_DEG:
            raise ValueError(
                f"fov_deg, width_px and height_px make views that reach {lowest:.0f} degrees below "
                f"the horizon, where a panorama shows what carries its camera: lower fov_deg or "
                f"height_px, or raise width_px, until it is {LOWEST_DEG:.0f} at most"
            )
        return self


class Places(Settings):
    """How a location without a postcode gets its area; `images.places` has the ways."""

    by: Literal["postcode", "boundaries"] = Field(
        "postcode", description="the nearest live postcode, or the boundary around the location"
    )
    within_m: float = Field(
        100.0, gt=0, le=1000, description="from a location to the postcode that places it"
    )


# Plain http is for a server on this machine, as tests have one.
Endpoint = Annotated[
    str,
    AfterValidator(
        written_as(
            r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*[A-Za-z0-9])?"
            r"|http://(localhost|127\.0\.0\.1)(:[0-9]+)?",
            "an address that begins with https://, without a slash at its end, such as "
            "https://panoramax.ign.fr",
        )
    ),
]
Provider = Literal["mapillary", "panoramax", "kartaview", "google_street_view"]


class Imagery(Settings):
    """Where a city's images are acquired from, how many, and how much may be fetched."""

    provider: Provider
    cities: tuple[Key, ...] | None = Field(
        None, min_length=1, description="that have no images of their own; by default all"
    )
    design: Literal["postcodes", "areas", "grid"] = Field(
        "postcodes", description="what locations are drawn from; `imagery.design` has the designs"
    )
    per_area: int = Field(8, ge=1, description="locations wanted in each area")
    least_per_area: int = Field(
        3, ge=1, description="wanted in each area by a design that has fewer there"
    )
    spacing_m: float = Field(250.0, ge=20, description="between the points of a grid")
    since: dt.date | None = Field(None, description="captures of before are not taken")
    until: dt.date | None = Field(None, description="nor those from this day on")
    panoramas_only: bool = Field(False, description="photographs are not taken")
    most_gigabytes: float = Field(
        0.0,
        ge=0,
        description="of a city that may be fetched, by its plan's estimate; 0: plan, fetch nothing",
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="at most; by default half of what the provider allows"
    )
    endpoint: Endpoint | None = Field(
        None, description="of another instance, https://...; by default the provider's own"
    )

    @model_validator(mode="after")
    def in_order(self) -> "Imagery":
        """An area has no fewer locations than the least, nor does time run backwards."""
        if self.least_per_area > self.per_area:
            raise ValueError("least_per_area is above per_area: lower it")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since is not before until: exchange them")
        return self


class Transfer(Settings):
    """Fine-tuning one city's networks on a share of another's."""

    source: FileBelow | None = Field(
        None,
        description="a city of this study, or a bundle file below its root, `{outcome}` in its "
        "name allowed",
    )
    shares: tuple[float, ...] = Field(
        (0.0, 0.01, 0.1, 1.0),
        min_length=1,
        validation_alias=AliasChoices("shares", "fractions"),  # the name in earlier versions
        description="of the target's training locations or areas; 0 is no tuning",
    )
    units: tuple[Literal["locations", "areas"], ...] = Field(
        ("locations", "areas"),
        min_length=1,
        validation_alias=AliasChoices("units", "unit"),  # one alone in earlier versions
        description="what the shares are parts of; few locations have the labels of many areas",
    )
    repeats: int = Field(
        5,
        ge=1,
        validation_alias=AliasChoices("repeats", "draws"),
        description="random choices of each share",
    )
    frozen_layers: int = Field(0, ge=0, le=4, description="leading trunk layers kept as they are")
    learning_rate_share: float = Field(0.3, gt=0, le=1, description="of the profile's rate")
    controls: bool = Field(True, description="train networks from scratch on the same shares too")
    equivalence_margin: float = Field(
        0.05, gt=0, lt=1, description="loss of rank correlation that still counts as doing as well"
    )
    allow_stale: bool = Field(
        False, description="true starts from networks whose labels were made again since"
    )

    @field_validator("units", mode="before")
    @classmethod
    def units_listed(cls, units: Any) -> Any:
        """Earlier versions named one unit."""
        return (units,) if isinstance(units, str) else units

    @field_validator("units")
    @classmethod
    def units_differ(cls, units: tuple[str, ...]) -> tuple[str, ...]:
        """Each unit occurs once."""
        if len(set(units)) < len(units):
            raise ValueError("must be different units")
        return units

    @field_validator("shares")
    @classmethod
    def shares_ascend(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Each share occurs once."""
        if list(shares) != sorted(set(shares)) or not 0 <= shares[0] <= shares[-1] <= 1:
            raise ValueError("must be different shares from 0 to 1, ascending")
        return shares


class Evidence(Settings):
    """Under which schemes of folds every model is tried; `evidence.schemes` has their meaning."""

    schemes: tuple[SchemeName, ...] = Field(
        get_args(SchemeName), description="of the evidence matrix; `city` needs a second city"
    )
    buffer_m: float = Field(
        500.0, gt=0, description="around test locations, left out of training in `buffered_area`"
    )

    @field_validator("schemes")
    @classmethod
    def from_lax_to_strict(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        """In the order of the vocabulary, each once."""
        return tuple(each for each in get_args(SchemeName) if each in schemes)


class Shards(Settings):
    """Size of the files of `hdf5_shards`."""

    rows: int = Field(8192, ge=1, description="locations per shard, at most")


class Agreement(Settings):
    """What a provider of images allows this study, beyond its published terms."""

    allows: tuple[Act, ...] = Field(description="what may be done; all else is forbidden")
    reason: str = Field(min_length=1, description="of whom and when, as the report prints it")


class Rights(Settings):
    """What is done with images beyond encoding them, and what was agreed with their providers."""

    publish_codes: bool = Field(False, description="codes of images are given to others")
    show_images: bool = Field(False, description="images are shown to others")
    agreements: dict[str, Agreement] = Field({}, description="by provider, in any spelling")


class Areas(Settings):
    """Which areas are ranked and published, and how their scores are made alike."""

    min_locations: int = Field(
        1, ge=1, description="predicted locations below which an area is not ranked"
    )
    min_published: int = Field(
        3,
        ge=1,
        description="predicted locations below which an area is marked as not to be published",
    )
    align_folds: bool = Field(
        False, description="put the scores of all folds on one scale before they are ranked"
    )


class Intervals(Settings):
    """What the intervals of deciles promise."""

    level: float = Field(
        0.9, ge=0.5, lt=1, description="share of areas whose interval holds the actual decile"
    )
