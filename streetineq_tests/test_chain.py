"""The demo's chain in little: from official files and images to report and warehouse.

It runs below folders of awkward names, and again on a copy below a plain one: the results agree.

Two synthetic cities of 20 and 15 LSOAs, one location each, small images, a small encoder, and
networks that hardly learn. What is asked here is that the parts fit; how well such cities can be
predicted is asked of the demo (`test_newcomer`).
"""

import re
import shutil

import dagster as dg
import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from streetineq_assets.cleaning import (
    examine_leftovers,
    orphans,
    published_artefacts,
    remove_unneeded,
)
from streetineq_assets.cli import app
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.definitions import build_definitions
from streetineq_assets.demo.summary import summary_lines
from streetineq_assets.doctor import examine
from streetineq_assets.instance_state import unrecorded
from streetineq_assets.labels.outcomes import DOMAINS, INDEX_OF_DEPRIVATION
from streetineq_assets.manifests import read_manifest
from streetineq_assets.predictions.lineage import Lineage
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.reports.history import read_history
from streetineq_assets.reports.query import answer
from streetineq_assets.reports.tables import WAREHOUSE_VIEWS
from streetineq_assets.reports.warehouse import PARTITION
from streetineq_assets.run import run_study
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.chain import run_chain, write_small_study
from streetineq_tests.harness import publish_again, run

CLI = CliRunner()
# Names that engines read as columns, patterns, quotes, variables, options, or parts of a URL.
AWKWARD = "city=northmere/decile=3, lsoa11=x/-it's Zoë's [study] #1 (100 %) $HOME ~*;&"
PAIRS = [
    "northmere/living_environment",
    "northmere/mean_income",
    "saltbridge/living_environment",
]


# What each asset reads, and the settings that shape it: leave one out, and it is skipped when that
# changes.
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
    "locations[northmere]": ({"locations", "postcode_lsoa"}, {"date"}),
    "image_codes[northmere/000]": (
        {"street_images", "vgg16_weights"},
        {"backbone", "layer", "preprocessing", "mixed_precision"},
    ),
    "hdf5_shards[saltbridge]": (
        {"saltbridge/000", "location_ids"},
        {"seed", "rows_per_shard"},
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


# What is read of files, which the platform does not publish; and what stands at the chain's start.
FILES = {
    "postcode_lsoa": RECIPES["postcode_lsoa"][0],
    "lsoa_labels": RECIPES["lsoa_labels"][0] - {"areas"},
    "street_images[northmere]": {"street_image_files", "locations"},
    "locations[northmere]": {"locations"},
    "image_codes[northmere/000]": {"vgg16_weights"},
    "equity_audit[northmere/mean_income]": {"groups"},
    # Evaluations stand beside it in the UI; no row of its table is of them.
    "joint_evaluation[northmere]": {
        f"lsoa_evaluation/{outcome}" for outcome in ("living_environment", "mean_income")
    },
}


def key_of(label: str) -> tuple[str, str | None]:
    asset, _, partition = label.removesuffix("]").partition("[")
    return asset, partition or None


pytestmark = pytest.mark.usefixtures("plain_steps")


@pytest.fixture(scope="module")
def chain(plain_steps, tmp_path_factory):
    """The store after every job has run, the runs' results, and the truth."""
    root = tmp_path_factory.mktemp("chain") / AWKWARD
    truth = write_small_study(root)
    return DataStore(root), run_chain(root), truth


def test_every_asset_of_every_partition_is_published_and_intact(chain):
    store, results, _ = chain
    assert all(result.success for result in results.values())
    published = sorted((store.root / "assets").rglob("manifest.json"))
    for path in published:
        partition = path.parent.relative_to(store.root / "assets").as_posix().split("/", 1)
        store.open(partition[0], partition[1] if len(partition) > 1 else None)
    assert len(published) > 30


@pytest.mark.parametrize("label", RECIPES)
def test_a_recipe_names_all_that_is_read(chain, label):
    store, _, _ = chain
    asset, partition = key_of(label)
    recipe = store.manifest(asset, partition).recipe
    inputs, config = RECIPES[label]
    assert (set(recipe.inputs), set(recipe.config)) == (inputs, config)
    graph = build_definitions(store.root).resolve_asset_graph()
    assert recipe.code_version == graph.get(dg.AssetKey(asset)).code_version


@pytest.mark.parametrize("label", RECIPES)
def test_every_slice_that_was_read_can_be_compared_with_what_stands(chain, label):
    """By its name in the recipe; after a whole chain it is the same. Files are not compared."""
    store, _, _ = chain
    manifest = store.manifest(*key_of(label))
    slices = read_by(Standing(store, load_study(store.study_file)), manifest)
    read = {k: v for k, v in manifest.recipe.inputs.items() if k not in FILES.get(label, ())}
    assert {name: slices[name].digest() for name in read} == read


def test_after_a_whole_chain_everything_agrees(chain):
    store, _, _ = chain
    assert read_history(store, load_study(store.study_file)).left_out == {}


JOINT = "joint_evaluation[northmere]"
ALL = {JOINT, *(f"lsoa_evaluation[{pair}]" for pair in PAIRS[:2])}
OTHER_DECILE = {"decile": lambda t: t["decile"].where(t["city"] != "northmere", 11 - t["decile"])}
MADE_AGAIN = {
    "lsoa_labels": (ALL, OTHER_DECILE),
    "street_images[northmere]": (ALL, {"size_bytes": lambda t: t["size_bytes"] + 1}),
    "locations[northmere]": (ALL, {"weight": lambda t: t["weight"] + 1}),
    "area_folds[northmere]": (ALL, {"fold": lambda t: (t["fold"] + 1) % 3}),
    "image_codes[northmere/001]": (ALL, {}),
    "image_repeats[northmere]": (ALL, {}),
    "joint_model[northmere]": ({JOINT}, {}),
    f"trained_model[{PAIRS[1]}]": ({f"lsoa_evaluation[{PAIRS[1]}]"}, {}),
}


@pytest.mark.parametrize("label", MADE_AGAIN)
def test_a_part_of_the_chain_that_was_made_again_alone_marks_what_rests_on_it(
    chain, tmp_path, label
):
    """Each time another listing, location, label, code, fold or network; tuned ones aside."""
    marked, changes = MADE_AGAIN[label]
    store = DataStore(tmp_path / "study")
    shutil.copytree(chain[0].root / "assets", store.root / "assets")
    shutil.copy(chain[0].study_file, store.study_file)
    publish_again(store, *key_of(label), changes=changes)
    left_out = read_history(store, load_study(store.study_file)).left_out
    assert {name for name in left_out if "evaluation" in name} == marked
    assert all(label in {each.read for each in left_out[name]} for name in marked)


def test_no_blocking_check_failed(chain):
    _, results, _ = chain
    checks = [c for result in results.values() for c in result.get_asset_check_evaluations()]
    assert len(checks) > 100
    assert [c.check_name for c in checks if c.severity.value == "ERROR" and not c.passed] == []


def test_locations_are_accounted_for_at_every_step(chain):
    store, _, truth = chain
    for city in ("northmere", "saltbridge"):
        listed = truth.locations[truth.locations["city"] == city]["location_id"]
        images = store.open("street_images", city).table()
        assert set(images["location_id"]) == set(listed)
        record = store.open("hdf5_shards", city).manifest.read_record(ShardsRecord)
        assert record.n_listed == len(listed)
        assert record.n_extracted + record.n_rejected + record.n_missing == len(listed)


def test_planted_faults_are_counted_by_their_reasons(chain):
    store, _, truth = chain
    planted = set(truth.locations["fault"]) & {"truncated", "not_an_image", "missing_view"}
    reasons = {
        reason
        for city in ("northmere", "saltbridge")
        for reason in store.manifest("hdf5_shards", city).read_record(ShardsRecord).without_codes
    }
    assert planted
    assert planted <= reasons


@pytest.mark.parametrize("pair", PAIRS)
def test_every_prediction_is_out_of_fold_and_of_a_known_area(chain, pair):
    store, _, truth = chain
    city = pair.split("/")[0]
    predictions = store.open("location_predictions", pair).table()
    folds = store.open("area_folds", city).table().set_index("lsoa11")["fold"]
    own = truth.locations.set_index("location_id")["lsoa11"]
    assert len(predictions)
    assert predictions["location_id"].is_unique
    assert (predictions["location_id"].map(own) == predictions["lsoa11"]).all()
    assert (predictions["lsoa11"].map(folds) == predictions["fold"]).all()


@pytest.mark.parametrize("pair", PAIRS)
def test_labels_reach_the_predictions_unchanged(chain, pair):
    store, _, _ = chain
    city, outcome = pair.split("/")
    labels = store.open("lsoa_labels").table()
    labels = labels[(labels["city"] == city) & (labels["outcome"] == outcome)]
    expected = labels.set_index("lsoa11")["decile"]
    areas = store.open("lsoa_predictions", pair).table()
    assert (areas["lsoa11"].map(expected) == areas["actual_decile"]).all()


@pytest.mark.parametrize("pair", PAIRS)
def test_no_figure_of_the_network_stands_without_the_coordinates(chain, pair):
    store, _, _ = chain
    metrics = store.open("lsoa_evaluation", pair).table("metrics.parquet")
    of_network = set(metrics.loc[metrics["model"] == "network", "metric"])
    study_folds = metrics["scheme"] == load_study(store.study_file).folds.scheme
    beside = metrics[(metrics["model"] == "map_knn") & study_folds]
    unlike = {"rps", "moran_i_errors", "moran_p_errors"}  # of probabilities and of errors
    unlike |= {"interval_coverage", "interval_width"}
    assert of_network - set(beside["metric"]) <= unlike


def test_joint_networks_stand_beside_the_separate_ones(chain):
    store, _, _ = chain
    table = store.open("joint_evaluation", "northmere").table()
    assert set(table["model"]) == {"joint_network"}
    assert set(table["outcome"]) == {"living_environment", "mean_income"}
    report = next((store.root / "assets" / "inequality_report").rglob("report.html"))
    text = report.read_text(encoding="utf-8")
    assert "Network of all outcomes" in text
    assert "One network trained on all of the city" in text


def test_networks_are_transferred_to_the_other_city(chain):
    store, _, _ = chain
    tuned = store.open("fine_tuned_model", "saltbridge/living_environment")
    runs = tuned.table("tuning_runs.parquet")
    assert set(runs["share"]) == {0.0, 0.75, 1.0}
    curve = store.open("transfer_report").table()
    assert set(curve["city"]) == {"saltbridge"}
    assert set(curve["network"]) == {"fine_tuned", "trained_here", "map_knn"}
    report = next((store.root / "assets" / "inequality_report").rglob("report.html"))
    assert "Another city's networks" in report.read_text(encoding="utf-8")


def test_networks_travel_as_a_bundle_and_predict_without_labels(chain, tmp_path):
    """Trained on one city, exported, and applied to the other city's images."""
    store, _, _ = chain
    bundle, target = tmp_path / "crime.streetineq", tmp_path / "predicted.csv"
    root = ["--root", str(store.root)]
    exported = CLI.invoke(app, ["model", "export", PAIRS[0], str(bundle), *root])
    assert exported.exit_code == 0, exported.output
    assert "without metrics" not in exported.output
    predicted = CLI.invoke(app, ["model", "predict", str(bundle), "saltbridge", str(target), *root])
    assert predicted.exit_code == 0, predicted.output
    frame = pd.read_csv(target, dtype={"location_id": "str"})
    listed = store.open("hdf5_shards", "saltbridge").table("rows.parquet")["location_id"]
    assert set(frame["location_id"]) == set(listed)
    assert frame["decile"].between(1, 10).all()


def test_an_unknown_pair_is_named_with_those_that_there_are(chain, tmp_path):
    store, _, _ = chain
    asked = ["model", "export", "leeds/crime", str(tmp_path / "x"), "--root", str(store.root)]
    result = CLI.invoke(app, asked)
    assert result.exit_code == 1
    assert "northmere/living_environment" in result.stderr


def test_all_thirteen_outcomes_are_labelled_in_the_large_city(chain):
    store, _, _ = chain
    labels = store.open("lsoa_labels").table()
    counts = labels[labels["city"] == "northmere"].groupby("outcome")["lsoa11"].nunique()
    assert len(counts) == 13
    assert set(counts) == {20}


def test_the_report_and_the_summary_say_synthetic(chain):
    store, _, _ = chain
    report = store.open("inequality_report").file("report.html").read_text(encoding="utf-8")
    assert "Synthetic" in report
    assert any("SYNTHETIC" in line for line in summary_lines(store))


def test_the_warehouse_answers(chain):
    store, _, _ = chain
    path = store.open("warehouse").file("streetineq.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        areas = connection.execute(
            "SELECT city, outcome, count(*) AS n FROM lsoa_predictions GROUP BY ALL ORDER BY ALL"
        ).df()
    assert [f"{row.city}/{row.outcome}" for row in areas.itertuples()] == PAIRS


# Cheap to make again, and all that follows is skipped only if they are the same.
MADE_ALIKE = ("postcode_lsoa", "lsoa_labels", "locations", "area_folds")


@pytest.mark.slow
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


def test_a_finished_study_has_nothing_to_clean(chain):
    store, _, _ = chain
    assert examine_leftovers(store, load_study(store.study_file)) == ([], [])


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


@pytest.mark.slow
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
    assert all(columns[view.name] == [*view.schema.names, PARTITION] for view in WAREHOUSE_VIEWS)
    return counts


def test_tables_open_in_pandas(chain):
    store, _, _ = chain
    path = store.root / "assets/lsoa_labels"
    files = list(path.rglob("lsoa_labels.parquet"))
    assert len(files) == 1
    assert pd.read_parquet(files[0])["decile"].between(1, 10).all()


@pytest.mark.slow
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


AFTER_INPUTS = [
    ("image_codes", "northmere/000"),
    ("hdf5_shards", "northmere"),
    ("area_folds", "northmere"),
    ("joint_model", "northmere"),
    ("trained_model", "northmere/mean_income"),
    ("baseline_scores", "northmere/mean_income"),
    ("location_predictions", "northmere/mean_income"),
    ("lsoa_predictions", "northmere/mean_income"),
    ("lsoa_evaluation", "northmere/mean_income"),
    ("equity_audit", "northmere/mean_income"),
    ("joint_evaluation", "northmere"),
    ("data_audit", "northmere"),
    ("fine_tuned_model", "saltbridge/living_environment"),
    ("transfer_report", None),
    ("inequality_report", None),
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


@pytest.mark.slow
def test_what_is_lost_on_purpose_upstream_costs_nothing_further_down(chain, tmp_path):
    """Each step asks for itself: labels and lists went with consent, and nothing else goes."""
    store = DataStore(shutil.copytree(chain[0].root, tmp_path / "study"))
    for name in ("census_2011", "iod_2015", "household_income", "locations", "images"):
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
    "census_2011",
    "iod_2015",
    "household_income",
    "onspd",
    "boundaries",
    "locations/northmere.csv",
    "images/northmere",
    "images/saltbridge",
]


@pytest.mark.slow
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
