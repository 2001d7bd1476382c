"""The assets of this step: what a provider has for a city, and what was fetched of it."""

import dagster as dg
from pydantic import Field

GROUP = "2_imagery"


class ImageryPlanConfig(dg.Config):
    """How a plan is made."""

    refresh: bool = Field(
        False, description="Also ask the provider again where nothing of the study changed."
    )
