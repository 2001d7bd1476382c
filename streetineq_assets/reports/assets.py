"""The assets of this step: the report, and the warehouse.

What belongs here: gathering what is published, calling the domain, publishing; which tables the
warehouse shows. What does not: any rule, any phrase, any drawing.
"""

from pathlib import Path

import dagster as dg
import pyarrow as pa

from streetineq_assets import geography
from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Check, CheckSpec, Findings
from streetineq_assets.images import location_areas as image_locations
from streetineq_assets.images.assets import IMAGE_COLUMNS
from streetineq_assets.labels import labelling as label_tables
from streetineq_assets.labels.assets import POSTCODE_COLUMNS
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions import tables
from streetineq_assets.reports import results
from streetineq_assets.reports import warehouse as views
from streetineq_assets.reports.report import write_report
from streetineq_assets.reports.warehouse import View
from streetineq_assets.resources import StudyResource, define_asset
from streetineq_assets.tables import descriptions
from streetineq_assets.transfer.tables import CURVE

GROUP = "reports"


def _predicted(name: str, asset: str, schema: pa.Schema, text: str) -> View:
    return View(name, asset, name, text, descriptions(schema))


VIEWS = [
    View(
        "postcode_lsoa",
        "postcode_lsoa",
        "postcode_lsoa",
        "Postcodes with their areas and their city.",
        POSTCODE_COLUMNS,
    ),
    View(
        "lsoa_labels",
        "lsoa_labels",
        "lsoa_labels",
        "Value and decile of every area and outcome.",
        label_tables.COLUMNS,
    ),
    View(
        "decile_edges",
        "lsoa_labels",
        "decile_edges",
        "Between which values each decile lies.",
        {"lower": "in the outcome's unit", "upper": "in the outcome's unit"},
    ),
    View(
        "availability",
        "lsoa_labels",
        "availability",
        "Which outcomes have labels, and which official file the others want.",
        {"wanted": "official file that is absent", "reason": "why there are no labels"},
    ),
    View(
        "locations",
        "locations",
        "locations",
        "Listed locations with their areas and weights.",
        image_locations.COLUMNS,
    ),
    View(
        "street_images",
        "street_images",
        "street_images",
        "Where the image of each location and view lies.",
        IMAGE_COLUMNS,
    ),
    View(
        "foreign_files",
        "street_images",
        "foreign_files",
        "Files among the images that belong to no listed location.",
        {"path": "file or archive", "member": "name within the archive", "reason": "why"},
    ),
    View(
        "shard_rows",
        "hdf5_shards",
        "rows",
        "Where each location's codes lie.",
        {"shard": "number of the shard", "row": "row in it, from 0"},
    ),
    View(
        "area_folds",
        "area_folds",
        "area_folds",
        "By which fold's network each area is predicted.",
        {"fold": "network that the area tests", "scheme": "how areas were split"},
    ),
    View(
        "training_history",
        "trained_model",
        "history",
        "Loss of every fold by epoch.",
        {"loss": "training loss, nats", "val_loss": "validation loss, nats"},
    ),
    View(
        "baselines",
        "baseline_scores",
        "baseline_scores",
        "Out-of-fold scores of the baselines, on the scale of deciles.",
        {"score": "out-of-fold score, deciles", "scheme": "how areas were split into folds"},
    ),
    _predicted(
        "location_predictions",
        "location_predictions",
        tables.LOCATION_PREDICTIONS,
        "Out-of-fold score and deciles of every location.",
    ),
    _predicted(
        "lsoa_predictions",
        "lsoa_predictions",
        tables.LSOA_PREDICTIONS,
        "Predicted decile of every area, with its interval.",
    ),
    _predicted(
        "metrics",
        "lsoa_evaluation",
        tables.METRICS,
        "Metrics of network and baselines with 95 % intervals.",
    ),
    _predicted(
        "comparisons",
        "lsoa_evaluation",
        tables.COMPARISONS,
        "Network minus baseline, with 95 % intervals.",
    ),
    _predicted(
        "confusion",
        "lsoa_evaluation",
        tables.CONFUSION,
        "Areas by actual and predicted decile.",
    ),
    _predicted(
        "coverage",
        "lsoa_evaluation",
        tables.COVERAGE,
        "How often the decile intervals hold, by actual decile.",
    ),
    View(
        "transfer",
        "transfer_report",
        "transfer_report",
        "Rank metrics of networks tuned on shares of a city, by repeat.",
        descriptions(CURVE),
    ),
]


def inequality_report(context: dg.AssetExecutionContext, study: StudyResource):
    """The report as one HTML file that needs nothing else; CSV and GeoParquet beside it.

    Every figure of the network stands beside the baselines. What is not available is listed. The
    same inputs give the same bytes.
    """
    store, settings = study.store, study.study
    found = results.digests(store, settings)
    outlines = geography.find_boundaries(store.inputs(geography.BOUNDARIES_FOLDER))
    if outlines:
        found["boundaries"] = digest_file(outlines)

    def make(folder: Path) -> Findings:
        drawn = geography.read_boundaries(outlines) if outlines else None
        return write_report(results.gather(store, settings), settings, drawn, folder)

    yield from study.materialize(
        context, make, inputs=found, config=settings.model_dump(mode="json")
    )


def warehouse(context: dg.AssetExecutionContext, study: StudyResource):
    """`streetineq.duckdb`: a view over every published table. Open it with `duckdb` and ask.

    The views read the tables as they are when asked; nothing is copied.
    """
    store = study.store
    found = views.digests(store, VIEWS)

    def make(folder: Path) -> Findings:
        rows = views.build_warehouse(store, VIEWS, folder / views.WAREHOUSE_FILE)
        absent = [view.name for view in VIEWS if view.name not in rows]
        return Findings(
            values={"n_views": len(rows)},
            checks=[
                Check(
                    "tables_published",
                    not absent,
                    f"not published yet: {', '.join(absent)}" if absent else "all tables are there",
                )
            ],
            tables={"views": [{"view": name, "rows": count} for name, count in rows.items()]},
            digest=views.content_digest(store, VIEWS),
        )

    # The views hold the place of the study, so one that was moved is made again.
    yield from study.materialize(context, make, inputs=found, config={"root": str(store.root)})


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:  # noqa: ARG001
    """The report and the warehouse, over all partitions of the steps before."""
    upstream = sorted({view.asset for view in VIEWS})
    return [
        define_asset(
            inequality_report,
            group_name=GROUP,
            kinds={"html", "parquet"},
            deps=[*results.OF_CITIES, *results.OF_PAIRS, results.TRANSFER, "lsoa_boundaries"],
            code_version="1",
            checks=[
                CheckSpec("pairs_available", "Every pair of the study has results."),
                CheckSpec("ahead_of_baselines", "No baseline is as good as the network."),
                CheckSpec("areas_placed", "Every predicted area has an outline or a point."),
            ],
        ),
        define_asset(
            warehouse,
            group_name=GROUP,
            kinds={"duckdb"},
            deps=upstream,
            code_version="1",
            checks=[CheckSpec("tables_published", "Every table of the platform is published.")],
        ),
    ]
