"""Licences of published weights."""

import pytest

from streetineq_assets.codes.encoders.hub import _TOWERS
from streetineq_assets.codes.encoders.licences import find_licence
from streetineq_assets.codes.encoders.publishers import of_application


@pytest.mark.parametrize(
    ("backbone", "licence"),
    [
        ("vgg16", "CC-BY-4.0"),
        ("VGG19", "CC-BY-4.0"),
        ("mobilenet", "Apache-2.0"),
        ("mobilenet_v2", "Apache-2.0"),
        ("mobilenet_v3_small", ""),
        ("resnet50", "MIT"),
        ("resnet50_v2", ""),
        ("resnet101", ""),
        ("densenet121", "BSD-3-Clause"),
        ("inception_v3", "Apache-2.0"),
        ("inception_resnet_v2", "Apache-2.0"),
        ("xception", "MIT"),
        ("convnext_tiny", ""),
    ],
)
def test_keras_states_those_of_its_older_networks(backbone, licence):
    assert of_application(backbone) == licence


def test_what_they_allow_is_known():
    stated = {tower.licence for tower in _TOWERS.values()} | {of_application("vgg16"), "MIT"}
    assert all(find_licence(each) for each in stated)
