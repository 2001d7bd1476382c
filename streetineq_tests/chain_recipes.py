"""What each asset of the small chain reads, and the settings that shape it.

Leave one out of a recipe, and the asset is skipped when that changes.
"""

from streetineq_assets.labels.outcomes import DOMAINS, INDEX_OF_DEPRIVATION
from streetineq_tests.chain import PAIRS

INDICES = ", ".join(key for key in DOMAINS if key != INDEX_OF_DEPRIVATION)
OF_THE_CENSUS = ("self_reported_health", "occupancy_rating", "unemployment", "education")
SLICES = ("labels", "locations", "hdf5_shards", "image_repeats", "area_folds")
TRAINING_INPUTS = {f"northmere/{part}" for part in SLICES}
TRAINING_CONFIG = {"profile", "seed", "seeds", "in_memory"}
RECIPES = {
    "postcode_lsoa": ({"ONSPD_MAY_2018_UK.csv"}, {"authorities", "date", "n_lsoas"}),
    "lsoa_labels": (
        {"areas", "boundaries", "mean_income, median_income", INDICES, *OF_THE_CENSUS},
        {"cities", "titles", "pairs", "editions"},
    ),
    "street_images[northmere]": ({"street_image_files", "locations"}, {"buckets"}),
    "locations[northmere]": ({"locations", "postcode_lsoa"}, {"date", "places"}),
    "image_codes[northmere/000]": (
        {"street_images", "vgg16_weights"},
        {"backbone", "layer", "preprocessing", "mixed_precision"},
    ),
    "hdf5_shards[saltbridge]": (
        {"saltbridge/000", "location_ids", "licences"},
        {"seed", "rows_per_shard", "rights", "terms"},
    ),
    "image_repeats[saltbridge]": (
        {"saltbridge/000", "hdf5_shards", "positions"},
        {"max_hamming", "near_m", "max_share"},
    ),
    "area_folds[northmere]": ({"labels", "centroids"}, {"folds", "seed"}),
    "trained_model[northmere/mean_income]": (TRAINING_INPUTS, TRAINING_CONFIG),
    "joint_model[northmere]": (TRAINING_INPUTS, TRAINING_CONFIG | {"joint", "outcomes"}),
    "baseline_scores[northmere/mean_income]": (
        TRAINING_INPUTS | {"trained_model"},
        {"validation_share", "seed"},
    ),
    "location_predictions[northmere/mean_income]": (
        {"trained_model", "locations", "labels", "area_folds"},
        set(),
    ),
    "explanations[northmere/mean_income]": (
        {"trained_model", "location_predictions", "hdf5_shards", "licences", "street_images"},
        {"rights", "terms"},
    ),
    "lsoa_predictions[northmere/mean_income]": (
        {"location_predictions", "n_lsoas_of_city"},
        {"rule", "level", "areas"},
    ),
    "lsoa_evaluation[northmere/mean_income]": (
        {
            "lsoa_predictions",
            "location_predictions",
            "baseline_scores",
            "trained_model",
            "positions",
        },
        {"rule", "scheme", "seed"},
    ),
    "equity_audit[northmere/mean_income]": (
        {"lsoa_predictions", "values", "places", "groups"},
        {"seed"},
    ),
    "scheme_scores[northmere/district]": (
        {f"northmere/{part}" for part in SLICES if part != "area_folds"}
        | {"fold_labels", "fold_centroids", "weights"},
        TRAINING_CONFIG | {"joint", "outcomes", "folds", "folds_digest"},
    ),
    "evidence_matrix[northmere]": (
        {"scheme_scores/area", "scheme_scores/district", "labels", "centroids"},
        {"folds", "schemes", "seed"},
    ),
    "joint_evaluation[northmere]": (
        {"joint_model", "locations", "area_folds"}
        | {
            f"{what}/{outcome}"
            for what in ("labels", "lsoa_evaluation")
            for outcome in ("living_environment", "mean_income")
        },
        {"rule", "areas", "level", "seed"},
    ),
    "fine_tuned_model[saltbridge/living_environment]": (
        {f"saltbridge/{part}" for part in SLICES} | {"source", "weights"},
        {"transfer", "source", "profile", "scratch", "in_memory", "seed", "rule", "areas", "level"},
    ),
    "data_audit[northmere]": (
        {"locations", "areas"}
        | {f"lsoa_predictions/{outcome}" for outcome in ("living_environment", "mean_income")},
        {"outcomes", "iod_edition", "rights", "terms"},
    ),
    "transfer_report": (
        {f"lsoa_evaluation/{pair}" for pair in PAIRS}
        | {
            "fine_tuned_model/saltbridge/living_environment",
            "lsoa_predictions/saltbridge/living_environment",
            "area_folds/saltbridge",
        },
        {"equivalence_margin", "seed"},
    ),
}
