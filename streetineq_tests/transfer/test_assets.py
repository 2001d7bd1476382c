"""The assets of this step, run by Dagster on published upstreams."""

import dagster as dg
import pytest

from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.assets import build_assets as build_predictions
from streetineq_assets.resources import GpuResource, StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.transfer.assets import build_assets


def run(
    store: DataStore, study: Study, assets: list[str], key: str | None = None
) -> dg.ExecuteInProcessResult:
    parts = Partitions(study)
    return dg.materialize(
        [*build_predictions(parts), *build_assets(parts)],
        selection=assets,
        partition_key=key,
        resources={"study": StudyResource(root=str(store.root)), "gpu": GpuResource(kind="cpu")},
    )


def test_from_tuning_to_the_report(store: DataStore, study: Study) -> None:
    first = run(store, study, ["fine_tuned_model"], "beta/crime")
    (event,) = first.asset_materializations_for_node("fine_tuned_model")
    assert event.metadata["source"].value == "alpha"
    assert "fraction" in str(event.metadata["shares"].value)
    passed = {c.check_name: c.passed for c in first.get_asset_check_evaluations()}
    assert not passed.pop("shares_large_enough"), "one share has fewer than ten areas"
    assert all(passed.values())
    again = run(store, study, ["fine_tuned_model"], "beta/crime")
    (event,) = again.asset_materializations_for_node("fine_tuned_model")
    assert event.metadata["skipped"].value is True
    chain = ["location_predictions", "lsoa_predictions", "lsoa_evaluation"]
    run(store, study, chain, "alpha/crime")
    report = run(store, study, ["transfer_report"])
    (event,) = report.asset_materializations_for_node("transfer_report")
    assert event.metadata["n_pairs"].value == 1
    assert any(isinstance(value, dg.MarkdownMetadataValue) for value in event.metadata.values())


@pytest.mark.parametrize("key", ["alpha/crime", "hamlet/crime"])
def test_a_pair_without_networks_or_folds_is_unavailable_and_fails_nothing(
    store: DataStore, study: Study, key: str
) -> None:
    result = run(store, study, ["fine_tuned_model"], key)
    passed = {c.check_name: c.passed for c in result.get_asset_check_evaluations()}
    assert not passed.pop("available")
    assert all(passed.values())
    assert store.open("fine_tuned_model", key).table("tuned_metrics.parquet").empty
