"""The demo's chain in little: from official files and images to report and warehouse.

It runs below folders of awkward names. Two synthetic cities of 20 and 15 LSOAs, one location each,
small images, a small encoder, and networks that hardly learn. What is asked here is that the parts
fit; how well such cities can be predicted is asked of the demo (`newcomer`), and what becomes
of a finished study in `test_finished_study`.
"""

import shutil

import dagster as dg
import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cleaning import (
    examine_leftovers,
)
from streetineq_assets.cli import app
from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.definitions import build_definitions
from streetineq_assets.demo.summary import summary_lines
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.reports.history import read_history
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.chain import PAIRS
from streetineq_tests.chain_recipes import RECIPES
from streetineq_tests.harness import publish_again

CLI = CliRunner()


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


def test_every_column_that_another_is_said_to_be_made_of_is_there_and_upstream(chain):
    """Official files have the columns of their publishers; all else has a schema."""
    store, results, _ = chain
    made = [e for result in results.values() for e in result.get_asset_materialization_events()]
    shown = {e.asset_key.to_user_string(): e.materialization.metadata for e in made}
    columns = {
        asset: {column.name for column in metadata["dagster/column_schema"].value.columns}
        for asset, metadata in shown.items()
        if "dagster/column_schema" in metadata
    }
    graph = build_definitions(store.root).resolve_asset_graph()
    followed = set()
    for asset, metadata in shown.items():
        if "dagster/column_lineage" not in metadata:
            continue
        followed.add(asset)
        for name, made_of in metadata["dagster/column_lineage"].value.deps_by_column.items():
            assert name in columns[asset], (asset, name)
            for dep in made_of:
                assert dep.asset_key in graph.get(dg.AssetKey(asset)).parent_keys, (asset, dep)
                source = dep.asset_key.to_user_string()
                assert source not in columns or dep.column_name in columns[source], (asset, dep)
    assert {"lsoa_labels", "trained_model", "lsoa_predictions", "lsoa_evaluation"} <= followed


def test_a_decile_is_followed_to_the_headings_of_the_official_files(chain):
    _, results, _ = chain
    (made,) = (
        e
        for result in results.values()
        for e in result.get_asset_materialization_events()
        if e.asset_key == dg.AssetKey("lsoa_labels")
    )
    lineage = made.materialization.metadata["dagster/column_lineage"].value.deps_by_column
    read = {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage["decile"]}
    assert ("iod", "Living Environment Rank (where 1 is most deprived)") in read
    assert ("household_income", "Mean 2012/13") in read
    assert {asset for asset, _ in read} == {"iod", "household_income"}


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
    folds = store.open("area_folds", city).table().set_index("area")["fold"]
    own = truth.locations.set_index("location_id")["area"]
    assert len(predictions)
    assert predictions["location_id"].is_unique
    assert (predictions["location_id"].map(own) == predictions["area"]).all()
    assert (predictions["area"].map(folds) == predictions["fold"]).all()


@pytest.mark.parametrize("pair", PAIRS)
def test_what_pushes_a_score_is_told_of_every_prediction_with_pictures(chain, pair):
    """From files and archives, of the very images that were encoded: all of them may be shown."""
    store, _, _ = chain
    predictions, told = store.open("location_predictions", pair), store.open("explanations", pair)
    ids = told.table()["location_id"].tolist()
    assert ids == predictions.table()["location_id"].tolist()
    shown = told.table("exemplars.parquet")
    assert set(shown["direction"]) == {"up", "down"}
    assert shown["why_not_shown"].isna().all()
    assert shown["thumbnail"].map(lambda data: data.startswith(b"\xff\xd8")).all()


@pytest.mark.parametrize("pair", PAIRS)
def test_labels_reach_the_predictions_unchanged(chain, pair):
    store, _, _ = chain
    city, outcome = pair.split("/")
    labels = store.open("lsoa_labels").table()
    labels = labels[(labels["city"] == city) & (labels["outcome"] == outcome)]
    expected = labels.set_index("area")["decile"]
    areas = store.open("lsoa_predictions", pair).table()
    assert (areas["area"].map(expected) == areas["actual_decile"]).all()


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
    counts = labels[labels["city"] == "northmere"].groupby("outcome")["area"].nunique()
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
        exemplars = connection.table("exemplars").columns
    assert [f"{row.city}/{row.outcome}" for row in areas.itertuples()] == PAIRS
    assert {"view", "influence", "partition_key"} < set(exemplars)
    assert "thumbnail" not in exemplars


def test_a_finished_study_has_nothing_to_clean(chain):
    store, _, _ = chain
    assert examine_leftovers(store, load_study(store.study_file)) == ([], [])


def test_tables_open_in_pandas(chain):
    store, _, _ = chain
    path = store.root / "assets/lsoa_labels"
    files = list(path.rglob("lsoa_labels.parquet"))
    assert len(files) == 1
    assert pd.read_parquet(files[0])["decile"].between(1, 10).all()
