"""The tables of this step, and the records that later steps read."""

from typing import Any

from pydantic import AliasChoices, BaseModel, Field, model_validator

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.profiles import ProfileName
from streetineq_assets.tables import Origins, column, schema

_LSOA = column("area", "string", "area, such as an LSOA")
_LOCATION = column("location_id", "string", "identifier of the location")
_OUTCOME = column("outcome", "string", "key of the outcome whose head gave the score")
PROBABILITIES = tuple(f"p_{decile}" for decile in range(1, 11))

AREA_FOLDS = schema(
    _LSOA,
    column("fold", "int64", "fold that tests this area; -1 tests none, -2 only validates"),
    column("scheme", "string", "how areas were split into folds"),
)
SPATIAL_FOLDS = schema(
    *AREA_FOLDS, column("block", "string", "square of the national grid in which the area lies")
)
BUFFERS = schema(
    column("fold", "int64", "fold whose training and validation leave the area out"),
    _LSOA,
)
LOCATION_BUFFERS = schema(
    column("fold", "int64", "fold whose training and validation leave the location out"),
    _LOCATION,
)
LOCATION_FOLDS = schema(_LOCATION, column("fold", "int64", "fold that tests this location"))
CENTROIDS = schema(
    _LSOA,
    column("easting_m", "float64", "mean easting of the area's postcodes", unit="metres"),
    column("northing_m", "float64", "mean northing of the area's postcodes", unit="metres"),
    column("msoa", "string", "middle layer super output area", nullable=True),
    column("authority", "string", "code of the area's local authority", nullable=True),
)
SCORES = schema(
    _LOCATION,
    column("fold", "int64", "fold whose network had not seen the location's area"),
    column("h", "float32", "out-of-fold score of the network; higher is better-off", unit="logit"),
    *(
        column(name, "float32", f"out-of-fold probability of decile {decile}", unit="share")
        for decile, name in enumerate(PROBABILITIES, start=1)
    ),
)
_TAUGHT = (("lsoa_labels", "decile"),)
SCORES_ORIGINS: Origins = {
    "location_id": [("hdf5_shards", "location_id")],
    "fold": [("area_folds", "fold")],
    **dict.fromkeys(("h", *PROBABILITIES), _TAUGHT),
}
JOINT_SCORES = schema(*SCORES, _OUTCOME)
_SEED = column("seed", "int64", "which further training gave the score, from 1; 0 is in `SCORES`")
SEED_SCORES = schema(*SCORES, _SEED)
JOINT_SEED_SCORES = schema(*JOINT_SCORES, _SEED)
HISTORY = schema(
    column("fold", "int64", "fold whose network was trained"),
    column("epoch", "int64", "epochs done"),
    column("loss", "float64", "mean training loss, weighted by class", unit="nats", nullable=True),
    column("val_loss", "float64", "mean validation loss", unit="nats", nullable=True),
    column(
        "val_mae",
        "float64",
        "mean absolute error of locations in validation",
        unit="deciles",
        nullable=True,
    ),
    column("learning_rate", "float64", "rate of the epoch's last step"),
    column("seconds", "float64", "duration of the epoch", unit="seconds"),
    column("wait_seconds", "float64", "of these, waiting for codes", unit="seconds"),
)
TAUGHT_AREAS = schema(
    column("city", "string", "key of the city in study.toml"),
    column("area", "string", "area on which a network of any fold was trained or selected"),
)
BASELINES = schema(
    column("baseline", "string", "name of the baseline"),
    column("scheme", "string", "how areas were split into folds"),
    _LSOA,
    column("fold", "int64", "fold that tests the area; -1 where it is in several"),
    column("score", "float64", "out-of-fold score", unit="deciles", nullable=True),
)
BASELINES_ORIGINS: Origins = {
    "area": [("lsoa_labels", "area")],
    "fold": [("area_folds", "fold")],
    "score": _TAUGHT,
}


class TrainingRecord(BaseModel):
    """What later steps need to know of trained networks.

    Attributes:
        profile_name: the profile that the networks were trained by.
        scheme: how areas were split into folds.
        trained_on: the cities that the networks learned from.
        encoder: what made the codes that they learned from.
        n_views: of a location there, present or absent.
        synthetic: whether these are of synthetic images or random weights.
        n_folds: networks.
        n_locations_trained_on, n_lsoas_trained_on: in all folds together.
        joint: whether they were cut out of the city's joint networks.
        mixed_precision: whether training used float16 arithmetic; None where an earlier version
            did not record it.
    """

    profile_name: ProfileName = Field(validation_alias=AliasChoices("profile_name", "profile"))
    scheme: str
    trained_on: tuple[str, ...]
    encoder: EncoderIdentity
    n_views: int = len(VIEWS)
    synthetic: bool = False
    n_folds: int
    n_locations_trained_on: int
    n_lsoas_trained_on: int = Field(
        validation_alias=AliasChoices("n_lsoas_trained_on", "n_areas_trained_on")
    )
    joint: bool = False
    mixed_precision: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def from_version_1(cls, found: dict[str, Any]) -> dict[str, Any]:
        """Read what stood among the values of manifests of version 1."""
        if "codes_backbone" not in found:
            return found
        codes = {k.removeprefix("codes_"): v for k, v in found.items() if k.startswith("codes_")}
        upgraded = {"encoder": codes, "synthetic": codes.get("synthetic", False)}
        if "trained_on" in found:
            upgraded["trained_on"] = str(found["trained_on"]).split(", ")
        return found | upgraded


class JointRecord(BaseModel):
    """What later steps need to know of a city's joint networks.

    Attributes:
        profile_name: the profile that they were trained by.
        outcomes: those that share the trunk, in the order of their heads.
        untrainable: the city's outcomes without a head, and why.
        mixed_precision: as in `TrainingRecord`.
    """

    profile_name: ProfileName = Field(validation_alias=AliasChoices("profile_name", "profile"))
    outcomes: tuple[str, ...]
    untrainable: dict[str, str] = Field(default_factory=dict)
    mixed_precision: bool | None = None
