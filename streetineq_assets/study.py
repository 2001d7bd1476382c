"""The study: its cities and all of its settings; read from `study.toml`, validated.

Loading reads one file and imports no heavy library, since every process of the platform does it.
"""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from streetineq_assets.area_vintages import AREA_VINTAGE, LSOA11, VINTAGES, AreaVintage
from streetineq_assets.encoder_settings import Encoder, KerasEncoder
from streetineq_assets.errors import StudyError
from streetineq_assets.image_settings import Imagery, Images, Places, Repeats, Rights, Views
from streetineq_assets.profiles import Training
from streetineq_assets.settings import (
    AggregationRule,
    Areas,
    Automation,
    City,
    Evidence,
    Folds,
    Intervals,
    Key,
    Notices,
    Publication,
    SchemeName,
    Settings,
    Shards,
    Transfer,
)
from streetineq_assets.wrong_settings import in_words, nearest, read_text

_BETWEEN_SEEDS = 1000


class Pair(NamedTuple):
    """A city and an outcome: what one set of networks is trained on, and a partition key."""

    city: str
    outcome: str

    @classmethod
    def parse(cls, key: str) -> "Pair":
        """The pair of a partition key, `london/crime`.

        Raises:
            StudyError: the key has not this form.
        """
        parts = key.split("/")
        if len(parts) != 2 or not all(parts):
            raise StudyError(f"{key!r} is no pair: expected <city>/<outcome>, such as london/crime")
        return cls(*parts)

    @property
    def key(self) -> str:
        """The partition key, `london/crime`."""
        return f"{self.city}/{self.outcome}"

    def __str__(self) -> str:
        return self.key


def bucket_keys(city: str, buckets: int) -> list[str]:
    """The partition keys of a city's buckets, `london/000` and on."""
    return [f"{city}/{number:03d}" for number in range(buckets)]


def city_of(partition: str) -> str:
    """The city of a bucket, pair or scheme."""
    return partition.split("/", 1)[0]


class Study(Settings):
    """One study. `root` is where its `study.toml` lies; it is not part of the file."""

    title: str
    date: dt.date = Field(description="postcodes alive on this day carry weight")
    seed: int = Field(2019, ge=0)
    synthetic: bool = Field(False, description="true labels all results as made of synthetic input")
    allow_loss: bool = Field(
        False,
        description="true lets runs that a person starts replace artefacts by far smaller ones",
    )
    census_edition: Literal["2011", "2021"] = "2011"
    iod_edition: Literal["2015", "2019", "2025"] = "2015"
    aggregation: AggregationRule = "mean_score"
    cities: dict[Key, City] = Field(min_length=1)
    folds: Folds = Folds()
    images: Images = Images()
    views: Views = Views()
    places: Places = Places()
    imagery: Imagery | None = None
    rights: Rights = Rights()
    repeats: Repeats = Repeats()
    encoder: Encoder = KerasEncoder()
    shards: Shards = Shards()
    training: Training = Training()
    transfer: Transfer = Transfer()
    areas: Areas = Areas()
    intervals: Intervals = Intervals()
    evidence: Evidence = Evidence()
    automation: Automation = Automation()
    notices: Notices = Notices()
    publication: Publication = Publication()

    @model_validator(mode="after")
    def authorities_in_one_city(self) -> "Study":
        """An area belongs to one city."""
        seen: dict[str, str] = {}
        for key, city in self.cities.items():
            for code in city.authorities:
                if code in seen:
                    raise ValueError(f"authority {code} is in both {seen[code]} and {key}")
                seen[code] = key
        return self

    @model_validator(mode="after")
    def imagery_of_cities(self) -> "Study":
        """Images are acquired for cities of the study."""
        named = self.imagery.cities if self.imagery else None
        for city in named or ():
            if city not in self.cities:
                raise ValueError(
                    f'imagery.cities names "{city}", which is no city of the study'
                    f"{nearest(city, [*self.cities])}"
                )
        return self

    @model_validator(mode="after")
    def codes_or_imagery(self) -> "Study":
        """Codes that exist already need no images."""
        if self.imagery and self.brings_codes:
            raise ValueError(
                '[imagery] acquires images, and with encoder.family = "imported" none is encoded: '
                "delete one of them"
            )
        return self

    @model_validator(mode="after")
    def source_known(self) -> "Study":
        """Networks are transferred from a city of the study, or from a file."""
        source = self.transfer.source
        if source is None or source in self.cities or {"/", "\\", "."}.intersection(source):
            return self
        raise ValueError(
            f'transfer.source = "{source}" is neither a city of the study, which has '
            f"{', '.join(self.cities)}, nor a bundle's file{nearest(source, [*self.cities])}: name "
            "one of them, or delete [transfer]"
        )

    @property
    def editions(self) -> tuple[str, str]:
        """Of the census and of the Indices of Deprivation."""
        return self.census_edition, self.iod_edition

    @property
    def vintage(self) -> AreaVintage:
        """The areas that it is of."""
        return VINTAGES[self.areas.vintage]

    @property
    def vintage_settings(self) -> dict[str, str]:
        """Of a recipe; nothing where it is as before there was a choice."""
        return {} if self.vintage == LSOA11 else {AREA_VINTAGE: self.vintage.key}

    @property
    def brings_codes(self) -> bool:
        """Whether codes exist already, so that no image is encoded."""
        return self.encoder.family == "imported"

    def acquires(self, city: str) -> bool:
        """Whether the images of a city are acquired from a provider."""
        wanted = self.imagery
        return wanted is not None and (wanted.cities is None or city in wanted.cities)

    def seed_of(self, number: int) -> int:
        """The seed of the training of this number, from 0; its folds' lie between two of them."""
        return self.seed + _BETWEEN_SEEDS * number

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair that the study trains, heaviest city first."""
        return tuple(Pair(city, o) for city in self.by_weight for o in self.cities[city].outcomes)

    @property
    def schemes(self) -> tuple[SchemeName, ...]:
        """Those of the evidence matrix, from lax to strict; none holds out the only city."""
        alone = len(self.cities) < 2
        return tuple(each for each in self.evidence.schemes if not (alone and each == "city"))

    @property
    def scheme_keys(self) -> list[str]:
        """City and scheme, as `london/district`, heaviest city first."""
        return [f"{city}/{scheme}" for city in self.by_weight for scheme in self.schemes]

    @property
    def by_weight(self) -> tuple[str, ...]:
        """City keys, most buckets first, so that a back-fill does not end with its slowest run."""
        return tuple(sorted(self.cities, key=lambda key: (-self.cities[key].buckets, key)))

    def require_city(self, key: str) -> None:
        """Refuse a city that the study does not have.

        Raises:
            StudyError: the message lists those that it has.
        """
        if key not in self.cities:
            raise StudyError(f"{key} is no city of the study, which has {', '.join(self.cities)}")

    def city_of_authority(self) -> dict[str, str]:
        """Local authority code to city key."""
        return {code: key for key, city in self.cities.items() for code in city.authorities}


def load_study(path: Path) -> Study:
    """Read and validate a `study.toml`.

    Raises:
        StudyError: the file is absent, is not TOML, or a setting is wrong; one line, naming the
            key, its value and what would be right.
    """
    if not path.is_file():
        raise StudyError(
            f"no study at {path}: name a study's folder by --root or STREETINEQ_DATA, or make one "
            "with `streetineq init DIR`"
        )
    try:
        raw = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not valid TOML: {error}") from error
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise StudyError(f"{path}: {in_words(error, Study)}") from error
