"""The checks of this step: warnings all, since report and warehouse show whatever there is."""

from collections.abc import Mapping, Sequence
from itertools import chain

from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.reports.comparison import is_compared, matching_baselines
from streetineq_assets.reports.history import Disagreements
from streetineq_assets.reports.results import PairResults

PAIRS_AVAILABLE = CheckSpec("pairs_available", "Every pair of the study has results.")
AHEAD_OF_BASELINES = CheckSpec(
    "ahead_of_baselines", "The network of every pair is ahead of all its baselines."
)
CHAINS_AGREE = CheckSpec("chains_agree", "Every result was made of what stands before it now.")
AREAS_PLACED = CheckSpec("areas_placed", "Every predicted area is mapped by its boundary.")
TABLES_PUBLISHED = CheckSpec("tables_published", "Every table of the platform is published.")

_NAMED = 5  # reasons in one sentence

INEQUALITY_REPORT = (PAIRS_AVAILABLE, CHAINS_AGREE, AHEAD_OF_BASELINES, AREAS_PLACED)
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
        not without,
        text,
        of=len(pairs),
        n_pairs=len(pairs),
        n_pairs_without_results=len(without),
    )


def chains_agree(left_out: Mapping[str, Disagreements]) -> Check:
    """Whether every result is of what stands before it.

    Args:
        left_out: label of each result that is not, and why.
    """
    text = "every result was made of what stands before it"
    if left_out:
        again = dict.fromkeys(each.label for why in left_out.values() for each in why)
        why = list(dict.fromkeys(str(each) for each in chain.from_iterable(left_out.values())))
        more = (
            f"; and {len(why) - _NAMED} more, which the report lists" if len(why) > _NAMED else ""
        )
        text = (
            f"{len(left_out)} results are marked and kept out of the summary, since something "
            f"before them was made again: {', '.join(left_out)}. "
            f"{'; '.join(why[:_NAMED])}{more}. Materialise {', '.join(again)} and what follows, "
            "then the report; `streetineq run` makes all of it"
        )
    return CHAINS_AGREE.result(not left_out, text, n_results_left_out=len(left_out))


def ahead_of_baselines(pairs: Sequence[PairResults]) -> Check:
    """Whether each network's quadratic kappa is above that of all its baselines.

    Args:
        pairs: those that may be compared.
    """
    if not pairs:
        text = "no pair has results that can be compared: see pairs_available and chains_agree"
        return AHEAD_OF_BASELINES.result(False, text, n_pairs_matched=0, n_pairs_undefined=0)
    undefined = [str(each.pair) for each in pairs if not is_compared(each)]
    matched = {str(each.pair): matching_baselines(each) for each in pairs if is_compared(each)}
    named = [f"{pair} by {', '.join(names)}" for pair, names in matched.items() if names]
    said = []
    if named:
        said.append(
            f"by quadratic kappa baselines match or beat the network in {len(named)} of "
            f"{len(pairs)} pairs: {'; '.join(named)}; read these pairs' sections of the report "
            "before quoting their metrics"
        )
    if undefined:
        said.append(
            "the quadratic kappa of the network or of coordinates alone is undefined in "
            f"{', '.join(undefined)}, so that nothing is known there; add images of more areas"
        )
    text = "by quadratic kappa the network is ahead of every baseline in every pair"
    counts = {"n_pairs_matched": len(named), "n_pairs_undefined": len(undefined)}
    return AHEAD_OF_BASELINES.result(not said, ". ".join(said) or text, **counts)


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
    return AREAS_PLACED.result(
        passed, text, of=n_areas, n_areas_without_geometry=n_without_geometry
    )


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
