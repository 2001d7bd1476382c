"""How networks are trained: every choice of one way, by profile, and the section `[training]`."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from streetineq_assets.settings import Settings
from streetineq_assets.wrong_settings import FieldsOf, in_words

ProfileName = Literal["recommended", "suel2019"]
Pooling = Literal["mean", "attention"]


class Profile(Settings):
    """Every choice of one way to train; see `PROFILES` for the two that ship."""

    standardise: bool = Field(description="per feature, by the fold's training rows")
    noise_sd: float = Field(ge=0, description="Gaussian noise on training rows, in code units")
    batch_size: int = Field(ge=2, description="locations per training step")
    balance: Literal["one_per_class", "weights"] = Field(
        description="how classes are balanced: one row of each per batch, or weights"
    )
    optimizer: Literal["adam", "adamw"] = Field(description="with or without weight decay")
    learning_rate: float = Field(gt=0, description="step size of the optimiser at the start")
    schedule: Literal["constant", "cosine"] = Field(description="of the learning rate over epochs")
    weight_decay: float = Field(ge=0, description="of AdamW: a step takes rate x this off weights")
    epochs: int = Field(ge=1, description="passes over the training rows, at most")
    steps_per_root_area: float = Field(
        0.0,
        ge=0,
        description="times the square root of the number of training areas: steps after which no "
        "epoch begins, and the schedule ends; 0: no limit",
    )
    patience: int = Field(
        ge=0, description="epochs without a better validation loss before stopping; 0 never stops"
    )
    validation_share: float = Field(
        gt=0, lt=0.5, description="share of the training areas on which the best epoch is chosen"
    )
    fewest_validation_areas: int = Field(
        0, ge=0, description="below so many of them no epoch is chosen, and the last one is kept"
    )
    batch_norm_momentum: float = Field(
        gt=0, lt=1, description="how slowly batch normalisation's moving averages follow"
    )
    batch_norm: Literal["per_view", "pooled"] = Field(
        "pooled", description="training statistics of each view alone, or of all together"
    )
    pooling: Pooling = Field(
        "mean", description="of the views: their mean, or weights that are learned"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of units dropped after each layer")
    head: Literal["binomial", "cumulative_link", "corn"] = Field(
        "binomial", description="the ordinal model of the deciles"
    )

    def recorded(self) -> dict[str, Any]:
        """All fields by name, for recipes.

        A mean of the views is not named: networks of versions that had nothing else stay.
        """
        return self.model_dump(exclude={"pooling"} if self.pooling == "mean" else None)


PROFILES: dict[str, Profile] = {
    "suel2019": Profile(
        standardise=False,
        noise_sd=0.05,
        batch_size=10,
        balance="one_per_class",
        optimizer="adam",
        learning_rate=5e-6,
        schedule="constant",
        weight_decay=0.0,
        epochs=10,
        patience=0,
        validation_share=0.1,
        batch_norm_momentum=0.999,
        batch_norm="per_view",
    ),
    "recommended": Profile(
        standardise=True,
        noise_sd=0.0,
        batch_size=256,
        balance="weights",
        optimizer="adamw",
        learning_rate=3e-4,
        schedule="cosine",
        weight_decay=10.0,
        epochs=200,
        steps_per_root_area=10.0,
        patience=0,
        validation_share=0.1,
        fewest_validation_areas=200,
        batch_norm_momentum=0.9,
        dropout=0.5,
    ),
}


class Training(Settings):
    """Which profile, with which changes to it, and how much memory it may take."""

    profile: ProfileName = "recommended"
    overrides: Annotated[dict[str, Any], FieldsOf(Profile)] = Field(
        default_factory=dict, description="fields of the profile"
    )
    joint: bool = Field(False, description="one trunk with a head per outcome")
    seeds: int = Field(
        3, ge=1, le=100, description="trainings by other seeds, which show what varies by chance"
    )
    memory_budget_mb: int = Field(4096, ge=64, description="codes held in memory at a time")

    @field_validator("overrides")
    @classmethod
    def overrides_fit(cls, overrides: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        """Wrong overrides are found when the study is read, not when it is trained."""
        profile = PROFILES[info.data.get("profile", "recommended")]
        try:
            Profile.model_validate(profile.model_dump() | overrides)
        except ValidationError as error:
            raise ValueError(in_words(error, Profile)) from error
        return overrides

    def resolve(self, name: str | None = None) -> Profile:
        """The profile by name (default: the study's) with the study's overrides applied."""
        base = PROFILES[name or self.profile].model_dump()
        return Profile.model_validate(base | self.overrides)
