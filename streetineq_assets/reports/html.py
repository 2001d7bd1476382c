"""The report as one HTML file that needs nothing else: inline style, pictures as data.

It carries no trace of when or where it was made, so the same results give the same bytes.
"""

import base64
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.deviations import DEVIATIONS
from streetineq_assets.plotting import png_bytes, svg_text
from streetineq_assets.predictions.evaluation import NETWORK
from streetineq_assets.predictions.intervals import LEVEL
from streetineq_assets.reports import comparison, maps, plots
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

    scheme = study.folds.scheme
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
        study=study,
        scheme=scheme,
        synthetic=synthetic_reasons(results, study),
        cities=[_city(city, results, boundaries, scheme) for city in results.cities],
        transfers=comparison.transfers(results.transfer),
        unavailable=[each for each in results.pairs if not each.has_results],
        outdated=results.outdated,
        settings=_settings(results, study),
        versions=sorted(results.versions.items()),
        deviations=DEVIATIONS,
        profiles=_profiles(results, study),
        level=f"{LEVEL:.0%}",
        **_summary([each for each in results.pairs if each.has_results], scheme),
    )


def synthetic_reasons(results: StudyResults, study: Study) -> list[str]:
    """Why the report describes no real place; empty when it does."""
    reasons = []
    if study.synthetic:
        reasons.append("areas, statistics and images are invented")
    weights = {city.encoder.weights for city in results.cities if city.encoder}
    if "random" in weights | {study.encoder.weights}:
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


def _summary(pairs: Sequence[PairResults], scheme: str) -> dict[str, Any]:
    """Of the pairs with results: a table per summary metric, and the overview."""
    columns = comparison.columns(pairs, scheme)
    return {
        "n_shown": len(pairs),
        "columns": columns,
        "matched": [each for each in pairs if comparison.matching_baselines(each, scheme)],
        "overview": _svg(plots.plot_overview(pairs, scheme)) if pairs else None,
        "summaries": [
            {
                "title": title,
                "better": "lower" if metric in comparison.LOWER_IS_BETTER else "higher",
                "rows": [(each, comparison.row(each, metric, columns, scheme)) for each in pairs],
            }
            for metric, title in comparison.SUMMARY_METRICS.items()
        ],
    }


def _city(
    city: CityResults, results: StudyResults, boundaries: "gpd.GeoDataFrame | None", scheme: str
) -> dict[str, Any]:
    pairs = [each for each in results.pairs if each.pair.city == city.key and each.has_results]
    return {
        "results": city,
        "pairs": [_pair(each, results.centroids, boundaries, scheme) for each in pairs],
    }


def _pair(
    results: PairResults,
    centroids: pd.DataFrame,
    boundaries: "gpd.GeoDataFrame | None",
    scheme: str,
) -> dict[str, Any]:
    columns = comparison.columns([results], scheme)
    actual = results.areas["actual_decile"].dropna().astype(float)
    history = results.history
    return {
        "results": results,
        "unit": OUTCOMES[results.pair.outcome].unit,
        "sentences": comparison.sentences(results, scheme),
        "columns": columns,
        "metrics": [
            (title, comparison.row(results, metric, columns, scheme))
            for metric, title in comparison.METRIC_TITLES.items()
        ],
        "confusion": comparison.confusion_shares(results.confusion),
        "coverage": results.coverage.to_dict("records"),
        "coverage_of_all": {
            metric: comparison.value(results, metric, NETWORK, scheme)
            for metric in ("interval_coverage", "interval_width")
        },
        "n_lsoas": len(results.areas),
        "mean_actual": float(actual.mean()) if len(actual) else float("nan"),
        "maps": _png(maps.plot_maps(results.areas, boundaries, centroids)),
        "losses": _svg(plots.plot_losses(history)) if len(history) else None,
    }


def _settings(results: StudyResults, study: Study) -> list[tuple[str, str]]:
    """How the results were made: profile, seed, weights and the like."""
    trained = [each.training for each in results.pairs if each.training]
    trainings = sorted({json.dumps(each, sort_keys=True, default=str) for each in trained})
    encoders = sorted({_encoder(city.encoder) for city in results.cities if city.encoder})
    return [
        ("Profile", ", ".join(_profiles(results, study))),
        ("Folds", f"{study.folds.scheme}, k = {study.folds.k}"),
        ("Seed", str(study.seed)),
        ("Aggregation rule", study.aggregation),
        ("Date", study.date.isoformat()),
        *(("Encoder", encoder) for encoder in encoders),
        *(("Training", training) for training in trainings),
    ]


def _profiles(results: StudyResults, study: Study) -> list[str]:
    """Profiles of the trained networks; the study's when there are none yet."""
    return sorted({each.profile for each in results.pairs} - {""}) or [study.training.profile]


def _encoder(identity: EncoderIdentity) -> str:
    parts = identity.model_dump(exclude={"width"})
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


# -- pictures --------------------------------------------------------------------------------------


def _png(figure: "Figure") -> str:
    picture = png_bytes(figure, dpi=140, limit_bytes=MAP_LIMIT_BYTES, few_colours=True)
    return _data_uri("image/png", picture)


def _svg(figure: "Figure") -> str:
    return _data_uri("image/svg+xml", svg_text(figure).encode())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
