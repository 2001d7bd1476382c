"""The checks of this step: warnings all, since report and warehouse show whatever there is."""

from collections.abc import Sequence

from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.reports.comparison import matching_baselines
from streetineq_assets.reports.results import PairResults

PAIRS_AVAILABLE = CheckSpec("pairs_available", "Every pair of the study has results.")
AHEAD_OF_BASELINES = CheckSpec(
    "ahead_of_baselines", "The network of every pair is ahead of all its baselines."
)
AREAS_PLACED = CheckSpec("areas_placed", "Every predicted area is mapped by its boundary.")
TABLES_PUBLISHED = CheckSpec("tables_published", "Every table of the platform is published.")

INEQUALITY_REPORT = (PAIRS_AVAILABLE, AHEAD_OF_BASELINES, AREAS_PLACED)
WAREHOUSE = (TABLES_PUBLISHED,)


def pairs_available(pairs: Sequence[PairResults]) -> Check:
    """Whether every pair has results to show."""
    without = [f"{each.pair} ({each.status})" for each in pairs if not each.has_results]
    text = f"all {len(pairs)} pairs have results"
    if without:
        text = (
            f"{len(without)} of {len(pairs)} pairs have no results, and the report lists them "
            f"without any: {', '.join(without)}; materialise what is not made yet, and add the "
            "official file that an unavailable pair wants"
        )
    return PAIRS_AVAILABLE.result(
        not without, text, n_pairs=len(pairs), n_pairs_without_results=len(without)
    )


def ahead_of_baselines(pairs: Sequence[PairResults], scheme: str) -> Check:
    """Whether each network's quadratic kappa is above that of all its baselines.

    Args:
        scheme: of the study's folds, under which they are compared.
    """
    shown = [each for each in pairs if each.has_results]
    matched = {str(each.pair): matching_baselines(each, scheme) for each in shown}
    named = [f"{pair} by {', '.join(names)}" for pair, names in matched.items() if names]
    text = "by quadratic kappa the network is ahead of every baseline in every pair"
    if named:
        text = (
            f"by quadratic kappa baselines match or beat the network in {len(named)} of "
            f"{len(shown)} pairs: {'; '.join(named)}; read these pairs' sections of the report "
            "before quoting their metrics"
        )
    return AHEAD_OF_BASELINES.result(not named, text, n_pairs_matched=len(named))


def areas_placed(n_areas: int, n_without_geometry: int, *, has_boundaries: bool) -> Check:
    """Whether the maps show every predicted area, and by its boundary.

    Args:
        n_areas: areas with predictions of any outcome.
        n_without_geometry: of these, those with neither boundary nor centroid.
        has_boundaries: whether the study has a boundary file.
    """
    if has_boundaries:
        text = f"{n_without_geometry} of {n_areas} predicted areas are on no map"
    else:
        text = (
            "areas are mapped as points, since inputs/boundaries holds no file: download ONS' "
            f"boundaries of the LSOAs of 2011; {n_without_geometry} of {n_areas} are on no map"
        )
    passed = has_boundaries and n_without_geometry == 0
    return AREAS_PLACED.result(passed, text, n_areas_without_geometry=n_without_geometry)


def tables_published(absent: Sequence[str]) -> Check:
    """Whether every view has a table to show.

    Args:
        absent: names of the views that have none.
    """
    text = "every table is published"
    if absent:
        text = (
            f"{len(absent)} views are left out, since nothing is published for them: "
            f"{', '.join(absent)}; materialise their assets, then the warehouse again"
        )
    return TABLES_PUBLISHED.result(not absent, text, n_views_left_out=len(absent))
