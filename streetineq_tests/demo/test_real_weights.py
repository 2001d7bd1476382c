"""The demo with a file of weights: what it takes, where it puts it, and what it says of it."""

import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.demo import run
from streetineq_assets.demo.city import study_text
from streetineq_assets.demo.geography import towns
from streetineq_assets.demo.real_weights import RealWeights, in_words
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import SourceError, StudyError
from streetineq_assets.study import load_study


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    import keras

    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.GlobalAveragePooling2D(name="features")(inputs)
    path = tmp_path_factory.mktemp("weights") / "small.keras"
    keras.Model(inputs, outputs).save(path)
    return path


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """The demo without its runs, and of its cities the settings alone; returns what it says."""
    monkeypatch.setattr(run, "run_study", lambda *_: None)
    monkeypatch.setattr(run, "summary_lines", lambda _: ())

    def write_settings(root, *, encoder):
        cities = [town for town in towns({"x": 12}) if town.in_study]
        root.mkdir(exist_ok=True)
        (root / "study.toml").write_text(study_text(cities, 7, encoder or {}), encoding="utf-8")

    monkeypatch.setattr("streetineq_assets.demo.city.write_study", write_settings)

    def start(weights=None):
        lines = []
        run.run_demo(tmp_path / "demo", lines.append, weights)
        return lines

    start.root = tmp_path / "demo"
    return start


def test_the_file_lies_below_the_study_which_names_it(demo, file):
    lines = demo(RealWeights.of(file, "features"))
    sha256 = digest_file(file)
    assert lines[0].endswith(
        "the cities are synthetic, the network's weights are real (layer features of small.keras, "
        f"sha256 {sha256[:12]})."
    )
    study = load_study(demo.root / "study.toml")
    assert study.synthetic
    assert study.encoder.model_dump(exclude_unset=True) == {
        "family": "keras_file",
        "weights": "inputs/weights/small.keras",
        "layer": "features",
        "weights_sha256": sha256,
    }
    encoder = load_encoder(study.encoder, root=demo.root, seed=0, device=Device("cpu"))
    assert encoder.width == 3


def test_it_goes_on_where_it_was_with_the_same_weights_or_none_named(demo, file):
    first = demo(RealWeights.of(file, "features"))
    assert demo(RealWeights.of(file, "features")) == [first[0]]
    assert demo() == [first[0]]


def test_a_demo_of_other_weights_is_not_touched(demo, file):
    lines = demo()
    assert lines[0].endswith("the cities and the network's weights are synthetic.")
    before = (demo.root / "study.toml").read_bytes()
    with pytest.raises(StudyError, match=r"does not have the weights of .*small\.keras: name ano"):
        demo(RealWeights.of(file, "features"))
    assert (demo.root / "study.toml").read_bytes() == before
    assert not (demo.root / "inputs" / "weights" / "small.keras").exists()


def test_keras_s_weights_of_vgg16_are_the_paper_s_encoder(demo, tmp_path, monkeypatch):
    (tmp_path / "vgg16.h5").write_bytes(b"stands for 553 MB")
    monkeypatch.setattr("streetineq_assets.codes.encoders.vgg16.read_weights", lambda _: iter(()))
    demo(RealWeights.of(tmp_path / "vgg16.h5", "features"))
    encoder = load_study(demo.root / "study.toml").encoder
    assert encoder.is_fc6
    assert in_words(encoder).startswith("layer fc6 of vgg16.h5, sha256 ")


def test_files_that_are_no_network_are_refused_before_anything_is_written(tmp_path, file):
    for name in ("weights.h5", "weights.keras"):
        (tmp_path / name).write_bytes(b"none")
        with pytest.raises(SourceError, match="expected"):
            RealWeights.of(tmp_path / name, "features")
    (tmp_path / "weights.pth").write_bytes(b"none")
    with pytest.raises(StudyError, match=r"neither a network as Keras saves it \(\.keras\) nor"):
        RealWeights.of(tmp_path / "weights.pth", "features")
    with pytest.raises(StudyError, match=r"'fc6', which .*small\.keras does not have"):
        RealWeights.of(file, "fc6")


def test_the_command_line_says_so_in_one_message(tmp_path, file):
    def demo(*options):
        return CliRunner().invoke(app, ["demo", "--root", str(tmp_path / "demo"), *options])

    assert demo("--weights", str(tmp_path / "none.keras")).exit_code == 2
    result = demo("--weights", str(file), "--layer", "fc6")
    assert result.exit_code == 1
    assert result.stderr.startswith("streetineq: encoder.layer is 'fc6', which ")
    assert not (tmp_path / "demo").exists()
