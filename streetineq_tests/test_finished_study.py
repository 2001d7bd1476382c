"""What becomes of a finished study that is copied, moved, cut, or run again (slow)."""

import re
import shutil

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.cleaning import (
    examine_leftovers,
    orphans,
    published_artefacts,
    remove_unneeded,
)
from streetineq_assets.doctor import examine
from streetineq_assets.instance_state import unrecorded
from streetineq_assets.manifests import read_manifest
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.reports.query import answer
from streetineq_assets.reports.tables import WAREHOUSE_VIEWS
from streetineq_assets.reports.view_sql import PARTITION
from streetineq_assets.run import run_study
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.chain import PAIRS, run_chain
from streetineq_tests.harness import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plain_steps")]

# Cheap to make again, and all that follows is skipped only if they are the same.
MADE_ALIKE = ("postcode_lsoa", "lsoa_labels", "locations", "area_folds")


def test_a_copy_below_a_plain_folder_has_the_same_results(chain, tmp_path):
    """Also with a backup beside each artefact and one made by hand; only the warehouse is new."""
    store, first, _ = chain
    copy = DataStore(shutil.copytree(store.root, tmp_path / "plain"))
    for asset in MADE_ALIKE:
        shutil.rmtree(copy.root / "assets" / asset)
    for manifest in sorted((copy.root / "assets").rglob("manifest.json")):
        folder = manifest.parent
        shutil.copytree(folder, folder.with_name(f"{folder.name} (copy)"))
        shutil.copytree(folder, folder.with_name(f"{folder.name}_old"))
    again = run_chain(copy.root)
    events = [
        event for result in again.values() for event in result.get_asset_materialization_events()
    ]
    assert len(events) == sum(len(r.get_asset_materialization_events()) for r in first.values())
    made = {
        event.asset_key.to_user_string()
        for event in events
        if not event.materialization.metadata["skipped"].value
    }
    assert made == {*MADE_ALIKE, "warehouse"}
    for asset in MADE_ALIKE:
        digests = [{m.label: m.digest for m in each.manifests(asset)} for each in (store, copy)]
        assert digests[0] == digests[1]
        assert digests[0]
    assert counts_of_views(copy) == counts_of_views(store)


def test_a_study_without_its_history_is_copied_run_and_asked_where_the_original_is_gone(
    chain, tmp_path
):
    """Everything is skipped but the warehouse, whose views hold paths, and Dagster knows it all."""
    store, _, _ = chain
    copy = DataStore(shutil.copytree(store.root, tmp_path / "moved"))
    published = published_artefacts(copy)
    assert not copy.dagster_home.exists()
    assert len(unrecorded(copy, published)) == len(published)
    before = {each.label: each.published_at for each in published}
    run_study(copy, lambda _: None)
    published = published_artefacts(copy)
    after = {each.label: each.published_at for each in published}
    assert after.keys() == before.keys()
    assert {label for label in after if after[label] != before[label]} == {"warehouse"}
    assert unrecorded(copy, published) == []
    assert not any(row["what"] == "history of the instance" for row in examine(copy)["artefacts"])
    expected = counts_of_views(store)
    away = store.root.rename(store.root.with_name("away"))
    try:
        assert counts_of_views(copy) == expected
        assert "northmere" in answer(copy, "SELECT DISTINCT city FROM lsoa_predictions")
    finally:
        away.rename(store.root)


def counts_of_views(store):
    with duckdb.connect(store.open("warehouse").file("streetineq.duckdb"), read_only=True) as ask:
        views = [name for (name,) in ask.execute("SHOW TABLES").fetchall()]
        counts = {name: ask.table(f'"{name}"').count("*").fetchall() for name in views}
        columns = {name: ask.table(f'"{name}"').columns for name in views}
    for view in WAREHOUSE_VIEWS:
        shown = [name for name in view.schema.names if name not in view.pictures]
        assert columns[view.name] == [*shown, PARTITION]
    return counts


def test_a_city_without_images_is_unavailable_and_fails_nothing(chain, tmp_path):
    """Labels are there and images are not: down its chain the city is empty, and says why."""
    store, _, _ = chain
    root = tmp_path / "study"
    shutil.copytree(store.root, root, ignore=shutil.ignore_patterns("assets", "dagster_home"))
    shutil.rmtree(root / "inputs/images/northmere")
    (root / "inputs/images/saltbridge").rename(root / "inputs/images/elsewhere")
    for city in ("northmere", "saltbridge"):
        (root / f"inputs/locations/{city}.csv").unlink()
    for asset in ("postcode_lsoa", "lsoa_labels"):
        shutil.copytree(store.folder(asset), root / "assets" / asset)
    assert all(result.success for result in run_chain(root).values())
    without = DataStore(root)
    assert "northmere.csv" in without.manifest("street_images", "northmere").unavailable.wanted
    for pair in PAIRS:
        assert without.open("lsoa_predictions", pair).table().empty
        why = without.manifest("trained_model", pair).unavailable
        assert "inputs/locations" in why.wanted
    assert len(without.open("lsoa_labels").table()) > 0


def test_cleaning_after_a_city_left_takes_nothing_that_the_others_were_made_of(chain, tmp_path):
    store, _, _ = chain
    copy = DataStore(shutil.copytree(store.root, tmp_path / "without"))
    text = copy.study_file.read_text(encoding="utf-8")
    without, n = re.subn(r"(?m)^\[cities\.saltbridge\]\n(?:[^\[\n].*\n|\n)*", "", text)
    assert n == 1
    copy.study_file.write_text(without, encoding="utf-8")
    study = load_study(copy.study_file)
    assert list(study.cities) == ["northmere"]

    def state():
        """Every artefact of the study, whether it is intact, and what does not agree with it."""
        lineage, published = Lineage(copy, study), published_artefacts(copy)
        left = {each.label for each in orphans(published, study)}
        return {
            each.label: (copy.damage(each), lineage.disagreements(each.asset, each.partition))
            for each in published
            if each.label not in left
        }

    before, (unneeded, kept) = state(), examine_leftovers(copy, study)
    assert {each.what for each in unneeded} >= {"data_audit[saltbridge]"}
    assert all("saltbridge" in each.what for each in unneeded)
    chain_of_report = {"lsoa_evaluation[saltbridge/living_environment]", "hdf5_shards[saltbridge]"}
    assert {each.what for each in kept} >= chain_of_report
    remove_unneeded(copy, unneeded)
    assert state() == before
    assert not [label for label, (damage, _) in before.items() if damage]
    assert examine_leftovers(copy, study) == ([], kept)
    shutil.rmtree(copy.folder("transfer_report"))  # which a run would make without that city
    unneeded, kept_then = examine_leftovers(copy, study)
    assert ({each.what for each in unneeded}, kept_then) == ({each.what for each in kept}, [])


AFTER_INPUTS = [
    ("image_codes", "northmere/000"),
    ("hdf5_shards", "northmere"),
    ("area_folds", "northmere"),
    ("joint_model", "northmere"),
    ("trained_model", "northmere/mean_income"),
    ("baseline_scores", "northmere/mean_income"),
    ("location_predictions", "northmere/mean_income"),
    ("explanations", "northmere/mean_income"),
    ("lsoa_predictions", "northmere/mean_income"),
    ("lsoa_evaluation", "northmere/mean_income"),
    ("equity_audit", "northmere/mean_income"),
    ("joint_evaluation", "northmere"),
    ("data_audit", "northmere"),
    ("fine_tuned_model", "saltbridge/living_environment"),
    ("transfer_report", None),
    ("inequality_report", None),
    ("evidence_pack", None),
    ("warehouse", None),
]


def manifests(root):
    """Every manifest of a study, by its label."""
    found = [read_manifest(path) for path in (root / "assets").rglob("manifest.json")]
    return {manifest.label: manifest for manifest in found}


def holdings(root):
    """What every artefact holds, by its label."""
    return {label: manifest.holdings for label, manifest in manifests(root).items()}


def digests(root):
    """Of what every artefact holds, by its label; the warehouse's tells where the study lies."""
    found = {label: manifest.digest for label, manifest in manifests(root).items()}
    return {label: digest for label, digest in found.items() if label != "warehouse"}


def test_what_is_lost_on_purpose_upstream_costs_nothing_further_down(chain, tmp_path):
    """Each step asks for itself: labels and lists went with consent, and nothing else goes."""
    store = DataStore(shutil.copytree(chain[0].root, tmp_path / "study"))
    for name in ("census", "iod", "household_income", "locations", "images"):
        shutil.rmtree(store.inputs(name))
    for asset, partition in [
        ("lsoa_labels", None),
        *(("locations", city) for city in ("northmere", "saltbridge")),
        *(("street_images", city) for city in ("northmere", "saltbridge")),
    ]:
        run(store, asset, partition, allow_loss=True)
        assert store.manifest(asset, partition).allowed_losses
    before = holdings(store.root)
    for asset, partition in AFTER_INPUTS:
        run(store, asset, partition, fails=True)
    assert holdings(store.root) == before


INPUTS = [
    "census",
    "iod",
    "household_income",
    "onspd",
    "boundaries",
    "locations/northmere.csv",
    "images/northmere",
    "images/saltbridge",
]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sets(st.sampled_from(INPUTS), min_size=1))
def test_no_subset_of_inputs_that_is_away_costs_anything(chain, tmp_path_factory, away):
    """Every job runs on every partition, as schedules do; many fail, and nothing is worth less."""
    root = tmp_path_factory.mktemp("away") / "study"
    store = DataStore(shutil.copytree(chain[0].root, root))
    for name in away:
        store.inputs(name).rename(store.root / name.replace("/", "-"))
    run_chain(root, fails=True)
    assert holdings(root) == holdings(chain[0].root)
    assert not any(manifest.allowed_losses for manifest in manifests(root).values())
    for name in away:
        (store.root / name.replace("/", "-")).rename(store.inputs(name))
    assert all(result.success for result in run_chain(root).values())
    assert digests(root) == digests(chain[0].root)
