"""The assets that faults are tried on, and how an artefact is made to be wanted again."""

from typing import NamedTuple

from streetineq_assets.store import DataStore

PAIR = "saltbridge/living_environment"


class Target(NamedTuple):
    """One artefact of the small study."""

    asset: str
    partition: str | None


CHAIN = [
    Target("lsoa_labels", None),
    Target("street_images", "saltbridge"),
    Target("image_codes", "saltbridge/000"),
    Target("hdf5_shards", "saltbridge"),
    Target("area_folds", "saltbridge"),
    Target("trained_model", PAIR),
    Target("lsoa_predictions", PAIR),
    Target("lsoa_evaluation", PAIR),
    Target("evidence_matrix", "saltbridge"),
    Target("fine_tuned_model", PAIR),
    Target("inequality_report", None),
    Target("evidence_pack", None),
    Target("warehouse", None),
]
REST = [
    Target("postcode_lsoa", None),
    Target("locations", "saltbridge"),
    Target("image_repeats", "saltbridge"),
    Target("joint_model", "saltbridge"),
    Target("baseline_scores", PAIR),
    Target("location_predictions", PAIR),
    Target("explanations", PAIR),
    Target("equity_audit", PAIR),
    Target("joint_evaluation", "saltbridge"),
    Target("data_audit", "saltbridge"),
    Target("scheme_scores", "saltbridge/area"),
    Target("transfer_report", None),
]


def want_again(store: DataStore, target: Target) -> None:
    """Let an artefact seem to be made by an earlier version: its content and files stay."""
    manifest = store.manifest(*target)
    assert manifest is not None
    recipe = manifest.recipe.model_copy(update={"code_version": "of before"})
    before = manifest.model_copy(update={"recipe": recipe, "key": recipe.key})
    store.manifest_file(*target).write_text(before.model_dump_json(), encoding="utf-8")


def named(case: object) -> str:
    """How a test is called by its target, or by another argument."""
    if isinstance(case, Target):
        return f"{case.asset} of {case.partition}".replace("/", " ") if case[1] else case.asset
    return str(case)
