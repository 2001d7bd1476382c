"""A published network as a file, once for all tests that open it."""

import pytest

from streetineq_tests.real_weights.efficientnet_lite0 import build_model


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """EfficientNet-Lite0 with its ImageNet weights, below a study's folder."""
    root = tmp_path_factory.mktemp("real_weights")
    (root / "inputs" / "weights").mkdir(parents=True)
    build_model().save(root / "inputs" / "weights" / "lite0.keras")
    return root / "inputs" / "weights" / "lite0.keras"
