"""The schemes of the evidence matrix, from the most lenient to the strictest.

What a model reaches depends on how near the areas that taught it lie to those that test it. Where
all models are tried under all of these, it shows how much of a figure comes from near by.
`location` splits the locations of an area, and leaks its label; `area` keeps areas whole, and their
neighbours teach; `buffered_area` leaves locations near the tested ones out of training;
`spatial_block` holds out squares with a margin; `district` holds out local authorities; `city`
holds out the city.
"""

from streetineq_assets.settings import Folds, SchemeName
from streetineq_assets.study import Study

TITLES: dict[SchemeName, str] = {
    "location": "Locations (leaks)",
    "area": "Areas",
    "buffered_area": "Areas, with a buffer",
    "spatial_block": "Spatial blocks",
    "district": "Local authorities",
    "city": "Whole cities",
}
STRICTNESS: tuple[SchemeName, ...] = tuple(TITLES)


def fold_settings(study: Study, scheme: SchemeName) -> Folds:
    """The study's settings of folds, with this scheme in place of its own."""
    if scheme == "buffered_area":
        return study.folds.model_copy(
            update={"scheme": "area", "buffer_m": study.evidence.buffer_m}
        )
    return study.folds.model_copy(update={"scheme": scheme, "buffer_m": 0.0})
