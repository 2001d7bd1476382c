"""VGG16's fc6 by Winograd's algorithm: near the definition, and the same to the bit however cut."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streetineq_assets.codes.encoders import winograd, winograd_kernels
from streetineq_assets.codes.encoders.compiled import compile_model
from streetineq_assets.codes.encoders.vgg16 import build_encoder, random_weights, weight_shapes
from streetineq_assets.codes.encoders.winograd import (
    WinogradVgg16,
    aligned,
    aligned_copy,
    spread_kernel,
)
from streetineq_assets.devices import Device
from streetineq_tests.codes.encoders.vgg16_by_numpy import convolve, fc6_by_numpy, pool
from streetineq_tests.codes.encoders.winograd_weights import (
    heavy_tailed,
    some_images,
    thin_shapes,
)

# Numba's names for what Intel's processors have had since 2013 and AMD's since 2017.
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+popcnt,+sse4.2,+lzcnt,+movbe,+cx16",
}
# Numba would go on to the folder of its source, then to the user's.
NOWHERE = {
    "NUMBA_CACHE_DIR": "/dev/null/cache",
    "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
}
X86 = "avx2" in winograd_kernels.features()


def error(found, expected):
    """The largest error as a share of the largest code."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def convolve_by_winograd(image, kernel, bias, *, pooling):
    """One layer of one image (side, side, n_in), in blocks of two rows of tiles."""
    side, _, n_in = image.shape
    tiles, n_out = -(-side // 4), bias.size
    x, side_out = np.zeros((4 * tiles + 2, 4 * tiles + 2, n_in), np.float32), side
    x[1 : side + 1, 1 : side + 1] = image
    if pooling:
        side_out = side // 2
    y = aligned(side_out**2 * n_out)
    size = winograd_kernels.scratch_size(max(n_in, n_out), 2 * tiles)
    shape = (n_in, n_out, side, int(pooling), side_out, 0)
    images, weights = (aligned_copy(x), y), (spread_kernel(kernel), aligned_copy(bias))
    for row in range(0, tiles, 2):
        block = (0, 1, row, min(row + 2, tiles))
        scratch = aligned(size), aligned(size)
        winograd_kernels.convolve(images, weights, scratch, shape, block)
    return y.reshape(side_out, side_out, n_out)


@pytest.mark.parametrize("pooling", [False, True], ids=["plain", "pooled"])
@pytest.mark.parametrize(
    ("side", "n_in", "n_out"),
    [(4, 16, 64), (14, 64, 128), (18, 128, 64), (28, 48, 64), (2, 16, 64)],
)
def test_a_layer_is_that_of_the_definition(side, n_in, n_out, pooling):
    generator = np.random.default_rng(side)
    image = generator.normal(0, 1, (side, side, n_in)).astype(np.float32)
    kernel = generator.standard_t(4, (3, 3, n_in, n_out)).astype(np.float32)
    bias = generator.normal(0, 3, n_out).astype(np.float32)
    expected = convolve(image.astype(np.float64), kernel, bias)
    found = convolve_by_winograd(image, kernel, bias, pooling=pooling)
    assert error(found, pool(expected) if pooling else expected) < 1e-5
    assert (found >= 0).all()


def test_what_is_not_a_number_stays_so():
    """Or damaged weights would go unseen."""
    kernel, bias = np.full((3, 3, 16, 64), np.nan, np.float32), np.zeros(64, np.float32)
    found = convolve_by_winograd(np.ones((8, 8, 16), np.float32), kernel, bias, pooling=True)
    assert np.isnan(found).all()


@pytest.fixture(scope="module")
def thin():
    """The network with few channels, for some threads and sizes of batches."""
    weights = heavy_tailed(thin_shapes())

    def build(**how):
        return WinogradVgg16(weights.__getitem__, **{"batch_size": 8, "threads": 2} | how)

    build.weights = weights
    return build


@pytest.fixture(scope="module")
def codes(thin):
    """Of six images."""
    return thin()(some_images(6))


def test_codes_are_those_of_the_definition(thin, codes):
    expected = fc6_by_numpy(some_images(6)[5].astype(np.float64), thin.weights)
    assert codes.shape == (6, 256)
    assert codes.dtype == np.float32
    assert error(codes[5], expected) < 1e-5


class TestTheSameToTheBit:
    def test_again(self, thin, codes):
        encode = thin()
        assert np.array_equal(encode(some_images(6)), codes)
        assert np.array_equal(encode(some_images(6)), codes)

    @pytest.mark.parametrize("threads", [1, 3, 7])
    def test_with_other_threads(self, thin, codes, threads):
        assert np.array_equal(thin(threads=threads)(some_images(6)), codes)

    def test_in_other_places_of_a_batch(self, thin, codes):
        order = [3, 5, 0, 1, 4, 2]
        assert np.array_equal(thin()(some_images(6)[order]), codes[order])

    @pytest.mark.parametrize("batch_size", [1, 4, 5, 64])
    def test_in_other_batches(self, thin, codes, batch_size, monkeypatch):
        monkeypatch.setattr(winograd, "_MOST_IMAGES", 5)
        encode, images = thin(batch_size=batch_size), some_images(6)
        parts = [images[i : i + batch_size] for i in range(0, 6, batch_size)]
        assert np.array_equal(np.concatenate([encode(part) for part in parts]), codes)

    def test_beside_others_and_after_them(self, thin, codes):
        """Nothing is left over of what was encoded before, and padding with zeros does nothing."""
        encode = thin()
        encode(np.full((8, 224, 224, 3), 1e6, np.float32))
        padded = np.concatenate([some_images(6), np.zeros((2, 224, 224, 3), np.float32)])
        assert np.array_equal(encode(padded)[:6], codes)

    @pytest.mark.parametrize("blocks", [(1, 1), (3, 2), (14, 16)], ids=["small", "uneven", "large"])
    def test_in_other_blocks(self, thin, codes, blocks, monkeypatch):
        monkeypatch.setattr(winograd, "_BLOCKS", dict.fromkeys(winograd._BLOCKS, blocks))
        assert np.array_equal(thin()(some_images(6)), codes)

    def test_when_called_by_several_threads(self, thin, codes):
        encoders, images = [thin(), thin(threads=1)], some_images(6)
        with ThreadPoolExecutor(4) as pool_:
            for found in pool_.map(lambda number: encoders[number % 2](images), range(6)):
                assert np.array_equal(found, codes)


def in_a_process(file, threads="2", **environment):
    """The same codes, made by another process."""
    command = [sys.executable, "-m", "streetineq_tests.codes.encoders.winograd_weights"]
    done = subprocess.run(
        [*command, threads, str(file)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.load(file.with_suffix(".npy"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "SapphireRapids"},
        pytest.param(AVX2, marks=pytest.mark.skipif(not X86, reason="another processor")),
    ],
    ids=["Haswell's BLAS", "SapphireRapids' BLAS", "AVX2"],
)
def test_on_other_processors_codes_are_the_same_to_the_bit(tmp_path, codes, environment):
    assert np.array_equal(in_a_process(tmp_path / "codes", **environment), codes)


@pytest.mark.slow
class TestNumbasCache:
    def test_a_folder_that_cannot_be_written(self, tmp_path, codes):
        found = in_a_process(tmp_path / "codes", **NOWHERE)
        assert np.array_equal(found, codes)

    def test_numba_says_whether_there_is_one(self):
        script = "from streetineq_assets.codes.encoders.winograd_kernels import convolve; "
        script += "print(bool(convolve.stats.cache_path))"
        for environment, expected in ((NOWHERE, "False"), ({}, "True")):
            command = [sys.executable, "-c", script]
            found = subprocess.check_output(command, env=os.environ | environment)
            assert found.decode().strip() == expected

    @pytest.mark.parametrize(
        ("kind", "keep"), [("nbi", 100), ("nbc", 0)], ids=["index cut off", "code emptied"]
    )
    def test_damaged_files(self, tmp_path, codes, kind, keep):
        cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        in_a_process(tmp_path / "codes", **cache)
        files = list(tmp_path.glob(f"cache/**/*.{kind}"))
        assert files
        for file in files:
            file.write_bytes(file.read_bytes()[:keep])
        assert np.array_equal(in_a_process(tmp_path / "codes", **cache), codes)


FORK = """
import os, sys
import numpy as np
from streetineq_assets.codes.encoders.winograd import WinogradVgg16
from streetineq_tests.codes.encoders.winograd_weights import heavy_tailed, some_images, thin_shapes

encode = WinogradVgg16(heavy_tailed(thin_shapes()).__getitem__, batch_size=4, threads=2)
before = encode(some_images(4))
child = os.fork()
same = np.array_equal(encode(some_images(4)), before)
if not child:
    os._exit(0 if same else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows")
def test_a_forked_process_goes_on():
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["he_normal", "heavy_tailed"])
def test_at_real_size_codes_are_those_of_tensorflow_and_of_the_definition(kind):
    weights = dict(random_weights(7)) if kind == "he_normal" else heavy_tailed(weight_shapes())
    images = some_images(4)
    found = WinogradVgg16(weights.__getitem__, batch_size=4, threads=2)(images)
    model = build_encoder("random", 7)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    direct = np.asarray(compile_model(model, batch_size=4, device=Device(kind="cpu"))(images))
    assert error(found, direct) < 1e-5
    expected = fc6_by_numpy(images[0].astype(np.float64), weights)
    assert error(found[0], expected) < 1e-5
    assert error(found[0], expected) < 3 * error(direct[0], expected) + 1e-6
