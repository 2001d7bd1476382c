"""The report as one HTML file that needs nothing else: inline style, pictures as data.

What belongs here: putting evidence, sentences and pictures into the template. What does not:
figures and phrases (`summary`), drawing (`maps`, `figures`). Nothing of the time or place of its
making is written, so that the same evidence gives the same bytes.
"""

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.deviations import DEVIATIONS
from streetineq_assets.plotting import png_bytes, svg_text
from streetineq_assets.predictions.intervals import LEVEL
from streetineq_assets.reports import comparison, maps, plots
from streetineq_assets.reports.results import CityEvidence, Evidence, PairEvidence
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

TEMPLATE = "report.html.j2"
MAP_LIMIT_BYTES = 150_000  # a study of 44 pairs stays under 10 MB


def render(
    evidence: Evidence,
    study: Study,
    *,
    outlines: "gpd.GeoDataFrame | None",
) -> str:
    """The report's HTML.

    Args:
        outlines: `lsoa11, geometry` on the British National Grid; None draws points.
    """
    import jinja2

    shown = [pair for pair in evidence.pairs if pair.has_results]
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
        synthetic=synthetic_reasons(evidence, study),
        columns=comparison.columns(shown, scheme),
        summaries=_summaries(shown, scheme),
        overview=_svg(plots.draw_overview(shown, scheme)) if shown else None,
        cities=[_city(city, evidence, outlines, scheme) for city in evidence.cities],
        transfers=comparison.transfers(evidence.transfer),
        unavailable=[pair for pair in evidence.pairs if not pair.has_results],
        beaten=[pair for pair in shown if comparison.beaten_by(pair, scheme)],
        n_shown=len(shown),
        settings=_settings(evidence, study),
        versions=sorted(evidence.versions.items()),
        ledger=DEVIATIONS,
        profiles=_profiles(evidence, study),
        level=f"{LEVEL:.0%}",
    )


def synthetic_reasons(evidence: Evidence, study: Study) -> list[str]:
    """Why nothing in the report says anything of a real place; empty when it does."""
    reasons = []
    if study.synthetic:
        reasons.append("areas, statistics and images are invented")
    weights = {str(city.encoder.get("weights")) for city in evidence.cities}
    if "random" in weights | {study.encoder.weights}:
        reasons.append("the image encoder has random weights")
    return reasons


def percent(share: float) -> str:
    """A share in per cent, a word where there is none."""
    return "none" if math.isnan(share) else f"{share:.0%}"


def shade(share: float) -> str:
    """Background and text colour of a cell of the confusion table, from white to dark blue."""
    part = min(max(share, 0.0), 1.0) ** 0.7  # small shares stay visible
    light, dark = (255, 255, 255), (8, 48, 107)
    mixed = [round(start + (end - start) * part) for start, end in zip(light, dark, strict=True)]
    ink = "#fff" if part > 0.5 else "#222"
    return f"background:rgb({mixed[0]},{mixed[1]},{mixed[2]});color:{ink}"


# -- parts of the context --------------------------------------------------------------------------


def _summaries(pairs: list[PairEvidence], scheme: str) -> list[dict[str, Any]]:
    shown = comparison.columns(pairs, scheme)
    return [
        {
            "title": title,
            "better": "lower" if metric in comparison.LOWER_IS_BETTER else "higher",
            "rows": [(pair, comparison.row(pair, metric, shown, scheme)) for pair in pairs],
        }
        for metric, title in comparison.SUMMARY_METRICS.items()
    ]


def _city(
    city: CityEvidence, evidence: Evidence, outlines: "gpd.GeoDataFrame | None", scheme: str
) -> dict[str, Any]:
    pairs = [pair for pair in evidence.pairs if pair.city == city.key and pair.has_results]
    return {
        "evidence": city,
        "pairs": [_pair(pair, evidence, outlines, scheme) for pair in pairs],
    }


def _pair(
    pair: PairEvidence, evidence: Evidence, outlines: "gpd.GeoDataFrame | None", scheme: str
) -> dict[str, Any]:
    shown = comparison.columns([pair], scheme)
    actual = pair.areas["actual_decile"].dropna().astype(float)
    return {
        "pair": pair,
        "unit": OUTCOMES[pair.outcome].unit,
        "sentences": comparison.verdict(pair, scheme),
        "columns": shown,
        "metrics": [
            (title, comparison.row(pair, metric, shown, scheme))
            for metric, title in comparison.METRIC_TITLES.items()
        ],
        "confusion": comparison.confusion_shares(pair.confusion),
        "coverage": pair.coverage.to_dict("records"),
        "coverage_of_all": {
            metric: comparison.value(pair, metric, "network", scheme)
            for metric in ("interval_coverage", "interval_width")
        },
        "n_ranked": len(pair.areas),
        "mean_actual": float(actual.mean()) if len(actual) else float("nan"),
        "maps": _png(maps.draw_maps(pair.areas, outlines, evidence.positions)),
        "learning": _svg(plots.draw_learning(pair.history)) if len(pair.history) else None,
    }


def _settings(evidence: Evidence, study: Study) -> list[tuple[str, str]]:
    """How the results were made: profile, seed, weights and the like."""
    profiles = sorted(
        {json.dumps(p.training, sort_keys=True, default=str) for p in evidence.pairs if p.training}
    )
    encoders = sorted({_encoder(city) for city in evidence.cities if city.encoder})
    return [
        ("Profile", ", ".join(_profiles(evidence, study))),
        ("Folds", f"{study.folds.scheme}, k = {study.folds.k}"),
        ("Seed", str(study.seed)),
        ("Aggregation rule", study.aggregation),
        ("Date", study.date.isoformat()),
        *(("Encoder", encoder) for encoder in encoders),
        *(("Training", profile) for profile in profiles),
    ]


def _profiles(evidence: Evidence, study: Study) -> list[str]:
    """Profiles of the networks that are there; the study's when there are none yet."""
    return sorted({pair.profile for pair in evidence.pairs} - {""}) or [study.training.profile]


def _encoder(city: CityEvidence) -> str:
    """The encoder in words; of a weight file its name, since its path is another's business."""
    parts = {name: str(value) for name, value in city.encoder.items() if value}
    if "weights" in parts:
        parts["weights"] = parts["weights"].replace("\\", "/").rsplit("/", 1)[-1]
    return ", ".join(f"{name} {value}" for name, value in parts.items())


# -- pictures --------------------------------------------------------------------------------------


def _png(figure: "Figure") -> str:
    return _data_uri("image/png", png_bytes(figure, dpi=140, limit_bytes=MAP_LIMIT_BYTES))


def _svg(figure: "Figure") -> str:
    return _data_uri("image/svg+xml", svg_text(figure).encode())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
