"""The chain as the jobs that are run for it, in the order in which data flow.

A job cannot mix partitions definitions, so the chain is a row of jobs; each takes one city, bucket,
pair or scheme, or none.
"""

from typing import Literal, NamedTuple

from streetineq_assets.study import Study, bucket_keys

PartitionedBy = Literal["city", "bucket", "pair", "scheme"]


class Stage(NamedTuple):
    """One job.

    Attributes:
        job: its name.
        assets: what it makes.
        by: what a partition of it is; None where it has none.
        on_gpu: whether it holds the pool `gpu`, hence counts for the budget of a day.
        is_optional: whether a study can do without it: kept up to date where somebody ran it once.
    """

    job: str
    description: str
    assets: tuple[str, ...]
    by: PartitionedBy | None = None
    on_gpu: bool = False
    is_optional: bool = False

    def keys(self, study: Study, city: str) -> list[str]:
        """The partitions of one city; none for a job without partitions, or of no use to it."""
        if self in ACQUISITION and not study.acquires(city):
            return []
        match self.by:
            case "city":
                return [city]
            case "bucket":
                return bucket_keys(city, study.cities[city].buckets)
            case "pair":
                return [pair.key for pair in study.pairs if pair.city == city]
            case "scheme":
                return [key for key in study.scheme_keys if key.startswith(f"{city}/")]
        return []


LABELS = Stage(
    "refresh_labels",
    "Read the official files again: postcodes, areas, deciles.",
    ("postcode_lsoa", "lsoa_labels"),
)
ACQUISITION = (
    Stage(
        "plan_imagery",
        "Ask the provider of [imagery] what it has around a city's locations; fetch nothing.",
        ("imagery_plan",),
        "city",
        is_optional=True,
    ),
    Stage(
        "fetch_imagery",
        "Fetch what is planned of a bucket, where study.toml lets that much be fetched.",
        ("imagery",),
        "bucket",
        is_optional=True,
    ),
)
LISTING = Stage(
    "list_images",
    "List a city's images and join its locations to their areas.",
    ("street_images", "locations"),
    "city",
)
CODES = Stage("extract_codes", "Encode a bucket's images.", ("image_codes",), "bucket", on_gpu=True)
JOINT_TRAINING = Stage(
    "train_jointly",
    "Train all outcomes of a city in one network; with `joint = true` before the pairs.",
    ("joint_model",),
    "city",
    on_gpu=True,
    is_optional=True,
)
JOINT_EVALUATION = Stage(
    "compare_jointly",
    "Evaluate a city's joint networks, beside those of its pairs.",
    ("joint_evaluation",),
    "city",
    is_optional=True,
)
REPORT = Stage(
    "publish_report",
    "Write the report, the evidence pack and the warehouse over everything that is there.",
    ("transfer_report", "inequality_report", "evidence_pack", "warehouse"),
)
STAGES = (
    LABELS,
    *ACQUISITION,
    LISTING,
    CODES,
    Stage(
        "pack_codes",
        "Pack a city's codes for training, find repeats, and split its areas into folds.",
        ("hdf5_shards", "image_repeats", "area_folds"),
        "city",
    ),
    JOINT_TRAINING,
    Stage(
        "train_and_predict",
        "Train a pair's networks, predict out of fold, explain, compare with baselines and truth.",
        (
            "trained_model",
            "baseline_scores",
            "location_predictions",
            "explanations",
            "lsoa_predictions",
            "lsoa_evaluation",
            "equity_audit",
        ),
        "pair",
        on_gpu=True,
    ),
    JOINT_EVALUATION,
    Stage(
        "audit_data",
        "Audit a city: rights and dates of its images, and which of its areas were ranked.",
        ("data_audit",),
        "city",
    ),
    Stage(
        "transfer_networks",
        "Tune another city's networks on shares of this city, by outcome.",
        ("fine_tuned_model",),
        "pair",
        on_gpu=True,
        is_optional=True,
    ),
    Stage(
        "try_schemes",
        "Train and score every model of a city under one scheme of folds.",
        ("scheme_scores",),
        "scheme",
        on_gpu=True,
        is_optional=True,
    ),
    Stage(
        "compare_schemes",
        "Compare all models of a city under all schemes of folds.",
        ("evidence_matrix",),
        "city",
        is_optional=True,
    ),
    REPORT,
)
OF_CITIES = tuple(stage for stage in STAGES if stage.by)


def stages_of(*, acquires: bool) -> tuple[Stage, ...]:
    """The stages of a study; those of acquisition where it has [imagery]."""
    return tuple(stage for stage in STAGES if acquires or stage not in ACQUISITION)
