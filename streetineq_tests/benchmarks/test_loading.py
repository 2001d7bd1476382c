"""Benchmarks are run by hand and seldom: that they load is seen with every run of the tests."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_loads(name):
    assert importlib.import_module(f"{__package__}.{name}").main
