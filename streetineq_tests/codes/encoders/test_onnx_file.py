"""Networks in ONNX files: codes, their input, and files that are refused."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from PIL import Image
from pydantic import ValidationError

from streetineq_assets.codes.encoders import onnx_file
from streetineq_assets.codes.encoders.loading import load_encoder, weights_input
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.preprocess import decode
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import OnnxEncoder
from streetineq_assets.errors import SourceError, SourceMissingError, StudyError
from streetineq_tests.codes.encoders import formulas, onnx_networks
from streetineq_tests.codes.encoders.onnx_networks import CHANNELS, SIDE, WIDTH, compute, weights

CPU = Device(kind="cpu")


def settings(name="n.onnx", **changed):
    return OnnxEncoder(family="onnx", weights=name, batch_size=8, **changed)


@pytest.fixture
def build(tmp_path):
    """Writes a network and builds it: what it takes, then what study.toml says."""

    def build(wanted=None, **network):
        onnx_networks.write(tmp_path / "n.onnx", **network)
        return onnx_file.build(wanted or settings(), tmp_path, 0)

    return build


def images(count, seed=0):
    normal = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE, 3))
    return normal.astype(np.float32)


class TestCodes:
    @pytest.mark.parametrize("channels_last", [False, True], ids=["nchw", "nhwc"])
    @pytest.mark.parametrize("batch", ["n", 1, 3, 8], ids="batch {}".format)
    def test_they_are_the_networks_in_any_layout_and_batch(self, build, channels_last, batch):
        network = build(channels_last=channels_last, batch=batch)
        codes = network.forward(images(8))
        assert (codes.shape, codes.dtype) == ((8, WIDTH), np.float32)
        assert (network.width, network.input_shape) == (WIDTH, (SIDE, SIDE, 3))
        np.testing.assert_allclose(codes, compute(images(8), weights())["code"], atol=1e-5)

    @pytest.mark.parametrize("channels_last", [False, True], ids=["nchw", "nhwc"])
    @pytest.mark.parametrize(
        ("output", "pooling", "pooled"),
        [
            ("tokens", "mean", lambda each: each.mean(axis=1)),
            ("tokens", "cls", lambda each: each[:, 0]),
            ("map", "mean", lambda each: each.mean(axis=(1, 2))),
        ],
        ids=["mean of tokens", "first token", "mean of a map"],
    )
    def test_several_vectors_are_pooled(self, build, output, pooling, pooled, channels_last):
        wanted = settings(output=output, pooling=pooling)
        outputs = ("map", "tokens", "code")
        network = build(wanted, outputs=outputs, channels_last=channels_last)
        expected = pooled(compute(images(8), weights())[output])
        assert expected.shape == (8, CHANNELS)
        np.testing.assert_allclose(network.forward(images(8)), expected, atol=1e-5)
        assert network.layer == f"{output}, {pooling}"

    def test_float16_comes_out_as_float32(self, build):
        codes = build(half=True).forward(images(8))
        assert codes.dtype == np.float32
        np.testing.assert_allclose(codes, compute(images(8), weights())["code"], atol=0.05)

    def test_they_are_the_same_in_any_company_and_again(self, build, tmp_path):
        build()
        encoder, batch = load_encoder(settings(), root=tmp_path, seed=0, device=CPU), images(8)
        alone = np.zeros_like(batch)
        alone[5] = batch[2]
        codes = encoder.encode(batch)
        np.testing.assert_array_equal(codes, encoder.encode(batch))
        np.testing.assert_allclose(encoder.encode(alone)[5], codes[2], atol=1e-6)

    def test_cuda_is_used_where_a_gpu_is_leased_and_the_runtime_has_it(self, monkeypatch):
        import onnxruntime
        import tensorflow as tf

        assert onnx_file._providers() == ["CPUExecutionProvider"]
        names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
        assert onnx_file._providers() == ["CPUExecutionProvider"]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
        assert onnx_file._providers()[0] == ("CUDAExecutionProvider", {"use_tf32": 0})


class TestIdentity:
    def test_it_says_what_was_loaded(self, build, tmp_path):
        build()
        identity = load_encoder(settings(), root=tmp_path, seed=0, device=CPU).identity
        sha256 = hashlib.sha256((tmp_path / "n.onnx").read_bytes()).hexdigest()
        assert identity.weights_sha256 == weights_input(settings(), tmp_path, 0) == sha256
        assert (identity.family, identity.backbone, identity.layer) == ("onnx", "small", "code")
        assert (identity.input_px, identity.width) == (SIDE, WIDTH)
        assert identity.licence == "", "nobody states one"
        assert EncoderIdentity.from_attributes(identity.attributes) == identity

    def test_a_stated_licence_is_its(self, build, tmp_path):
        build()
        stated = settings(licence="MIT")
        assert load_encoder(stated, root=tmp_path, seed=0, device=CPU).identity.licence == "MIT"

    def test_weights_are_counted(self, build):
        assert build().n_parameters == sum(each.size for each in weights().values())

    @pytest.mark.parametrize(
        "changed",
        [
            {"resize_px": 40},
            {"fit": "stretch"},
            {"interpolation": "bicubic"},
            {"scale": 0.5},
            {"mean": (0.0, 0.0, 0.1)},
            {"sd": (1.0, 1.0, 1.1)},
            {"channels": "bgr"},
        ],
        ids=lambda changed: "{} {}".format(*next(iter(changed.items()))),
    )
    def test_all_of_the_preprocessing_is_in_its_words(self, build, changed):
        before, after = build(), build(settings(input=changed))
        assert before.preprocessing.name != after.preprocessing.name


class TestPreprocessing:
    MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    @pytest.fixture
    def wanted(self):
        normalised = {"scale": 1 / 255, "mean": self.MEAN, "sd": self.SD}
        return lambda **changed: settings(input=normalised | changed)

    @pytest.fixture(params=[(90, 131), (131, 90), (77, 77), (24, 50)], ids="{0[0]} x {0[1]}".format)
    def picture(self, request):
        """A smooth scene with noise."""
        height, width = request.param
        y, x = np.mgrid[:height, :width] / 131
        scene = np.stack([np.sin(9 * x) + y, np.cos(7 * y * x), x * y], axis=-1)
        noise = np.random.default_rng(0).normal(0, 0.1, scene.shape)
        return Image.fromarray(((scene + noise + 1) * 90).clip(0, 255).astype(np.uint8))

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("resize_px", [SIDE, 37, 40], ids="short side {}".format)
    def test_it_is_the_formulas(self, build, wanted, picture, interpolation, resize_px):
        """The short side to `resize_px`, the long side cut off to whole pixels, the middle."""
        chosen = wanted(resize_px=resize_px, interpolation=interpolation)
        prepared = build(chosen).preprocessing.prepare(decode(picture, least_px=None))
        assert (prepared.shape, prepared.dtype) == ((SIDE, SIDE, 3), np.float32)
        short = min(picture.size)
        width, height = (int(resize_px * side / short) for side in picture.size)
        scaled = formulas.resample(
            np.asarray(picture), height, width, kernel=interpolation, antialias=True
        ).clip(0, 255)
        top, left = round((height - SIDE) / 2), round((width - SIDE) / 2)
        expected = scaled[top : top + SIDE, left : left + SIDE]
        levels = (prepared * np.array(self.SD) + self.MEAN) * 255
        np.testing.assert_allclose(levels, levels.round(), atol=1e-3, err_msg="whole grey levels")
        # Pillow rounds to whole levels after each of two passes.
        assert np.abs(levels - expected).max() < 1.2
        assert np.abs(levels - expected).mean() < 0.4

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("resize_px", [SIDE, 37], ids="short side {}".format)
    def test_it_is_torchvisions(self, build, wanted, picture, interpolation, resize_px):
        transforms = pytest.importorskip("torchvision.transforms")
        theirs = transforms.Compose(
            [
                transforms.Resize(resize_px, transforms.InterpolationMode(interpolation)),
                transforms.CenterCrop(SIDE),
                transforms.ToTensor(),
                transforms.Normalize(self.MEAN, self.SD),
            ]
        )
        chosen = wanted(resize_px=resize_px, interpolation=interpolation)
        prepared = build(chosen).preprocessing.prepare(decode(picture, least_px=None))
        expected = theirs(picture).numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(prepared, expected, atol=1e-5)

    def test_a_picture_may_be_stretched(self, build, picture):
        """As Hugging Face's processors of ViT and SigLIP do."""
        stretched = build(settings(input={"fit": "stretch"})).preprocessing
        prepared = stretched.prepare(decode(picture, least_px=None))
        expected = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(prepared, np.asarray(expected))
        assert f"all to {SIDE} px" in stretched.name

    def test_blue_may_come_first(self, build, wanted, picture):
        decoded = decode(picture, least_px=None)
        rgb = build(settings()).preprocessing.prepare(decoded)
        bgr = build(settings(input={"channels": "bgr", "mean": (1, 2, 3)})).preprocessing.prepare
        np.testing.assert_array_equal(bgr(decoded), rgb[..., ::-1] - np.array([1, 2, 3]))

    def test_grey_levels_stay_as_they_are_by_default(self, build, picture):
        square = picture.resize((SIDE, SIDE))
        prepared = build().preprocessing.prepare(decode(square, least_px=None))
        np.testing.assert_array_equal(prepared, np.asarray(square))

    def test_several_threads_may_prepare_at_once(self, build, picture):
        prepare = build().preprocessing.prepare
        decoded = [decode(picture, least_px=None)] * 30
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(prepare, decoded))
        np.testing.assert_array_equal(found, [prepare(decoded[0])] * 30)


class TestBadInput:
    @pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
    def test_no_onnx_runtime(self, tmp_path, monkeypatch, name):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(StudyError, match="uv sync --extra onnx"):
            onnx_file.build(settings(), tmp_path, 0)

    def test_no_file(self, tmp_path):
        for check in (weights_input, onnx_file.build):
            with pytest.raises(SourceMissingError, match=r"n\.onnx is missing.*encoder\.weights"):
                check(settings(), tmp_path, 0)

    def test_another_sha256_than_the_study_names(self, build):
        with pytest.raises(SourceError, match=r"n\.onnx has the sha256 .*0000"):
            build(settings(weights_sha256="0" * 64))

    @pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x08\x07"], ids=str)
    def test_no_onnx_file(self, tmp_path, content):
        (tmp_path / "n.onnx").write_bytes(content)
        with pytest.raises(SourceError, match=r"n\.onnx is no ONNX file"):
            onnx_file.build(settings(), tmp_path, 0)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_file_that_was_cut_off(self, build, tmp_path, share):
        build()
        path = tmp_path / "n.onnx"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(SourceError, match=r"n\.onnx is no ONNX file, or was cut off"):
            onnx_file.build(settings(), tmp_path, 0)

    def test_two_inputs(self, tmp_path):
        onnx_networks.write_two_inputs(tmp_path / "n.onnx")
        with pytest.raises(SourceError, match=r"takes 2 inputs \(images, text\), expected one"):
            onnx_file.build(settings(), tmp_path, 0)

    @pytest.mark.parametrize("sides", [("h", "w"), (32, "w"), (32, 64)], ids=str)
    def test_no_one_size_of_images(self, build, sides):
        with pytest.raises(SourceError, match=rf"{sides[0]} x {sides[1]} pixels, expected one"):
            build(sides=sides)

    def test_input_that_is_no_image(self, tmp_path):
        import onnx
        from onnx import TensorProto, helper

        ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 77])
        node = helper.make_node("Identity", ["ids"], ["out"])
        out = helper.make_tensor_value_info("out", TensorProto.INT64, None)
        graph = helper.make_graph([node], "text", [ids], [out])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        onnx.save(model, tmp_path / "n.onnx")
        with pytest.raises(SourceError, match=r"its input ids is tensor\(int64\) of shape"):
            onnx_file.build(settings(), tmp_path, 0)

    def test_weights_in_another_file(self, build):
        external = {"save_as_external_data": True, "location": "n.data", "size_threshold": 0}
        with pytest.raises(SourceError, match="weights in another file"):
            build(**external)

    def test_weights_that_are_not_numbers(self, build):
        arrays = weights()
        arrays["matrix"][0, 0] = np.nan
        with pytest.raises(SourceError, match="weights of matrix are not numbers"):
            build(arrays=arrays)

    def test_codes_that_are_not_numbers(self, build):
        arrays = weights()
        arrays["matrix"][:] = np.inf
        with pytest.raises(SourceError, match="no code of finite numbers"):
            build(arrays=arrays)

    def test_an_operation_that_the_runtime_lacks(self, tmp_path):
        import onnx
        from onnx import TensorProto, helper

        shape = ["n", 3, SIDE, SIDE]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "ab"]
        node = helper.make_node("Unheard", ["a"], ["b"], domain="org.example")
        graph = helper.make_graph([node], "own", ends[:1], ends[1:])
        versions = [helper.make_opsetid("", 18), helper.make_opsetid("org.example", 1)]
        onnx.save(helper.make_model(graph, opset_imports=versions), tmp_path / "n.onnx")
        with pytest.raises(SourceError, match=r"cannot run .*Unheard"):
            onnx_file.build(settings(), tmp_path, 0)

    def test_several_outputs(self, build):
        with pytest.raises(StudyError, match=r"encoder\.output is not stated.*map, code"):
            build(outputs=("map", "code"))

    def test_an_output_that_is_not_there(self, build):
        with pytest.raises(StudyError, match=r"encoder\.output is 'pooled'.*are code"):
            build(settings(output="pooled"))

    @pytest.mark.parametrize(
        ("output", "pooling", "expected"),
        [
            ("code", "mean", "expected no pooling"),
            ("tokens", None, 'expected "cls" or "mean"'),
            ("map", None, 'expected "mean"'),
            ("map", "cls", 'expected "mean"'),
        ],
    )
    def test_a_pooling_that_does_not_fit(self, build, output, pooling, expected):
        with pytest.raises(StudyError, match=rf"encoder\.pooling .*{expected}"):
            build(settings(output=output, pooling=pooling), outputs=(output,))

    def test_a_part_of_a_stretched_picture(self):
        with pytest.raises(ValidationError, match="delete them"):
            settings(input={"fit": "stretch", "resize_px": 40})

    @pytest.mark.parametrize("key", ["crop_px", "resize_px"])
    def test_a_size_that_does_not_fit(self, build, key):
        with pytest.raises(StudyError, match=rf"encoder\.input\.{key} is 16.* 32 pixels"):
            build(settings(input={key: 16}))
