"""The sections of `study.toml` on images: names, views, places, providers, repeats and rights."""

import datetime as dt
import math
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from streetineq_assets.name_grammar import VIEWS
from streetineq_assets.name_patterns import DEFAULT_NAMES, checked_pattern, refuse_same
from streetineq_assets.settings import Key, Settings
from streetineq_assets.wrong_settings import written_as

Act = Literal["store_images", "derive_codes", "publish_codes", "show_images"]
ACTS: tuple[str, ...] = get_args(Act)
# Below it a panorama shows what carries the camera: in real ones a rider from 55 degrees below the
# horizon, the roof of a car from 60, and at 45 the road.
LOWEST_DEG = 50.0


def lowest_deg(fov_deg: float, width_px: int, height_px: int) -> float:
    """How far below the horizon the lowest point of a level view lies, in degrees."""
    return math.degrees(math.atan(math.tan(math.radians(fov_deg) / 2) * height_px / width_px))


class Repeats(Settings):
    """Locations of different areas that show the same; `codes.image_repeats` has the kinds."""

    drop: bool = Field(True, description="leave repeats of a fold's test out of its training")
    max_hamming: int = Field(6, ge=0, le=8, description="of 64 bits, in which like pictures differ")
    near_m: float = Field(50.0, ge=0.0, le=200.0, description="metres between two views of a place")
    max_share: float = Field(0.01, ge=0.0, le=1.0, description="of locations, above which it stops")


class Images(Settings):
    """How images are named, and which pictures are taken for images of a street.

    `name_patterns` has what a pattern is, `codes.screening` the rules by which pictures are judged;
    those of `codes.quality` are off unless a limit is set.
    """

    names: tuple[Annotated[str, AfterValidator(checked_pattern)], ...] = Field(
        DEFAULT_NAMES, min_length=1, description="patterns of files' names, the first that fits"
    )
    least_views: int = Field(
        len(VIEWS),
        ge=1,
        le=len(VIEWS),
        description="of a location that can be used, below which it is rejected",
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


class Agreement(Settings):
    """What a provider of images allows this study, beyond its published terms."""

    allows: tuple[Act, ...] = Field(description="what may be done; all else is forbidden")
    reason: str = Field(min_length=1, description="of whom and when, as the report prints it")


class Rights(Settings):
    """What is done with images beyond encoding them, and what was agreed with their providers."""

    publish_codes: bool = Field(False, description="codes of images are given to others")
    show_images: bool = Field(False, description="images are shown to others")
    commercial: bool = Field(
        False, description="the study is of commercial use, which encoders' licences may forbid"
    )
    agreements: dict[str, Agreement] = Field({}, description="by provider, in any spelling")
