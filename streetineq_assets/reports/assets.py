"""The assets of this step: the report, the evidence pack, and the warehouse."""

from pathlib import Path

import dagster as dg

from streetineq_assets.findings import Findings
from streetineq_assets.partitions import Partitions
from streetineq_assets.reports import checks, results
from streetineq_assets.reports import warehouse as views
from streetineq_assets.reports.history import read_history
from streetineq_assets.reports.pack.material import REPORT, Material, digests
from streetineq_assets.reports.pack.pages import README
from streetineq_assets.reports.pack.writing import write_pack
from streetineq_assets.reports.page.render import synthetic_reasons
from streetineq_assets.reports.provenance import read_provenance
from streetineq_assets.reports.questions import QUESTIONS
from streetineq_assets.reports.report import (
    REPORT_FILE,
    changed_since,
    made_of,
    read_boundaries,
    write_report,
)
from streetineq_assets.reports.tables import warehouse_views
from streetineq_assets.reports.view_sql import WAREHOUSE_FILE
from streetineq_assets.resources import WEEKLY, Events, StudyResource, define_asset
from streetineq_assets.store import DataStore

GROUP = "9_reports"


def inequality_report(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """The report of the whole study: one HTML file that opens without a network.

    It opens with the answer; an area is found by postcode, code or name. The network's metrics
    stand beside those of the baselines, and what is not available is listed. The same inputs give
    the same bytes. `evidence_pack` has the tables and the map as files.
    """
    store, settings = study.store, study.study
    history = read_history(store, settings)
    inputs, config = made_of(store, settings, history)

    def make(folder: Path) -> Findings:
        read = results.read_results(store, settings, history)
        provenance = read_provenance(store, settings, read, synthetic_reasons(read, settings))
        return write_report(read, settings, provenance, read_boundaries(store, settings), folder)

    events = study.materialize(context, make, inputs=inputs, config=config)
    yield from _led_by(events, "report", store, "inequality_report", REPORT_FILE)


def evidence_pack(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """What the study found, in one folder that others can use without asking: see its README.md.

    The report, predictions and metrics as CSV and Parquet, a map as GeoParquet and as GeoPackage
    for QGIS, a data dictionary, provenance, the checklists REFORMS and TRIPOD+AI filled from what
    was recorded, a model card, an RO-Crate, and digests. The same inputs give the same bytes.
    """
    store, settings = study.store, study.study
    history = read_history(store, settings)
    report = store.open(REPORT)
    inputs, config = made_of(store, settings, history)
    changes = changed_since(report.manifest, inputs, config)

    def make(folder: Path) -> Findings:
        read = results.read_results(store, settings, history)
        reasons = synthetic_reasons(read, settings)
        material = Material(
            study=settings,
            results=read,
            provenance=read_provenance(store, settings, read, reasons),
            boundaries=read_boundaries(store, settings),
            report=report.file(REPORT_FILE),
        )
        return write_pack(material, changes, folder)

    inputs |= digests(store, settings)
    events = study.materialize(context, make, inputs=inputs, config=config)
    yield from _led_by(events, "pack", store, "evidence_pack", README.name)


def warehouse(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """A database with all published tables: `streetineq.duckdb`, to be opened with DuckDB.

    It holds a view for each table, which reads the files as they are when asked; nothing is copied.
    Ready questions, such as `worst_areas`, are views too.
    """
    store, settings = study.store, study.study
    shown = warehouse_views(acquires=settings.imagery is not None)

    def make(folder: Path) -> Findings:
        rows, left_out = views.build_warehouse(
            store, settings, shown, folder / WAREHOUSE_FILE, QUESTIONS
        )
        unpublished = [view.name for view in shown if view.name not in rows]
        return Findings(
            values={"n_views": len(rows)},
            checks=[checks.tables_published(unpublished, left_out)],
            tables={"views": [{"view": name, "n_rows": count} for name, count in rows.items()]},
            holdings={"views": len(rows)},
            digest=views.content_digest(store, settings, shown, QUESTIONS),
        )

    inputs = views.digests(store, settings, shown)
    config = views.settings(store, settings)
    events = study.materialize(context, make, inputs=inputs, config=config)
    yield from _led_by(events, "database", store, "warehouse", WAREHOUSE_FILE)


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """The report, the pack and the warehouse, over all partitions of the steps before."""
    shown = warehouse_views(acquires=parts.imagery_pool is not None)
    made_before = [
        *results.SHARED,
        *results.OF_CITIES,
        *results.OF_PAIRS,
        results.TRANSFER,
        "lsoa_boundaries",
    ]
    return [
        define_asset(
            inequality_report,
            group_name=GROUP,
            freshness_policy=WEEKLY,
            kinds={"html"},
            deps=made_before,
            # 4: no way to find an area, tables and map beside it; 3: no audits, no claims of
            # transfer, leads by points; 2: settings of study.toml
            code_version="5",
            checks=checks.INEQUALITY_REPORT,
        ),
        define_asset(
            evidence_pack,
            group_name=GROUP,
            freshness_policy=WEEKLY,
            kinds={"csv", "parquet"},
            deps=["inequality_report", *made_before],
            code_version="2",  # 1: called an area lsoa11
            checks=checks.EVIDENCE_PACK,
        ),
        define_asset(
            warehouse,
            group_name=GROUP,
            freshness_policy=WEEKLY,
            kinds={"duckdb"},
            deps=sorted({view.asset for view in shown}),
            # 1: other names of views; 2: copied folders counted too; 3: without audits; 4: one
            # damaged manifest kept all tables of its asset from being read; 5: read in one place
            # alone, without ready questions; 6: called an area lsoa11
            code_version="7",
            checks=checks.WAREHOUSE,
        ),
    ]


def _led_by(events: Events, name: str, store: DataStore, asset: str, file: str) -> Events:
    """The events, with the path of the file that readers open ahead of the other metadata.

    The path is known only once the artefact is published.
    """
    for event in events:
        if isinstance(event, dg.MaterializeResult):
            path = store.open(asset).file(file)
            first = {name: dg.MetadataValue.path(str(path))}
            yield event._replace(metadata=first | dict(event.metadata or {}))
        else:
            yield event
