"""The checks of this step: warnings all, since report and warehouse show whatever there is."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.reports.comparison import HELD_OUT_CITIES, lacks_a_map, leads, not_ahead
from streetineq_assets.reports.history import Disagreements
from streetineq_assets.reports.results import PairResults

PAIRS_AVAILABLE = CheckSpec("pairs_available", "Every pair of the study has results.")
AHEAD_OF_BASELINES = CheckSpec(
    "ahead_of_baselines", "The network of every pair is ahead of all its baselines."
)
CHAINS_AGREE = CheckSpec("chains_agree", "Every result was made of what stands before it now.")
AREAS_PLACED = CheckSpec("areas_placed", "Every predicted area is mapped by its boundary.")
REPORT_IS_CURRENT = CheckSpec("report_is_current", "The report was made of what stands now.")
TABLES_PUBLISHED = CheckSpec("tables_published", "Every table of the platform is published.")

_NAMED = 5  # reasons in one sentence

INEQUALITY_REPORT = (PAIRS_AVAILABLE, CHAINS_AGREE, AHEAD_OF_BASELINES, AREAS_PLACED)
EVIDENCE_PACK = (REPORT_IS_CURRENT,)
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
    """Whether each network is ahead of all its baselines, by the intervals of the leads.

    It holds where every interval of quadratic kappa's paired difference lies above 0.

    Args:
        pairs: those that may be compared.
    """
    behind = [
        f"{each.pair} by {name} {lead.text}"
        for each in pairs
        for name, lead in not_ahead(each).items()
    ]
    undefined = [str(each.pair) for each in pairs if lacks_a_map(each)]
    unmapped = [str(each.pair) for each in pairs if each.scheme == HELD_OUT_CITIES]
    n_leads = sum(lead.is_known for each in pairs for lead in leads(each).values())
    counts: dict[str, Any] = {
        "n_pairs": len(pairs),
        "n_leads": n_leads,
        "n_not_ahead": len(behind),
        "n_pairs_undefined": len(undefined),
    }
    if not n_leads:
        text = "no network was compared with a baseline: see pairs_available and chains_agree"
        if undefined:
            text = (
                f"no lead over a baseline has an interval in {', '.join(undefined)}: areas are too "
                "few, or all of one actual decile; add images of more areas"
            )
        return AHEAD_OF_BASELINES.not_tested(text, **counts)
    text = _ahead_text(behind, undefined, unmapped, n_leads)
    if undefined and not behind:
        return AHEAD_OF_BASELINES.not_tested(text, **counts)
    return AHEAD_OF_BASELINES.result(not behind, text, **counts)


def _ahead_text(
    behind: Sequence[str], undefined: Sequence[str], unmapped: Sequence[str], n_leads: int
) -> str:
    said = [
        f"by quadratic kappa the network is ahead in {n_leads - len(behind)} of {n_leads} leads"
    ]
    if behind:
        more = f"; and {len(behind) - _NAMED} more" if len(behind) > _NAMED else ""
        said.append(
            "the 95 % interval of the lead does not lie above 0 in "
            f"{'; '.join(behind[:_NAMED])}{more}: read these pairs' sections of the report before "
            "quoting their metrics"
        )
    if undefined:
        said.append(
            f"the lead has no interval in {', '.join(undefined)}, so that nothing is known there; "
            "add images of more areas"
        )
    if unmapped:
        said.append(
            f"no baseline of the map exists for {', '.join(unmapped)}, where whole cities are held "
            "out: whether the images say more than the map was not tested there"
        )
    return ". ".join(said)


def areas_placed(
    n_areas: int,
    n_without_geometry: int,
    *,
    has_boundaries: bool,
    unbounded: Sequence[str] = (),
) -> Check:
    """Whether the maps show every predicted area, and by its boundary.

    Args:
        n_areas: areas with predictions of any outcome.
        n_without_geometry: of these, those with neither boundary nor centroid.
        has_boundaries: whether the study has a boundary file.
        unbounded: codes of the areas that it lacks.
    """
    if has_boundaries and unbounded:
        text = (
            f"{len(unbounded)} of {n_areas} predicted areas have no boundary in the file in "
            f"inputs/boundaries, such as {unbounded[0]}, and are mapped as points: it is of "
            "another region or of another year; download ONS' boundaries of the study's LSOAs; "
            f"{n_without_geometry} are on no map"
        )
    elif has_boundaries:
        text = f"{n_without_geometry} of {n_areas} predicted areas are on no map"
    else:
        text = (
            "areas are mapped as points, since inputs/boundaries holds no file: download ONS' "
            f"boundaries of the study's LSOAs; {n_without_geometry} of {n_areas} are on no map"
        )
    passed = has_boundaries and not unbounded and n_without_geometry == 0
    return AREAS_PLACED.result(
        passed, text, of=n_areas, n_areas_without_geometry=n_without_geometry
    )


def report_is_current(changes: Sequence[str]) -> Check:
    """Whether the report that a pack holds shows what its tables hold.

    Args:
        changes: names of what the report was made of, or of settings, that are others by now.
    """
    text = "the report was made of what stands now"
    if changes:
        more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        text = (
            f"the report was made of another {', '.join(changes[:_NAMED])}{more} than stands now, "
            "so that it may differ from the tables beside it: materialise inequality_report, then "
            "the pack"
        )
    return REPORT_IS_CURRENT.result(not changes, text, n_changes=len(changes))


def tables_published(absent: Sequence[str], left_out: Mapping[str, str]) -> Check:
    """Whether every view has a table to show.

    Args:
        absent: names of the views that have none.
        left_out: ready questions that cannot be asked, by name, with the reason.
    """
    text = "every table is published"
    if absent:
        text = (
            f"nothing is published for {', '.join(absent)}, which the warehouse lacks: materialise "
            "their assets, then the warehouse again"
        )
    elif left_out:
        text = "not every ready question can be asked"
    text += "".join(f"; {name} is left out: {why}" for name, why in left_out.items())
    return TABLES_PUBLISHED.result(
        not absent and not left_out,
        text,
        n_views_left_out=len(absent),
        n_questions_left_out=len(left_out),
    )
