"""The checks of `image_repeats`."""

from collections.abc import Sequence

import pandas as pd

from streetineq_assets.codes.image_repeats import Places, locations_with
from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.image_settings import Repeats

# Of London's live postcodes 16 % lie within 50 m of one of another LSOA.
_MOST_NEAR = 0.25
_MOST_NAMED = 3

FEW_REPEATS_ACROSS_FOLDS = CheckSpec(
    "few_repeats_across_folds",
    "Few locations have an exact or perceptual repeat in another LSOA.",
    blocking=True,
)
PICTURES_COMPARED = CheckSpec(
    "pictures_compared", "Every location with codes has perceptual hashes to compare."
)
FEW_NEAR_LOCATIONS = CheckSpec(
    "few_near_locations", "At most a quarter of locations lie near one of another LSOA."
)
IMAGE_REPEATS = (FEW_REPEATS_ACROSS_FOLDS, PICTURES_COMPARED, FEW_NEAR_LOCATIONS)


def repeat_checks(
    repeats: pd.DataFrame, places: Places, settings: Repeats, *, are_imported: bool = False
) -> list[Check]:
    """Every check of a city's repeats.

    Args:
        repeats: `IMAGE_REPEATS` of these places.
        settings: `[repeats]` of study.toml.
        are_imported: whether codes were brought, so that there was no picture to be hashed.
    """
    return [
        _few_repeats(repeats, places, settings),
        _pictures_compared(places, are_imported=are_imported),
        _few_near(repeats, places, settings),
    ]


def _few_repeats(repeats: pd.DataFrame, places: Places, settings: Repeats) -> Check:
    kinds = ("exact", "perceptual")
    n, n_places = len(locations_with(repeats, kinds)), len(places.location_id)
    share = n / max(n_places, 1)
    passed = share <= settings.max_share
    text = (
        f"{n} of {n_places} locations ({share:.2%}) have an exact or perceptual repeat in another "
        f"LSOA (at most {settings.max_share:.2%})"
    )
    if places.n_without_phash:
        text += f"; of {places.n_without_phash} of them only exact ones are known"
    if not passed:
        text += (
            f", such as {_named(repeats, kinds)}: look at these images; were some downloaded for "
            "the wrong place, or are they cards for no image? If they are right, set a larger "
            "`max_share` under [repeats] in study.toml; `drop = true` keeps them out of training"
        )
    values = {"n_repeated_locations": n, "share_repeated_locations": share}
    return FEW_REPEATS_ACROSS_FOLDS.result(passed, text, of=n_places, **values)


def _pictures_compared(places: Places, *, are_imported: bool) -> Check:
    without, n_places = places.n_without_phash, len(places.location_id)
    if are_imported:
        text = "codes were brought: equal codes are found, and not pictures that look alike"
        return PICTURES_COMPARED.not_tested(text, passed=True, n_without_phash=without)
    text = f"{without} of {n_places} locations were encoded before pictures were hashed"
    if without:
        text += (
            ": perceptual repeats of theirs are not known; materialise image_codes of the city "
            "with hash_pictures, which reads the images once more and encodes none again"
        )
    if without == n_places:
        return PICTURES_COMPARED.not_tested(text, n_without_phash=without)
    return PICTURES_COMPARED.result(without == 0, text, n_without_phash=without)


def _few_near(repeats: pd.DataFrame, places: Places, settings: Repeats) -> Check:
    n_placed = len(places.location_id) - places.n_without_position
    n = len(locations_with(repeats, ("near",)))
    share = n / max(n_placed, 1)
    text = (
        f"{n} of {n_placed} locations ({share:.1%}) lie within {settings.near_m:g} m of one of "
        f"another LSOA (at most {_MOST_NEAR:.0%})"
    )
    if places.n_without_position:
        text += f"; where {places.n_without_position} more lie is not known"
    if share > _MOST_NEAR:
        text += (
            ", and each fold's training leaves out those near its test: do many locations share a "
            "position? Else set a smaller `near_m` under [repeats] in study.toml, or choose the "
            "scheme `spatial_block`"
        )
    values = {"n_near_locations": n, "share_near_locations": share}
    return FEW_NEAR_LOCATIONS.result(share <= _MOST_NEAR, text, of=n_placed, **values)


def _named(repeats: pd.DataFrame, kinds: Sequence[str]) -> str:
    first = repeats[repeats["kind"].isin(kinds)].head(_MOST_NAMED)
    return ", ".join(f"{row.location_id} = {row.other_location_id}" for row in first.itertuples())
