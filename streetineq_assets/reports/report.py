"""The report's files, and what the UI shows of the study as a whole."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.reports import checks, comparison, exports
from streetineq_assets.reports.history import STATED
from streetineq_assets.reports.page.render import render
from streetineq_assets.reports.provenance import Provenance
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

REPORT_FILE = "report.html"


def write_report(
    results: StudyResults,
    study: Study,
    provenance: Provenance,
    boundaries: "gpd.GeoDataFrame | None",
    folder: Path,
) -> Findings:
    """Write `report.html`, `lsoa_predictions.csv`, `metrics.csv` and `lsoa_map.parquet`.

    Args:
        provenance: what the results were made of.
        boundaries: `lsoa11, name, geometry` of all areas on the British National Grid, or None
            where the study has no boundary file.
    """
    areas, unbounded = results.areas, []
    if boundaries is not None:
        unbounded = sorted(set(areas["lsoa11"]) - set(boundaries["lsoa11"]))
    text = render(results, study, provenance, boundaries)
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")
    exports.write_csv(_with_modelled(areas), folder / exports.CSV_FILE)
    exports.write_csv(_with_modelled(results.metrics), folder / exports.METRICS_FILE)
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
            checks.chains_agree(results.history.left_out),
            checks.ahead_of_baselines(results.current),
            checks.areas_placed(
                areas["lsoa11"].nunique(),
                n_without_geometry,
                has_boundaries=boundaries is not None,
                unbounded=unbounded,
            ),
        ],
        tables={"pairs": _pairs(results)},
        holdings=_predicted_areas(results)
        | {"areas on maps": 0 if boundaries is None else len(areas) - n_without_geometry},
        notes={"outdated": _outdated(results.outdated)} if results.outdated else {},
    )


def _with_modelled(table: pd.DataFrame) -> pd.DataFrame:
    """With `is_modelled`: whether the labels of a row's outcome are themselves a model's."""
    modelled = [OUTCOMES[outcome].modelled for outcome in table["outcome"]]
    return table.assign(is_modelled=pd.Series(modelled, table.index, dtype="bool"))


def _predicted_areas(results: StudyResults) -> dict[str, int]:
    """Of every pair of the study."""
    pairs = results.areas["city"].str.cat(results.areas["outcome"], sep="/")
    counts = pairs.value_counts()
    return {f"areas of {each.pair}": int(counts.get(each.pair.key, 0)) for each in results.pairs}


def _outdated(labels: list[str]) -> str:
    return (
        f"Left out, since an earlier version made it in other columns: {', '.join(labels)}. "
        "Materialise it again, then the report."
    )


def _pairs(results: StudyResults) -> list[dict[str, Scalar]]:
    """One row per pair: what it was made with, and quadratic kappa of every model.

    The columns of baselines on other folds than the networks' bear the name of their scheme.
    """
    rows = []
    for each in results.pairs:
        row: dict[str, Scalar] = dict(each.pair._asdict())
        row |= {"status": each.status, "n_lsoas": len(each.areas)}
        row["is_current"] = each.is_current
        row |= {_column(name): each.made_with.get(name, "") for name in STATED}
        shown = comparison.columns([each])
        cells = comparison.row(each, comparison.HEADLINE, shown)
        for column, cell in zip(shown, cells, strict=True):
            own = column.scheme == each.scheme
            name = column.model if own else f"{column.model}_{column.scheme}"
            row[f"kappa_{name}"] = cell.value
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def _column(setting: str) -> str:
    return setting.lower().replace(" ", "_")
