"""Which arithmetic encodes VGG16's fc6 on a CPU, and what the UI is told of it."""

import os
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from streetineq_assets.codes import encoders
from streetineq_assets.codes.encoders import fc6_on_cpu, loading, winograd_kernels
from streetineq_assets.codes.encoders.fc6_on_cpu import compile_fc6, count_threads
from streetineq_assets.codes.encoders.loading import load_encoder
from streetineq_assets.devices import Device
from streetineq_assets.encoder_settings import KerasEncoder as Settings
from streetineq_tests.codes.encoders.winograd_weights import (
    heavy_tailed,
    some_images,
    thin_shapes,
)

CPU = Device(kind="cpu")
FC6 = Settings(weights="random", batch_size=5)


class ThinModel:
    """Stands for the Keras model: weights by layer."""

    weights = heavy_tailed(thin_shapes())

    def get_layer(self, name):
        return SimpleNamespace(get_weights=lambda: list(self.weights[name]))


@pytest.fixture
def imported_anew(monkeypatch):
    """The modules that need Numba, as in a process that has not met them."""
    for name in ("winograd", "winograd_kernels"):
        monkeypatch.delitem(sys.modules, f"{encoders.__name__}.{name}", raising=False)
        monkeypatch.delattr(encoders, name, raising=False)
    return monkeypatch


@pytest.fixture
def without_numba(imported_anew):
    """As where it is not installed, or was made for another NumPy."""
    imported_anew.setitem(sys.modules, "numba", None)


def test_numba_encodes_with_a_quarter_of_the_multiplications():
    encode, values = compile_fc6(ThinModel(), batch_size=4)
    assert values == {"arithmetic": "winograd F(4x4,3x3)"}
    assert encode(some_images(4)).shape == (4, 256)


def test_a_cache_that_cannot_be_used_is_said(monkeypatch):
    uncached = SimpleNamespace(stats=SimpleNamespace(cache_path=None))
    monkeypatch.setattr(winograd_kernels, "convolve", uncached)
    encode, values = compile_fc6(ThinModel(), batch_size=4)
    assert encode is not None
    assert "NUMBA_CACHE_DIR" in values["why_compiled"]


class TestTensorFlowEncodes:
    def test_without_numba(self, without_numba):
        encode, values = compile_fc6(ThinModel(), batch_size=4)
        assert encode is None
        assert values["arithmetic"] == "direct"
        assert "Numba" in values["why_direct"]
        assert "numba" in values["why_direct"].split(":")[1], "the reason that Python gives"

    def test_where_numba_makes_no_machine_code(self, imported_anew):
        imported_anew.setattr(numba.config, "DISABLE_JIT", 1)
        assert "NUMBA_DISABLE_JIT" in compile_fc6(ThinModel(), batch_size=4)[1]["why_direct"]

    def test_on_processors_that_are_too_old(self, imported_anew):
        imported_anew.setattr(platform, "machine", lambda: "x86_64")
        imported_anew.setattr(numba.config, "CPU_FEATURES", "+sse4.2,+avx")
        encode, values = compile_fc6(ThinModel(), batch_size=4)
        assert encode is None
        assert "multiply and add" in values["why_direct"]

    def test_where_this_numba_does_not_compile_it(self, imported_anew):
        def fails(*function, **how):
            if how:
                raise numba.core.errors.LoweringError("no such intrinsic")
            return function[0]

        imported_anew.setattr(numba, "njit", fails)
        why = compile_fc6(ThinModel(), batch_size=4)[1]["why_direct"]
        assert "no such intrinsic" in why

    def test_over_several_devices(self):
        encode, values = compile_fc6(ThinModel(), batch_size=4, parts=2)
        assert encode is None
        assert "several devices" in values["why_direct"]


class TestThreads:
    def test_one_for_each_core_that_this_process_may_use(self, monkeypatch):
        monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6}, raising=False)
        assert count_threads() == 3
        monkeypatch.delattr(os, "sched_getaffinity")
        monkeypatch.setattr(os, "cpu_count", lambda: 4)
        assert count_threads() == 4
        monkeypatch.setattr(os, "cpu_count", lambda: 500)
        assert count_threads() == fc6_on_cpu._MOST_THREADS

    def test_or_as_many_as_tensorflow_is_told(self, monkeypatch):
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
        assert count_threads() == 1


@pytest.mark.slow
class TestLoading:
    def test_a_study_on_a_cpu_is_encoded_so(self, monkeypatch):
        encoder = load_encoder(FC6, root=Path(), seed=3, device=CPU)
        assert encoder.values["arithmetic"] == "winograd F(4x4,3x3)"
        assert encoder.batch_size == 8
        images = some_images(8)
        fast = np.asarray(encoder.encode(images))
        monkeypatch.setattr(
            loading, "compile_fc6", lambda *_, **__: (None, {"arithmetic": "direct"})
        )
        direct = load_encoder(FC6, root=Path(), seed=3, device=CPU)
        assert direct.values == encoder.values | {"arithmetic": "direct"}
        assert direct.identity == encoder.identity, "codes of the two can stand in one table"
        exact = np.asarray(direct.encode(images))
        assert np.abs(fast - exact).max() < 1e-5 * np.abs(exact).max()

    def test_without_numba_it_is_encoded_by_tensorflow(self, without_numba):
        encoder = load_encoder(FC6, root=Path(), seed=3, device=CPU)
        assert encoder.values["arithmetic"] == "direct"
        assert np.asarray(encoder.encode(some_images(8))).shape == (8, 4096)
