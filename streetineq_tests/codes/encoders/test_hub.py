"""Image encoders of KerasHub: codes, their input, and presets that are refused."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

pytest.importorskip("keras_hub")

from PIL import Image

from streetineq_assets.codes.encoders import hub
from streetineq_assets.codes.encoders.loading import load_encoder, weights_input
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.preprocess import decode
from streetineq_assets.devices import Device, arithmetic
from streetineq_assets.encoder_settings import HubEncoder
from streetineq_assets.errors import SourceError, SourceMissingError, StudyError
from streetineq_tests.codes.encoders import formulas, presets
from streetineq_tests.codes.encoders.presets import KINDS, N_LEADING, PROJECTED, SIDE, WIDTH

CPU = Device(kind="cpu")
EMBEDS = {"clip": PROJECTED, "siglip": WIDTH}


@pytest.fixture(scope="module")
def root(presets_root):
    """A study's folder with a preset of each kind."""
    return presets_root


@pytest.fixture(scope="module")
def backbones(root):
    """Each preset as KerasHub itself loads it."""
    from keras_hub.models import Backbone

    return {kind: Backbone.from_preset(str(root / kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def network(root):
    """A preset's network by kind and pooling, built once."""
    return cache(lambda kind, pooling=None: hub.build(settings(kind, pooling=pooling), root, 0))


@pytest.fixture
def copied(root, tmp_path):
    """A preset to change: its folder, in a study's folder of its own."""

    def copy(kind="vit"):
        shutil.copytree(root / kind, tmp_path / kind)
        return tmp_path / kind

    return copy


def settings(kind, **changed):
    return HubEncoder(family="hub", weights=kind, batch_size=8, **changed)


def build(folder, **changed):
    return hub.build(settings(folder.name, **changed), folder.parent, 0)


def images(count, seed=0):
    normal = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE, 3))
    return normal.astype(np.float32)


def tokens(kind, backbone, batch):
    """All tokens after the last normalisation, by KerasHub's own call."""
    import keras

    if kind == "siglip":
        vision = backbone.vision_encoder
        return np.asarray(keras.Model(vision.inputs[0], vision.post_layer_norm.output)(batch))
    vision = getattr(backbone, "vision_encoder", backbone)
    name = "pixel_values" if kind == "dinov3" else "images"
    return np.asarray(vision(batch if kind in ("vit", "deit") else {name: batch}))


class TestCodes:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_mean_is_of_the_tokens_of_patches(self, network, backbones, kind):
        batch = images(4)
        n_patches = (SIDE // 14) ** 2
        patches = tokens(kind, backbones[kind], batch)[:, N_LEADING[kind] :]
        assert patches.shape == (4, n_patches, WIDTH)
        codes = np.asarray(network(kind, "mean").forward(batch))
        np.testing.assert_allclose(codes, patches.mean(axis=1), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "siglip"])
    def test_the_class_token_is_the_first(self, network, backbones, kind):
        expected = tokens(kind, backbones[kind], images(4))[:, 0]
        codes = np.asarray(network(kind, "cls").forward(images(4)))
        np.testing.assert_allclose(codes, expected, atol=1e-5)

    @pytest.mark.parametrize("kind", EMBEDS)
    def test_an_embedding_is_the_networks_own(self, network, backbones, kind):
        expected = np.asarray(backbones[kind].get_vision_embeddings(images(4)))
        assert expected.shape == (4, EMBEDS[kind])
        codes = np.asarray(network(kind, "embedding").forward(images(4)))
        np.testing.assert_allclose(codes, expected, atol=1e-5)

    @pytest.mark.parametrize("kind", KINDS)
    def test_pooling_is_the_publishers_by_default(self, network, kind):
        assert network(kind).layer == ("embedding" if kind in EMBEDS else "cls")
        assert network(kind).width == EMBEDS.get(kind, WIDTH)

    @pytest.mark.parametrize("kind", KINDS)
    def test_compiled_they_are_the_same_in_any_company_and_again(self, root, network, kind):
        encoder, batch = load_encoder(settings(kind), root=root, seed=0, device=CPU), images(8)
        alone = np.zeros_like(batch)
        alone[5] = batch[2]
        codes = np.asarray(encoder.encode(batch))
        assert (codes.shape, codes.dtype) == ((8, encoder.width), np.float32)
        np.testing.assert_array_equal(codes, np.asarray(encoder.encode(batch)))
        np.testing.assert_allclose(np.asarray(encoder.encode(alone))[5], codes[2], atol=2e-6)
        eager = np.asarray(network(kind).forward(batch))
        np.testing.assert_allclose(codes, eager, atol=2e-5)

    def test_text_encoders_do_not_count(self, network, backbones):
        expected = backbones["clip"].vision_encoder.count_params() + WIDTH * PROJECTED
        assert network("clip").n_parameters == expected

    @pytest.mark.parametrize("kind", ["dinov3", "clip"])
    def test_float16_is_that_of_all_of_its_parts(self, root, kind):
        with arithmetic(mixed=True):
            network = hub.build(settings(kind), root, 0)
        assert network.forward.output.dtype == "float16"
        exact, codes = (
            hub.build(settings(kind), root, 0).forward(images(4)),
            network.forward(images(4)),
        )
        change = np.abs(np.asarray(codes, dtype=np.float32) - np.asarray(exact))
        assert 0 < change.max() < 0.05


class TestIdentity:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_says_what_was_loaded(self, root, kind):
        identity = load_encoder(settings(kind), root=root, seed=0, device=CPU).identity
        assert identity.family == "hub"
        assert identity.backbone == f"{KINDS[kind][0]}Backbone"
        assert identity.input_px == SIDE
        assert identity.weights == "file"
        assert identity.weights_sha256 == weights_input(settings(kind), root, 0)
        assert EncoderIdentity.from_attributes(identity.attributes) == identity

    def test_its_preprocessing_names_all_that_the_converter_does(self, network):
        words = network("clip").preprocessing.name
        name, _, rest = words.partition(" ")
        assert name == "CLIPImageConverter"
        assert json.loads(rest) == {
            "antialias": True,
            "crop_to_aspect_ratio": True,
            "image_size": [SIDE, SIDE],
            "interpolation": "bicubic",
            "offset": [-mean / sd for mean, sd in zip(presets.MEAN, presets.SD, strict=True)],
            "pad_to_aspect_ratio": False,
            "scale": [1 / 255 / sd for sd in presets.SD],
        }

    def test_licences_are_the_publishers(self, network):
        licences = {kind: network(kind).licence for kind in KINDS}
        assert licences["clip"] == "MIT"
        assert licences["dinov3"] == "LicenseRef-DINOv3"
        others = {licences[kind] for kind in KINDS if kind not in ("clip", "dinov3")}
        assert others == {"Apache-2.0"}

    def test_the_digest_is_of_what_decides_codes(self, copied):
        folder = copied("vit")
        before = weights_input(settings("vit"), folder.parent, 0)
        (folder / "README.md").write_text("a card")
        (folder / "metadata.json").write_text("{}")
        (folder / "tokenizer.json").write_text("{}")
        moved = folder.rename(folder.with_name("moved"))
        assert weights_input(settings("moved"), moved.parent, 0) == before
        presets.make_converter("vit", interpolation="bicubic").save_to_preset(moved)
        assert weights_input(settings("moved"), moved.parent, 0) != before

    def test_another_sha256_than_the_study_names(self, root):
        stated = settings("vit", weights_sha256="0" * 64)
        with pytest.raises(SourceError, match=r"vit has the sha256 .*0000"):
            hub.build(stated, root, 0)


class TestPreprocessing:
    """KerasHub's own converter on the decoded picture, and the formula of what it does."""

    @pytest.fixture
    def picture(self):
        """A smooth scene with noise, wider than high."""
        y, x = np.mgrid[:90, :131] / 131
        scene = np.stack([np.sin(9 * x) + y, np.cos(7 * y * x), x * y], axis=-1)
        noise = np.random.default_rng(0).normal(0, 0.1, scene.shape)
        return Image.fromarray(((scene + noise + 1) * 90).clip(0, 255).astype(np.uint8))

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_the_converters(self, network, kind, picture):
        prepare = network(kind).preprocessing.prepare
        mine = prepare(decode(picture, least_px=None))
        assert (mine.shape, mine.dtype) == ((SIDE, SIDE, 3), np.float32)
        theirs = presets.make_converter(kind)(np.asarray(picture)[None])
        np.testing.assert_allclose(mine, np.asarray(theirs)[0], atol=1e-5)

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_the_formulas(self, network, kind, picture):
        prepare = network(kind).preprocessing.prepare
        scaling = KINDS[kind][1]
        pixels = np.asarray(picture)
        if scaling.get("crop_to_aspect_ratio", True):
            pixels = pixels[:, (131 - 90) // 2 :][:, :90]
        kernel, antialias = (
            scaling.get("interpolation", "bilinear"),
            scaling.get("antialias", False),
        )
        formula = formulas.resample(pixels, SIDE, SIDE, kernel=kernel, antialias=antialias)
        prepared = prepare(decode(picture, least_px=None))
        levels = (prepared * np.array(presets.SD) + presets.MEAN) * 255
        np.testing.assert_allclose(levels, levels.round(), atol=1e-3, err_msg="whole grey levels")
        # TensorFlow takes the kernel of plain bicubic interpolation from a table of 1,024 places.
        table = 0.1 if kernel == "bicubic" and not antialias else 0.0
        assert np.abs(levels - formula.clip(0, 255)).max() < 0.5 + table + 1e-3

    def test_jpegs_are_decoded_at_full_size(self, network):
        assert network("vit").preprocessing.least_px is None

    def test_several_threads_may_prepare_at_once(self, network, picture):
        prepare = network("clip").preprocessing.prepare
        flipped = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        decoded = [decode(each, least_px=None) for each in (picture, flipped)] * 20
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(prepare, decoded))
        for each, by_itself in zip(found, map(prepare, decoded), strict=True):
            np.testing.assert_array_equal(each, by_itself)


class TestBadInput:
    def test_no_keras_hub(self, root, monkeypatch):
        monkeypatch.setitem(sys.modules, "keras_hub", None)
        with pytest.raises(StudyError, match="uv sync --extra hub"):
            hub.build(settings("vit"), root, 0)

    def test_no_folder(self, tmp_path):
        with pytest.raises(SourceMissingError, match=r"nowhere is missing.*save_to_preset"):
            weights_input(settings("nowhere"), tmp_path, 0)

    @pytest.mark.parametrize("name", ["config.json", "image_converter.json", "model.weights.h5"])
    def test_a_folder_without_one_of_its_files(self, copied, name):
        folder = copied()
        (folder / name).unlink()
        for check in (
            lambda: build(folder),
            lambda: weights_input(settings(folder.name), folder.parent, 0),
        ):
            with pytest.raises(SourceError, match=rf"has no {name}"):
                check()

    @pytest.mark.parametrize("name", ["config.json", "image_converter.json", "model.weights.h5"])
    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_a_file_that_was_cut_off(self, copied, name, share):
        folder = copied()
        path = folder / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(SourceError, match=r"copy|save"):
            build(folder)

    def test_weights_in_several_files(self, copied, backbones):
        folder = copied()
        whole = build(folder)
        (folder / "model.weights.h5").unlink()
        backbones["vit"].save_weights(folder / "model.weights.json", max_shard_size=4e-5)
        parts = sorted(folder.glob("model_*.weights.h5"))
        assert len(parts) > 1
        again, batch = build(folder), images(2)
        np.testing.assert_array_equal(again.forward(batch), whole.forward(batch))
        parts[-1].unlink()
        with pytest.raises(SourceError, match=rf"has no {parts[-1].name}"):
            build(folder)

    def test_weights_of_another_network(self, copied, root):
        folder = copied("vit")
        shutil.copy(root / "deit/model.weights.h5", folder)
        with pytest.raises(SourceError, match="no whole KerasHub preset"):
            build(folder)

    @pytest.mark.parametrize("name", ["BertBackbone", "SegFormerBackbone"])
    def test_a_preset_of_another_task(self, copied, name):
        folder = copied()
        config = json.loads((folder / "config.json").read_text())
        config |= {"class_name": name, "registered_name": f"keras_hub>{name}"}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(SourceError, match=rf"{name}, which is no image encoder.*CLIPBackbone"):
            build(folder)

    @pytest.mark.parametrize(
        ("module", "name"), [("keras.layers", "Lambda"), ("os", "system"), ("theirs", "Encoder")]
    )
    def test_parts_that_run_code_are_named_and_never_made(self, copied, monkeypatch, module, name):
        import keras

        folder = copied("clip")
        config = json.loads((folder / "config.json").read_text())
        config["config"]["text_encoder"] |= {"module": module, "class_name": name}
        (folder / "config.json").write_text(json.dumps(config))
        monkeypatch.setattr(
            keras.saving, "deserialize_keras_object", lambda *_: pytest.fail("made")
        )
        with pytest.raises(SourceError, match=f"has {name}, which would run code"):
            build(folder)

    def test_a_folder_of_hugging_face(self, tmp_path):
        (tmp_path / "hf").mkdir()
        (tmp_path / "hf/config.json").write_text('{"model_type": "dinov2"}')
        with pytest.raises(SourceError, match=r"Hugging Face \(dinov2\).*save_to_preset"):
            build(tmp_path / "hf")

    @pytest.mark.parametrize(
        ("kind", "pooling", "expected"),
        [
            ("dinov2", "embedding", "cls or mean"),
            ("vit", "embedding", "cls or mean"),
            ("siglip", "cls", "embedding or mean"),
        ],
    )
    def test_a_pooling_that_the_backbone_lacks(self, root, kind, pooling, expected):
        with pytest.raises(StudyError, match=rf"encoder\.pooling is '{pooling}'.*{expected}"):
            hub.build(settings(kind, pooling=pooling), root, 0)

    def test_a_class_token_that_the_backbone_lacks(self, tmp_path):
        from keras_hub.models import ViTBackbone

        backbone = ViTBackbone(
            image_shape=(SIDE, SIDE, 3),
            patch_size=14,
            num_layers=1,
            num_heads=2,
            hidden_dim=WIDTH,
            mlp_dim=32,
            use_class_token=False,
        )
        backbone.save_to_preset(tmp_path / "vit")
        presets.make_converter("vit").save_to_preset(tmp_path / "vit")
        assert build(tmp_path / "vit").layer == "mean"
        with pytest.raises(StudyError, match=r"'cls'.*expected mean"):
            build(tmp_path / "vit", pooling="cls")

    def test_a_converter_of_another_size(self, copied):
        folder = copied()
        presets.make_converter("vit", image_size=(56, 56)).save_to_preset(folder)
        with pytest.raises(SourceError, match=r"makes pictures of 56 x 56 .* takes 28 x 28"):
            build(folder)

    def test_weights_that_are_not_numbers(self, copied, backbones):
        folder = copied()
        variable = backbones["vit"].weights[-1]
        before = variable.numpy()
        variable.assign(np.full(before.shape, np.nan))
        backbones["vit"].save_weights(folder / "model.weights.h5")
        variable.assign(before)
        with pytest.raises(SourceError, match="not all finite"):
            build(folder)
