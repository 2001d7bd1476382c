"""Bundles: what they hold, predicting with them elsewhere, and what they refuse."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.errors import SourceError, TrainingError
from streetineq_assets.models import binomial
from streetineq_assets.models.bundles.bundle import (
    Bundle,
    export_bundle,
    import_bundle,
    in_sample,
    open_bundle,
    predict,
)
from streetineq_assets.models.bundles.model_card import model_card
from streetineq_assets.models.dataset import Codes, open_codes
from streetineq_assets.models.network import build_network
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study
from streetineq_tests import studies
from streetineq_tests.harness import publish
from streetineq_tests.models.bundles import trained_study, with_description, with_members
from streetineq_tests.models.synthetic import ArrayReader, city

pytestmark = pytest.mark.usefixtures("plain_steps")

METRICS = pd.DataFrame(
    {
        "model": ["network", "map_knn"],
        "scheme": "area",
        "metric": "kappa_quadratic",
        "value": [0.71, 0.55],
        "lower": [0.6, np.nan],
        "upper": [0.8, np.nan],
        "n_lsoas": 50,
    }
)


def new_codes(codes: np.ndarray, present: np.ndarray | None = None) -> Codes:
    """Codes of locations `new0`, `new1`, ..., by the encoder of the study."""
    ids = np.array([f"new{n}" for n in range(len(codes))], dtype=object)
    reader = ArrayReader(codes, ids, present=present)
    reader.attributes = studies.ENCODER.attributes | {"synthetic": True}
    return Codes(reader, 2**30)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    return trained_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def bundle(store: DataStore, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    target = tmp_path_factory.mktemp("bundles") / "crime.streetineq"
    return open_bundle(export_bundle(store, Pair("alpha", "crime"), target, METRICS))


def test_it_says_what_it_is(bundle: Bundle) -> None:
    about = bundle.about
    assert (about["city"], about["outcome"]) == ("alpha", "crime")
    assert about["encoder"]["weights_sha256"] == "0" * 64
    assert about["encoder"]["width"] == studies.WIDTH
    assert about["folds"] == [0, 1, 2, 3, 4]
    assert [edge["decile"] for edge in about["decile_edges"]] == list(range(1, 11))
    assert about["training"]["recipe"]["inputs"]["alpha/hdf5_shards"]
    assert about["metrics"][0]["value"] == 0.71
    with zipfile.ZipFile(bundle.path) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    assert "| network | area | kappa_quadratic | 0.710 | 0.600 to 0.800 | 50 |" in card
    assert "| map_knn | area | kappa_quadratic | 0.550 | undefined to undefined | 50 |" in card
    assert "synthetic" in card
    assert "150 locations in 50 areas of Alpha; 5 folds of whole areas" in card


@pytest.mark.parametrize(
    ("scheme", "trained_on", "texts"),
    [
        ("location", {"alpha": "Alpha"}, ["5 folds of single locations", "the label leaks"]),
        ("holdout", {"alpha": "Alpha"}, ["one split of whole areas"]),
        (
            "city",
            {"beta": "Beta", "hamlet": "Hamlet"},
            ["areas of Beta, Hamlet; Alpha was left out", "relative to the areas of Beta, Hamlet."],
        ),
    ],
)
def test_the_card_says_how_they_were_split_and_who_was_learned_from(
    bundle: Bundle, scheme: str, trained_on: dict, texts: list[str]
) -> None:
    record = bundle.about["record"] | {"scheme": scheme}
    card = model_card(bundle.about | {"record": record, "trained_on": trained_on})
    assert "folds of whole areas" not in card
    assert all(text in " ".join(card.split()) for text in texts), card


def test_predictions_are_the_mean_of_the_networks(store: DataStore, bundle: Bundle) -> None:
    codes = open_codes([store.open("hdf5_shards", "alpha")], 2**30)
    table = predict(bundle, codes)
    assert table["location_id"].tolist() == codes.reader.location_ids.tolist()
    features = codes.reader.read()
    each = [np.asarray(network(features))[:, 0] for network in bundle.networks().values()]
    np.testing.assert_allclose(table["h"], np.mean(each, axis=0), atol=1e-5)
    np.testing.assert_allclose(table.filter(like="p_").sum(axis=1), 1, atol=1e-5)


def test_the_predicted_decile_is_the_most_probable_one(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `location_predictions`, also for a head whose mean score falls elsewhere."""
    corn = bundle.description.profile.model_copy(update={"head": "corn"})
    network = build_network(corn, studies.WIDTH)
    monkeypatch.setattr(Bundle, "networks", lambda _, **__: {0: network})
    description = bundle.description.model_copy(update={"profile": corn})
    other = Bundle(bundle.path, bundle.about, description)
    table = predict(other, new_codes(city(60, 1, studies.WIDTH, seed=9)[0]))
    p = table.filter(like="p_").to_numpy()
    assert (table["decile"] == p.argmax(axis=1) + 1).all()
    assert (table["decile"] != binomial.decile(table["h"].to_numpy())).any()


@pytest.mark.parametrize("views", [1, 4])
def test_codes_of_other_views_are_scored_by_those_that_are_there(
    bundle: Bundle, views: int
) -> None:
    """Networks of four views score one, and four of which some are absent."""
    features = city(60, 1, studies.WIDTH, seed=9)[0][:, :views]
    present = np.random.default_rng(0).random(features.shape[:2]) < 0.5
    present[:, 0] = True
    table = predict(bundle, new_codes(np.where(present[..., None], features, 0), present))
    networks = bundle.networks(views=views, masked=True).values()
    each = [np.asarray(network([features, present]))[:, 0] for network in networks]
    np.testing.assert_allclose(table["h"], np.mean(each, axis=0), atol=1e-5)


def test_codes_that_are_not_finite_are_named(bundle: Bundle) -> None:
    codes, _ = city(3, 100, studies.WIDTH, seed=9)
    codes[280, 2, 5] = np.nan
    with pytest.raises(TrainingError, match=r"codes of location new280 are not finite .*again"):
        predict(bundle, new_codes(codes))


def test_new_images_need_no_label_and_another_machine_no_study(
    bundle: Bundle, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere.streetineq"
    moved.write_bytes(bundle.path.read_bytes())
    codes, _ = city(7, 1, studies.WIDTH, seed=9)
    assert len(predict(open_bundle(moved), new_codes(codes))) == 7


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weights_sha256", "1" * 64),
        ("layer", "fc7"),
        ("width", 96),
        ("preprocessing", "suel2019"),
        ("mixed_precision", True),
    ],
)
def test_codes_of_another_encoder_are_refused(bundle: Bundle, key: str, value: object) -> None:
    codes, _ = city(3, 1, studies.WIDTH, seed=9)
    mine, other = new_codes(codes), new_codes(codes)
    mine.reader.attributes["weights"] = "another name for the same"
    assert len(predict(bundle, mine)) == 3
    other.reader.attributes[key] = value
    with pytest.raises(TrainingError, match=f"{key} .*{value}"):
        predict(bundle, other)


def test_a_damaged_bundle_names_the_member(bundle: Bundle, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.streetineq"
    with zipfile.ZipFile(bundle.path) as old, zipfile.ZipFile(spoilt, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[:-1] + b"x" if name == "fold_2.keras" else content)
    with pytest.raises(SourceError, match=r"fold_2\.keras is damaged"):
        open_bundle(spoilt)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no model bundle at"):
        open_bundle(tmp_path / "absent.streetineq")
    text = tmp_path / "text.streetineq"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(SourceError, match="is not a model bundle"):
        open_bundle(text)
    other = tmp_path / "other.streetineq"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "a zip, but not ours")
    with pytest.raises(SourceError, match="is not a model bundle"):
        open_bundle(other)
    later = tmp_path / "later.streetineq"
    with zipfile.ZipFile(later, "w") as archive:
        archive.writestr("bundle.json", json.dumps({"format_version": 99, "members": {}}))
    with pytest.raises(SourceError, match="install a later streetineq"):
        open_bundle(later)


def test_predicting_from_the_command_line_fails_in_one_sentence(
    store: DataStore, bundle: Bundle, tmp_path: Path
) -> None:
    nothing = pd.DataFrame({"shard": [], "row": [], "location_id": []})
    publish(store, "hdf5_shards", "hamlet", rows=nothing)
    for city_key, target, message in [
        ("alpha", tmp_path / "absent" / "x.csv", f"there is no folder {tmp_path / 'absent'}"),
        ("hamlet", tmp_path / "x.csv", "no location of hamlet has codes: put images"),
        ("nowhere", tmp_path / "x.csv", "nowhere is no city of the study"),
    ]:
        asked = ["model", "predict", str(bundle.path), city_key, str(target)]
        result = CliRunner().invoke(app, [*asked, "--root", str(store.root)])
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
    asked = ["model", "predict", str(bundle.path), "alpha", str(tmp_path / "x.csv")]
    assert CliRunner().invoke(app, [*asked, "--root", str(store.root)]).exit_code == 0
    assert len(pd.read_csv(tmp_path / "x.csv")) == 150


@pytest.mark.parametrize(
    ("key", "authority", "seen"),
    [
        ("alpha", None, True),  # the study that taught them
        ("aleph", None, True),  # the same place by another name
        ("alpha", "E08000999", False),  # another place by the same name
    ],
)
def test_predictions_of_the_city_that_taught_the_networks_are_marked(
    store: DataStore, bundle: Bundle, tmp_path: Path, key: str, authority: str | None, seen: bool
) -> None:
    """In what the command prints, in each row, and in the card."""
    (own,) = load_study(store.study_file).cities["alpha"].authorities
    text = store.study_file.read_text(encoding="utf-8")
    text = text.replace("cities.alpha", f"cities.{key}").replace(own, authority or own)
    other = studies.new_study(tmp_path / "other", text)
    codes = store.open("hdf5_shards", "alpha")
    ids = codes.table("rows.parquet")["location_id"].tolist()
    reader = open_codes([codes], 2**30).reader
    studies.publish_shards(other, key, reader.read(), ids)
    target = tmp_path / "x.csv"
    asked = ["model", "predict", str(bundle.path), key, str(target)]
    result = CliRunner().invoke(app, [*asked, "--root", str(other.root)])
    assert result.exit_code == 0, result.output
    assert pd.read_csv(target)["in_sample"].tolist() == [seen] * 150
    assert ("in sample" in result.stderr) == seen
    with zipfile.ZipFile(bundle.path) as archive:
        card = " ".join(archive.read("MODEL_CARD.md").decode().split())
    assert "Predicting Alpha: the networks have seen the deciles of Alpha" in card


def test_a_bundle_of_an_earlier_version_is_known_by_its_citys_key(
    bundle: Bundle, tmp_path: Path
) -> None:
    earlier = open_bundle(with_description(bundle, tmp_path / "e.streetineq", authorities=None))
    assert earlier.description.learned_from("alpha", ["E09000101"])
    assert not earlier.description.learned_from("aleph", ["E09000101"])


def as_a_later_keras(content: bytes) -> bytes:
    """A saved network with a layer that this Keras does not know."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "config.json":
                config = json.loads(text)
                config["config"]["layers"][1]["class_name"] = "NotInventedYet"
                text = json.dumps(config).encode()
            if name == "metadata.json":
                text = json.dumps({"keras_version": "9.8.7"}).encode()
            new.writestr(name, text)
    return target.getvalue()


def test_a_bundle_of_a_later_keras_is_refused_in_one_sentence(
    store: DataStore, bundle: Bundle, tmp_path: Path
) -> None:
    """On import, and on predicting from one that was imported before."""
    later = with_members(bundle, tmp_path / "later.streetineq", as_a_later_keras)
    for asked in (
        ["import", str(later)],
        ["predict", str(later), "alpha", str(tmp_path / "x.csv")],
    ):
        result = CliRunner().invoke(app, ["model", *asked, "--root", str(store.root)])
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert f"{later}: fold_0.keras was saved by Keras 9.8.7" in result.stderr
        assert "NotInventedYet" in result.stderr
    assert not store.inputs("models").exists()


def test_it_lists_the_areas_that_taught_its_networks(store: DataStore, bundle: Bundle) -> None:
    labels = store.open("lsoa_labels").table().query("city == 'alpha' and outcome == 'crime'")
    assert bundle.areas == set(labels["area"])
    assert bundle.description.n_areas == 50
    with zipfile.ZipFile(bundle.path) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    assert "lists the 50 areas that taught them" in card


def test_a_bundle_of_an_earlier_format_opens_and_its_areas_are_not_known(
    bundle: Bundle, tmp_path: Path
) -> None:
    earlier = open_bundle(
        with_description(bundle, tmp_path / "e.streetineq", n_areas=None, format_version=3)
    )
    assert earlier.areas is None
    assert earlier.networks().keys() == bundle.networks().keys()
    assert "is not known" in model_card(bundle.about | {"n_areas": None})


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"n_areas": 49}, "lists 50 areas, bundle.json says 49"), ({"n_areas": 0}, "n_areas = 0")],
)
def test_a_wrong_number_of_areas_is_named(
    bundle: Bundle, tmp_path: Path, changed: dict, message: str
) -> None:
    wrong = with_description(bundle, tmp_path / "wrong.streetineq", **changed)
    with pytest.raises(SourceError, match=message):
        _ = open_bundle(wrong).areas


def test_locations_are_in_sample_by_their_areas(bundle: Bundle, tmp_path: Path) -> None:
    taught = min(bundle.areas)
    places = pd.DataFrame({"location_id": ["a", "b"], "area": [taught, "E99"]})
    ids = pd.Series(["b", "a", "nowhere"])
    assert in_sample(bundle, ids, places, by_city=True).tolist() == [False, True, True]
    assert in_sample(bundle, ids, places, by_city=False).tolist() == [False, True, False]
    assert in_sample(bundle, ids, None, by_city=True).all(), "no area of any is known"
    earlier = open_bundle(with_description(bundle, tmp_path / "e.streetineq", n_areas=None))
    assert not in_sample(earlier, ids, places, by_city=False).any()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"city": None, "encoder": None}, "it lacks city, encoder"),
        ({"trained_on": None}, "it lacks trained_on"),
        ({"trained_on": {"..": "Up"}}, r"trained_on\.\.\. .*must be of a-z"),
        ({"city": "../../../escaped"}, r"city = \"\.\./\.\./\.\./escaped\": must be of a-z"),
        ({"outcome": "crime/.."}, r"outcome = .*: must be of a-z"),
        ({"profile": {"epochs": 3}}, r"profile\.standardise is missing"),
        ({"folds": []}, r"folds = \[\]: .*at least 1 item"),
        ({"folds": [0, 9]}, r"no network fold_9\.keras among its members"),
    ],
)
def test_a_wrong_description_names_the_field_and_nothing_is_written(
    bundle: Bundle, tmp_path: Path, changed: dict, message: str
) -> None:
    wrong = with_description(bundle, tmp_path / "wrong.streetineq", **changed)
    with pytest.raises(SourceError, match=f"is not a model bundle .*{message}.*again"):
        import_bundle(wrong, DataStore(tmp_path / "study" / "deep"))
    assert list(tmp_path.iterdir()) == [wrong]


def test_import_puts_it_where_the_study_can_name_it(bundle: Bundle, tmp_path: Path) -> None:
    store = DataStore(tmp_path)
    target = import_bundle(bundle.path, store)
    assert target == tmp_path / "inputs" / "models" / "alpha_crime.streetineq"
    assert import_bundle(bundle.path, store) == target
    target.write_bytes(b"another")
    with pytest.raises(SourceError, match="move it away"):
        import_bundle(bundle.path, store)
