"""Which tables the warehouse shows: one view each, under the name that its table goes by.

The main table of an asset bears the asset's name; what stands beside it has a name of its own.
What columns mean is said once, in the schemas of the steps that publish them.
"""

from dataclasses import dataclass

import pyarrow as pa

from streetineq_assets.audit.tables import CAPTURE_YEARS, COVERAGE_BY_DECILE, DATA_AUDIT
from streetineq_assets.codes.tables import IMAGE_QUALITY, IMAGE_REPEATS, SHARD_ROWS
from streetineq_assets.evidence.tables import (
    EQUITY,
    EVIDENCE_MATRIX,
    FLATTERY,
    GAINS,
    SCHEME_SCORES,
)
from streetineq_assets.imagery.tables import IMAGERY, IMAGERY_PLAN
from streetineq_assets.images.tables import (
    CAPTURE_USE,
    FOREIGN_FILES,
    IMAGE_RIGHTS,
    LOCATIONS,
    STREET_IMAGES,
)
from streetineq_assets.labels.tables import AVAILABILITY, DECILE_EDGES, LSOA_LABELS, POSTCODE_LSOA
from streetineq_assets.models.tables import AREA_FOLDS, BASELINES, HISTORY
from streetineq_assets.predictions.tables import (
    BY_N_LOCATIONS,
    CALIBRATION,
    COMPARISONS,
    CONFUSION,
    COVERAGE,
    EXEMPLARS,
    EXPLANATIONS,
    INTERVALS,
    LOCATION_PREDICTIONS,
    LSOA_PREDICTIONS,
    METRICS,
)
from streetineq_assets.transfer.tables import CURVE, TRANSFER_COMPARISONS


@dataclass(frozen=True)
class View:
    """One table of the platform as the warehouse shows it.

    Attributes:
        name: of the view, and of the Parquet file without its suffix unless `stem` says otherwise.
        asset: the asset that publishes the table.
        description: one sentence.
        schema: its columns.
        stem: of the Parquet file, where another asset's table is called the same.
    """

    name: str
    asset: str
    description: str
    schema: pa.Schema
    stem: str = ""

    @property
    def pictures(self) -> list[str]:
        """Columns of bytes, which neither a table on a terminal nor a CSV file can show."""
        return [field.name for field in self.schema if pa.types.is_binary(field.type)]

    @property
    def file(self) -> str:
        """Name of the Parquet file in the artefact's folder."""
        return f"{self.stem or self.name}.parquet"


WAREHOUSE_VIEWS = (
    View("postcode_lsoa", "postcode_lsoa", "Postcodes with areas and city.", POSTCODE_LSOA),
    View("lsoa_labels", "lsoa_labels", "Value and decile by area and outcome.", LSOA_LABELS),
    View("decile_edges", "lsoa_labels", "Between which values each decile lies.", DECILE_EDGES),
    View("availability", "lsoa_labels", "Which outcomes have labels, or why not.", AVAILABILITY),
    View("locations", "locations", "Listed locations with areas and weights.", LOCATIONS),
    View("street_images", "street_images", "Where each image lies.", STREET_IMAGES),
    View("captures", "street_images", "What became of each listed capture.", CAPTURE_USE),
    View("foreign_files", "street_images", "Files of no listed location.", FOREIGN_FILES),
    View("shard_rows", "hdf5_shards", "Where each location's codes lie.", SHARD_ROWS, "rows"),
    View("image_quality", "hdf5_shards", "Sharp, light, with sky: by view.", IMAGE_QUALITY),
    View("image_repeats", "image_repeats", "Which locations show the same.", IMAGE_REPEATS),
    View("area_folds", "area_folds", "Which fold tests each area.", AREA_FOLDS),
    View("training_history", "trained_model", "Loss by fold and epoch.", HISTORY, "history"),
    View(
        "baselines",
        "baseline_scores",
        "Out-of-fold scores of the baselines, on the scale of deciles.",
        BASELINES,
        "baseline_scores",
    ),
    View(
        "location_predictions",
        "location_predictions",
        "Out-of-fold score and decile of every location.",
        LOCATION_PREDICTIONS,
    ),
    View(
        "explanations",
        "explanations",
        "What each location, and each of its views, adds to the scores.",
        EXPLANATIONS,
    ),
    View("exemplars", "explanations", "Views of the strongest push.", EXEMPLARS),
    View(
        "lsoa_predictions",
        "lsoa_predictions",
        "Predicted decile of every area, with its interval.",
        LSOA_PREDICTIONS,
    ),
    View(
        "calibration",
        "lsoa_predictions",
        "Links from scores to probabilities, by fold.",
        CALIBRATION,
    ),
    View(
        "lsoa_evaluation",
        "lsoa_evaluation",
        "Metrics of the networks and of the baselines, with 95 % intervals.",
        METRICS,
        "metrics",
    ),
    View("comparisons", "lsoa_evaluation", "Leads of the network over baselines.", COMPARISONS),
    View("intervals", "lsoa_evaluation", "Intervals by what is resampled.", INTERVALS),
    View("confusion", "lsoa_evaluation", "Areas by actual and predicted decile.", CONFUSION),
    View("coverage", "lsoa_evaluation", "How often decile intervals hold.", COVERAGE),
    View(
        "by_n_locations",
        "lsoa_evaluation",
        "Metrics of areas by how many locations they have.",
        BY_N_LOCATIONS,
    ),
    View(
        "joint_evaluation",
        "joint_evaluation",
        "Metrics of the networks trained on all outcomes of a city, with 95 % intervals.",
        METRICS,
    ),
    View("data_audit", "data_audit", "What a city's results rest on, by outcome.", DATA_AUDIT),
    View(
        "coverage_by_decile",
        "data_audit",
        "Areas that were ranked, by actual decile.",
        COVERAGE_BY_DECILE,
    ),
    View("capture_years", "data_audit", "Locations by year of capture.", CAPTURE_YEARS),
    View("image_rights", "data_audit", "What may be done with images, by licence.", IMAGE_RIGHTS),
    View(
        "transfer_report",
        "transfer_report",
        "Rank metrics of networks tuned on shares of another city, by repeat.",
        CURVE,
    ),
    View("scheme_scores", "scheme_scores", "Scores of every model by scheme.", SCHEME_SCORES),
    View(
        "evidence_matrix",
        "evidence_matrix",
        "Metrics of every model under every scheme of folds, with intervals.",
        EVIDENCE_MATRIX,
    ),
    View("evidence_gains", "evidence_matrix", "Leads over the best map.", GAINS, "gains"),
    View(
        "evidence_flattery",
        "evidence_matrix",
        "How much better models look under the study's own scheme than under another.",
        FLATTERY,
        "flattery",
    ),
    View(
        "equity_audit",
        "equity_audit",
        "Errors and missed need by group of areas, with 95 % intervals.",
        EQUITY,
    ),
    View(
        "transfer_comparisons",
        "transfer_report",
        "Tuned networks against the city's own, the untuned and those from scratch.",
        TRANSFER_COMPARISONS,
    ),
)
# Of studies that acquire images.
IMAGERY_VIEWS = (
    View("imagery_plan", "imagery_plan", "Which capture shows each wanted view.", IMAGERY_PLAN),
    View("imagery", "imagery", "Acquired images with their terms.", IMAGERY),
)


def warehouse_views(*, acquires: bool) -> tuple[View, ...]:
    """The views of a study's warehouse.

    Args:
        acquires: whether it has [imagery].
    """
    return (*WAREHOUSE_VIEWS, *IMAGERY_VIEWS) if acquires else WAREHOUSE_VIEWS
