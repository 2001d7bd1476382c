"""The report's files, and what they say of the whole study.

What belongs here: which files a report is, its figures and warning checks. What does not: how each
file is made (`html`, `exports`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.findings import Check, Findings, Scalar
from streetineq_assets.reports import comparison, exports, html
from streetineq_assets.reports.results import Evidence
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

REPORT_FILE = "report.html"


def write_report(
    evidence: Evidence, study: Study, outlines: "gpd.GeoDataFrame | None", folder: Path
) -> Findings:
    """Write `report.html`, `lsoa_predictions.csv`, `metrics.csv` and `lsoa_map.parquet`.

    Args:
        outlines: `lsoa11, geometry` of all areas, or None when no boundaries are there.
    """
    if outlines is not None:
        outlines = outlines[outlines["lsoa11"].isin(set(evidence.areas["lsoa11"]))]
    text = html.render(evidence, study, outlines=outlines)
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")
    exports.write_csv(evidence.areas, folder / exports.CSV_FILE)
    exports.write_csv(evidence.metrics, folder / exports.METRICS_FILE)
    lost = exports.write_geoparquet(
        evidence.areas, outlines, evidence.positions, folder / exports.GEO_FILE
    )
    return Findings(
        values=_figures(evidence, lost),
        checks=_checks(evidence, study, lost, drawn=outlines is not None),
        tables={"pairs": _pairs(evidence, study)},
    )


def _figures(evidence: Evidence, lost: int) -> dict[str, Scalar]:
    return {
        "n_pairs": len(evidence.pairs),
        "n_pairs_with_results": sum(pair.has_results for pair in evidence.pairs),
        "n_rows": len(evidence.areas),
        "n_rows_without_geometry": lost,
    }


def _checks(evidence: Evidence, study: Study, lost: int, *, drawn: bool) -> list[Check]:
    without = [f"{pair.key} ({pair.status})" for pair in evidence.pairs if not pair.has_results]
    beaten = [
        f"{pair.key} by {', '.join(rivals)}"
        for pair in evidence.pairs
        if pair.has_results and (rivals := comparison.beaten_by(pair, study.folds.scheme))
    ]
    placed = "outlines" if drawn else "points: no file in inputs/boundaries holds their outlines"
    return [
        Check(
            "pairs_available",
            not without,
            f"no results: {', '.join(without)}" if without else "every pair has results",
        ),
        Check(
            "ahead_of_baselines",
            not beaten,
            f"the network is matched or beaten on quadratic kappa: {'; '.join(beaten)}"
            if beaten
            else "the network is ahead of every baseline on quadratic kappa",
        ),
        Check(
            "areas_placed",
            lost == 0 and drawn,
            f"areas are drawn as {placed}; {lost} rows have no place",
        ),
    ]


def _pairs(evidence: Evidence, study: Study) -> list[dict[str, Scalar]]:
    """One row per pair: the network beside the coordinates baseline."""
    scheme = study.folds.scheme
    shown = comparison.columns(evidence.pairs, scheme)
    rows = []
    for pair in evidence.pairs:
        row: dict[str, Scalar] = {"city": pair.city, "outcome": pair.outcome, "status": pair.status}
        row["n_lsoas"] = len(pair.areas)
        cells = comparison.row(pair, "kappa_quadratic", shown, scheme)
        for column, cell in zip(shown, cells, strict=True):
            name = column.model if column.scheme == scheme else f"{column.model}_{column.scheme}"
            row[f"kappa_{name}"] = round(cell.value, 3)
        rows.append(row)
    return rows
