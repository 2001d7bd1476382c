"""The report as one HTML file that needs nothing else: inline style, pictures as data.

It carries no trace of when or where it was made, so the same results give the same bytes.
"""

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.block_sizes import uneven_note
from streetineq_assets.models.deviations import DEVIATIONS
from streetineq_assets.plotting import png_bytes, svg_text
from streetineq_assets.predictions.intervals import LEVEL, are_label_conditional
from streetineq_assets.reports import (
    audit,
    comparison,
    evidence,
    maps,
    plots,
    published,
    transfer_tables,
)
from streetineq_assets.reports.history import INTERVALS, RULE
from streetineq_assets.reports.results import CityResults, PairResults, StudyResults
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

TEMPLATE = "report.html.j2"
MAP_LIMIT_BYTES = 100_000  # the paper's study of 46 pairs stays under 10 MB


def render(results: StudyResults, study: Study, *, boundaries: "gpd.GeoDataFrame | None") -> str:
    """The report's HTML.

    Args:
        boundaries: `lsoa11, geometry` on the British National Grid; None maps points.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("streetineq_assets.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["shade"] = shade
    environment.filters["percent"] = percent
    return environment.get_template(TEMPLATE).render(
        title=study.title,
        synthetic=synthetic_reasons(results, study),
        cities=[_city(city, results, study, boundaries) for city in results.cities],
        transfers=transfer_tables.transfers(results.transfer),
        transfer_claims=transfer_tables.transfer_claims(results.transfer_comparisons),
        tuned_on=results.history.tuned_on,
        unavailable=[each for each in results.pairs if not each.has_results],
        left_out=results.history.left_out,
        outdated=results.outdated,
        settings=settings_rows(results.pairs),
        versions=sorted(results.versions.items()),
        deviations=DEVIATIONS,
        profiles=sorted({each.training.profile_name for each in results.pairs if each.training}),
        **_summary(results.current),
    )


def synthetic_reasons(results: StudyResults, study: Study) -> list[str]:
    """Why the report describes no real place; empty when it does.

    What was extracted or trained as synthetic stays so, though study.toml says otherwise by now.
    """
    networks = [each.training for each in results.pairs if each.training]
    encoders = [city.encoder for city in results.cities if city.encoder]
    encoders += [network.encoder for network in networks]
    is_random = any(encoder.weights == "random" for encoder in encoders)
    invented = any(each.synthetic and each.encoder.weights != "random" for each in networks)
    reasons = []
    if study.synthetic or invented:
        reasons.append("areas, statistics and images are invented")
    if is_random or (not encoders and study.encoder.weights == "random"):
        reasons.append("the image encoder has random weights")
    return reasons


def percent(share: float) -> str:
    """A share in per cent; `none` where it is undefined."""
    return "none" if math.isnan(share) else f"{share:.0%}"


def shade(share: float) -> str:
    """Background and text colour of a cell of the confusion table, from white to dark blue."""
    part = min(max(share, 0.0), 1.0) ** 0.7  # small shares stay visible
    light, dark = (255, 255, 255), (8, 48, 107)
    mixed = [round(start + (end - start) * part) for start, end in zip(light, dark, strict=True)]
    ink = "#fff" if part > 0.5 else "#222"
    return f"background:rgb({mixed[0]},{mixed[1]},{mixed[2]});color:{ink}"


# -- parts of the context --------------------------------------------------------------------------


def _summary(pairs: Sequence[PairResults]) -> dict[str, Any]:
    """Of the pairs that may be compared: tables by scheme and summary metric, and the overview."""
    schemes = dict.fromkeys(each.scheme for each in pairs)
    groups = [[each for each in pairs if each.scheme == scheme] for scheme in schemes]
    return {
        "n_shown": len(pairs),
        "matched": [each for each in pairs if comparison.not_ahead(each)],
        "undefined": [each for each in pairs if comparison.lacks_a_map(each)],
        "uneven": {
            each.city_title: uneven_note(each.uneven_blocks) for each in pairs if each.uneven_blocks
        },
        "overview": _svg(plots.plot_overview(pairs)) if pairs else None,
        "summaries": [table for group in groups for table in _tables(group)],
    }


def _tables(pairs: Sequence[PairResults]) -> list[dict[str, Any]]:
    """A table of pairs of one scheme for each summary metric."""
    columns = comparison.columns(pairs)
    return [
        {
            "title": title,
            "scheme": pairs[0].scheme,
            "columns": columns,
            "better": "lower" if metric in comparison.LOWER_IS_BETTER else "higher",
            "rows": [(each, comparison.row(each, metric, columns)) for each in pairs],
        }
        for metric, title in comparison.SUMMARY_METRICS.items()
    ]


def _city(
    city: CityResults, results: StudyResults, study: Study, boundaries: "gpd.GeoDataFrame | None"
) -> dict[str, Any]:
    pairs = [each for each in results.pairs if each.pair.city == city.key and each.has_results]
    figures = [] if study.synthetic else published.figures_of(study.cities[city.key])
    current = [each for each in results.current if each.pair.city == city.key]
    return {
        "results": city,
        "audit": audit.audit_context(city.audit),
        "evidence": evidence.evidence_context(city.evidence),
        "fold_maps": _data_uri("image/png", city.fold_maps.read_bytes())
        if city.fold_maps
        else None,
        "published": audit.published_rows(figures, current),
        "pairs": [_pair(each, results.centroids, boundaries) for each in pairs],
    }


def _pair(
    results: PairResults, centroids: pd.DataFrame, boundaries: "gpd.GeoDataFrame | None"
) -> dict[str, Any]:
    columns = comparison.columns([results])
    actual = results.areas["actual_decile"].dropna().astype(float)
    history = results.history
    by = results.coverage.groupby("grouped_by")
    level = float(results.made_with.get(INTERVALS, LEVEL))
    return {
        "results": results,
        "caution": OUTCOMES[results.pair.outcome].caution,
        "unit": OUTCOMES[results.pair.outcome].unit,
        "sentences": comparison.sentences(results),
        "rule": results.made_with.get(RULE, ""),
        "folds": results.made_with.get("Folds", results.scheme),
        "columns": columns,
        "metrics": [
            (title, comparison.row(results, metric, columns))
            for metric, title in comparison.METRIC_TITLES.items()
        ],
        "equity": evidence.equity_rows(results.equity),
        "confusion": comparison.confusion_shares(results.confusion),
        "level": f"{level:.0%}",
        "coverage": {name: group.to_dict("records") for name, group in by},
        "by_label": are_label_conditional(
            results.areas["actual_decile"], results.areas["fold"], level
        ),
        "n_lsoas": len(results.areas),
        "mean_actual": float(actual.mean()) if len(actual) else float("nan"),
        "maps": _png(maps.plot_maps(results.areas, boundaries, centroids)),
        "losses": _svg(plots.plot_losses(history)) if len(history) else None,
    }


def settings_rows(pairs: Sequence[PairResults]) -> list[tuple[str, str]]:
    """How the results were made: name and value, and of which pairs where they differ."""
    made = [each for each in pairs if each.made_with]
    rows = []
    for name in dict.fromkeys(name for each in made for name in each.made_with):
        values = {str(each.pair): each.made_with.get(name, "not recorded") for each in made}
        for value in dict.fromkeys(values.values()):
            having = [pair for pair, own in values.items() if own == value]
            some = len(having) < len(made)
            rows.append((f"{name} of {', '.join(having)}" if some else name, value))
    return rows


# -- pictures --------------------------------------------------------------------------------------


def _png(figure: "Figure") -> str:
    picture = png_bytes(figure, dpi=140, limit_bytes=MAP_LIMIT_BYTES, few_colours=True)
    return _data_uri("image/png", picture)


def _svg(figure: "Figure") -> str:
    return _data_uri("image/svg+xml", svg_text(figure).encode())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
