"""The report's files, and what the UI shows of the study as a whole."""

from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.reports import checks, comparison, exports, html
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

REPORT_FILE = "report.html"


def write_report(
    results: StudyResults, study: Study, boundaries: "gpd.GeoDataFrame | None", folder: Path
) -> Findings:
    """Write `report.html`, `lsoa_predictions.csv`, `metrics.csv` and `lsoa_map.parquet`.

    Args:
        boundaries: `lsoa11, geometry` of all areas on the British National Grid, or None where the
            study has no boundary file.
    """
    areas = results.areas
    if boundaries is not None:
        boundaries = boundaries[boundaries["lsoa11"].isin(set(areas["lsoa11"]))]
    text = html.render(results, study, boundaries=boundaries)
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")
    exports.write_csv(areas, folder / exports.CSV_FILE)
    exports.write_csv(results.metrics, folder / exports.METRICS_FILE)
    n_without_geometry = exports.write_geoparquet(
        areas, boundaries, results.centroids, folder / exports.GEO_FILE
    )
    return Findings(
        values={
            "n_pairs": len(results.pairs),
            "n_pairs_with_results": sum(each.has_results for each in results.pairs),
            "n_rows": len(areas),
            "n_areas_without_geometry": n_without_geometry,
        },
        checks=[
            checks.pairs_available(results.pairs),
            checks.ahead_of_baselines(results.pairs, study.folds.scheme),
            checks.areas_placed(
                areas["lsoa11"].nunique(), n_without_geometry, has_boundaries=boundaries is not None
            ),
        ],
        tables={"pairs": _pairs(results, study.folds.scheme)},
        notes={"outdated": _outdated(results.outdated)} if results.outdated else {},
    )


def _outdated(labels: list[str]) -> str:
    return (
        f"Left out, since an earlier version made it in other columns: {', '.join(labels)}. "
        "Materialise it again, then the report."
    )


def _pairs(results: StudyResults, scheme: str) -> list[dict[str, Scalar]]:
    """One row per pair: quadratic kappa of the network and of every baseline."""
    shown = comparison.columns(results.pairs, scheme)
    rows = []
    for each in results.pairs:
        row: dict[str, Scalar] = dict(each.pair._asdict())
        row |= {"status": each.status, "n_lsoas": len(each.areas)}
        cells = comparison.row(each, "kappa_quadratic", shown, scheme)
        for column, cell in zip(shown, cells, strict=True):
            name = column.model if column.scheme == scheme else f"{column.model}_{column.scheme}"
            row[f"kappa_{name}"] = cell.value
        rows.append(row)
    return rows
