"""The report's file, and what the UI shows of the study as a whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets import geography
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Findings, Scalar
from streetineq_assets.manifests import Manifest, Recipe
from streetineq_assets.reports import checks, comparison
from streetineq_assets.reports.history import STATED, History
from streetineq_assets.reports.page.render import render
from streetineq_assets.reports.provenance import Provenance, artefacts
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

REPORT_FILE = "report.html"


def made_of(
    store: DataStore, study: Study, history: History
) -> tuple[dict[str, str], dict[str, Any]]:
    """What the report is made of as things stand: inputs, name to digest, and settings."""
    inputs = artefacts(store, study) | {"history": history.digest}
    if file := geography.find_boundaries(store.inputs(geography.BOUNDARIES_FOLDER)):
        inputs["boundaries"] = digest_file(file)
    return inputs, study.model_dump(mode="json", exclude={"allow_loss", "automation", "notices"})


def read_boundaries(store: DataStore, study: Study) -> "gpd.GeoDataFrame | None":
    """The study's boundaries, `area, geometry` on the British National Grid, if it has any.

    Raises:
        SourceError: as `geography.find_boundaries` and `geography.read_boundaries`.
    """
    file = geography.find_boundaries(store.inputs(geography.BOUNDARIES_FOLDER))
    return geography.read_boundaries(file, study.vintage) if file else None


def changed_since(
    report: Manifest, inputs: Mapping[str, str], config: Mapping[str, Any]
) -> list[str]:
    """Names of inputs and settings that are others than those that a report was made of."""
    now = Recipe(code_version=report.recipe.code_version, inputs=dict(inputs), config=dict(config))
    return [name.partition(".")[2] for name in report.recipe.difference(now)]


def write_report(
    results: StudyResults,
    study: Study,
    provenance: Provenance,
    boundaries: "gpd.GeoDataFrame | None",
    folder: Path,
) -> Findings:
    """Write `report.html`.

    Args:
        provenance: what the results were made of.
        boundaries: `area, name, geometry` of all areas on the British National Grid, or None
            where the study has no boundary file.
    """
    areas, unbounded = results.areas, []
    codes = set(areas["area"])
    placed = set(results.centroids["area"])
    if boundaries is not None:
        unbounded = sorted(codes - set(boundaries["area"]))
        placed |= set(boundaries["area"])
    text = render(results, study, provenance, boundaries)
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")
    n_without_geometry = len(codes - placed)
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
                len(codes),
                n_without_geometry,
                has_boundaries=boundaries is not None,
                unbounded=unbounded,
            ),
        ],
        tables={"pairs": _pairs(results)},
        holdings=predicted_areas(results)
        | {"areas on maps": 0 if boundaries is None else len(areas) - n_without_geometry},
        notes={"outdated": _outdated(results.outdated)} if results.outdated else {},
    )


def predicted_areas(results: StudyResults) -> dict[str, int]:
    """How many areas of every pair of the study are predicted, by a name for each."""
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
