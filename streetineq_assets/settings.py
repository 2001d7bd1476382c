"""The sections of `study.toml`, each a model that refuses keys that it does not know.

How to train has a module of its own, `profiles`; the file as a whole is `study`.
"""

import datetime as dt
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

from streetineq_assets.area_vintages import Vintage
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


class Settings(BaseModel):
    """Frozen settings that refuse keys they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class City(Settings):
    """One city: its areas by local authority, its buckets, the outcomes it is trained on."""

    title: str
    authorities: tuple[AuthorityCode, ...] = Field(min_length=1)
    lsoas: int | None = Field(
        None, gt=0, description="published number of its LSOAs, of the vintage under [areas]"
    )
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


class Areas(Settings):
    """Of which census the areas are, which are ranked and published, how scores are made alike."""

    vintage: Vintage = Field(
        "lsoa11",
        description='"lsoa11", the LSOAs of the 2011 Census, or "lsoa21", those of Census 2021',
    )
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

    @property
    def ranking(self) -> dict[str, Any]:
        """What of them shapes ranks, for recipes."""
        return self.model_dump(exclude={"vintage"})


class Intervals(Settings):
    """What the intervals of deciles promise."""

    level: float = Field(
        0.9, ge=0.5, lt=1, description="share of areas whose interval holds the actual decile"
    )
