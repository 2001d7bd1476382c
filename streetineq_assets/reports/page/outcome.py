"""The section of one city and outcome: what it says, where, how surely, and what it rests on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.evaluation import MIN_AREAS
from streetineq_assets.predictions.intervals import LEVEL, are_label_conditional
from streetineq_assets.reports import comparison, plots
from streetineq_assets.reports.history import INTERVALS, RULE
from streetineq_assets.reports.page import evidence
from streetineq_assets.reports.page.layers import LAYERS
from streetineq_assets.reports.page.pictures import CityRaster, draw_map
from streetineq_assets.reports.page.pushes import exemplar_context
from streetineq_assets.reports.page.shapes import CityShapes
from streetineq_assets.reports.page.uris import chart_uri, data_uri
from streetineq_assets.reports.results import PairResults

FEW = 20  # a share of fewer areas moves by over five points with each of them: it is not printed
_WORST = 10
_METRIC_TABLES = {
    "How near predicted deciles come": (
        "kappa_quadratic",
        "mae",
        "accuracy",
        "within_1",
        "within_2",
    ),
    "How well areas are ranked": (
        "spearman_score",
        "pearson_score",
        "spearman",
        "pearson",
        "kendall",
    ),
    "Agreement beyond chance, and the ends of the scale": (
        "kappa_linear",
        "kappa",
        "recall_decile_1",
        "recall_decile_10",
    ),
    "Probabilities, and errors among neighbours": ("rps", "moran_i_errors", "moran_p_errors"),
}
_RECALLS = {"recall_decile_1": 1, "recall_decile_10": 10}
_RPS_NOTE = (
    "The ranked probability score of a model without probabilities is that of a certain forecast, "
    "its mean absolute error over nine, and does not compare with the network's."
)


@dataclass(frozen=True)
class CityMaps:
    """What the maps of a city's outcomes share."""

    shapes: CityShapes
    raster: CityRaster
    names: Mapping[str, str]


def outcome_context(results: PairResults, city: CityMaps) -> dict[str, Any]:
    """What `outcome.html.j2` prints of a pair."""
    actual = results.areas["actual_decile"].dropna().astype(float)
    level = level_of(results)
    groups = list(_coverage(results.coverage))
    return {
        "results": results,
        "caution": OUTCOMES[results.pair.outcome].caution,
        "sentences": comparison.sentences(results),
        "rule": results.made_with.get(RULE, ""),
        "folds": results.made_with.get("Folds", results.scheme),
        "n_areas": _n_areas(len(results.areas)),
        "n_unknown": int(results.areas["actual_decile"].isna().sum()),
        "mean_actual": f"{actual.mean():.2f}" if len(actual) else "",
        "sure": _how_sure(results),
        "maps": list(_maps(results, city)),
        "n_ranked": int(comparison.can_be_ranked(results.areas).sum()),
        "worst": list(_worst(results.areas, city.names)),
        "exemplars": exemplar_context(results.exemplars, city.names),
        "confusion": comparison.confusion_shares(results.confusion),
        "metrics": list(_metric_tables(results)) if len(results.areas) >= MIN_AREAS else [],
        "level": f"{level:.0%}",
        "coverage": groups,
        "few_note": f"Groups of fewer than {FEW} areas are not printed."
        if len(groups) < (results.coverage["n_lsoas"] > 0).sum()
        else "",
        "by_label": are_label_conditional(
            results.areas["actual_decile"], results.areas["fold"], level
        ),
        "equity": evidence.equity_rows(results.equity),
        "losses": chart_uri(plots.plot_losses(results.history)) if len(results.history) else None,
    }


def _n_areas(n: int) -> str:
    return "1 area was" if n == 1 else f"{n:,} areas were"


def level_of(results: PairResults) -> float:
    """At which its intervals hold."""
    return float(results.made_with.get(INTERVALS, LEVEL))


def _how_sure(results: PairResults) -> str:
    n, n_ranked = len(results.areas), int(comparison.can_be_ranked(results.areas).sum())
    if n_ranked == n:
        return "All of them can be ranked."
    why = "the others are too uncertain, or rest on too few locations"
    return f"{n_ranked:,} of them can be ranked; {why}."


def _maps(results: PairResults, city: CityMaps) -> Iterator[dict[str, Any]]:
    """A picture for each layer; none where the areas are on no map."""
    areas = results.areas
    places = {code: number for number, code in enumerate(city.shapes.codes)}
    positions = areas["area"].map(places).fillna(-1).to_numpy(int)
    on_map = np.isin(positions, [*city.shapes.rings, *city.shapes.points])
    if not on_map.any():
        return
    height, width = city.raster.index.shape
    for layer in LAYERS:
        n = int((layer.classes(areas)[on_map] >= 0).sum())
        picture = draw_map(city.raster, positions, areas, layer)
        alt = (
            f"Map of {results.city_title}: {layer.title.lower()}, {results.outcome_title.lower()}, "
            f"{n:,} areas"
        )
        yield {
            "layer": layer,
            "uri": data_uri("image/webp", picture),
            "width": width // 2,
            "height": height // 2,
            "alt": alt,
            "n": n,
        }


def _worst(areas: pd.DataFrame, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The areas of the lowest scores among those that can be ranked."""
    ranked = areas[comparison.can_be_ranked(areas)].sort_values(["score", "area"])
    for row in ranked.head(_WORST).to_dict("records"):
        unknown = pd.isna(row["lower"])
        yield {
            "area": row["area"],
            "name": names.get(row["area"], ""),
            "decile": row["decile"],
            "interval": "none" if unknown else f"{row['lower']} to {row['upper']}",
            "actual": "not known" if pd.isna(row["actual_decile"]) else row["actual_decile"],
            "n_locations": row["n_locations"],
        }


def _metric_tables(results: PairResults) -> Iterator[dict[str, Any]]:
    """Models by metrics; a metric that means nothing at this n, or of no model, is left out."""
    columns = comparison.columns([results])
    counts = results.areas["actual_decile"].value_counts()
    few = {name for name, decile in _RECALLS.items() if counts.get(decile, 0) < FEW}
    for title, metrics in _METRIC_TABLES.items():
        printed = [name for name in metrics if name not in few]
        cells = {name: comparison.row(results, name, columns) for name in printed}
        known = {name: own for name, own in cells.items() if not _is_empty(own)}
        if not known:
            continue
        rows = [
            (column, [own[number] for own in known.values()])
            for number, column in enumerate(columns)
            if not _is_empty([own[number] for own in known.values()])
        ]
        left_out = few & set(metrics)
        note = f"Recalls of fewer than {FEW} areas are not printed." if left_out else ""
        yield {
            "title": title,
            "note": _RPS_NOTE if "rps" in known else note,
            "heads": [comparison.METRIC_TITLES[name] for name in known],
            "rows": rows,
        }


def _is_empty(cells: Sequence[comparison.Cell]) -> bool:
    return all(np.isnan(cell.value) for cell in cells)


def _coverage(coverage: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A line for all areas with an interval, and for each group of them that is large enough."""
    for kind, group in _in_order(coverage):
        for row in group.to_dict("records"):
            yield {
                "title": _group_title(kind, row["value"]),
                "n": row["n_lsoas"],
                "held": f"{row['coverage']:.0%}",
                "width": f"{row['mean_width']:.1f}",
            }


def _in_order(coverage: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for kind in ("all", "actual_decile", "n_locations"):
        many = coverage["n_lsoas"] >= (1 if kind == "all" else FEW)
        group = coverage[(coverage["grouped_by"] == kind) & many]
        if len(group):
            yield kind, group


def _group_title(kind: str, value: str) -> str:
    if kind == "actual_decile":
        return f"actual decile {value}"
    if kind == "n_locations":
        return f"{value} {'location' if value == '1' else 'locations'}"
    return "all"
