"""`[encoder]` of study.toml: a family each with its own keys, and faults in words."""

import pytest

from streetineq_assets.encoder_settings import HubEncoder, ImportedEncoder, KerasEncoder
from streetineq_assets.errors import StudyError
from streetineq_assets.study import load_study
from streetineq_tests.test_study import MINIMAL, write

IMPORTED = 'family = "imported"\nname = "CLIP"\nlayer = "pooled"\npreprocessing = "own"\nwidth = 9'


def encoder(folder, text):
    return load_study(write(folder, f"{MINIMAL}\n[encoder]\n{text}\n")).encoder


def test_without_a_family_it_is_the_papers(tmp_path):
    found = encoder(tmp_path, "")
    assert isinstance(found, KerasEncoder)
    assert found.is_fc6
    assert not found.is_random


def test_a_family_has_its_own_settings(tmp_path):
    hub = encoder(tmp_path, 'family = "hub"\nweights = "inputs/weights/dinov2"\nbatch_size = 8')
    assert isinstance(hub, HubEncoder)
    assert hub.decisive == {"family": "hub", "pooling": None, "mixed_precision": False}
    assert isinstance(encoder(tmp_path, IMPORTED), ImportedEncoder)


def test_what_decides_the_codes_of_earlier_studies_is_named_as_before():
    names = {"backbone", "layer", "preprocessing", "mixed_precision"}
    assert KerasEncoder().decisive.keys() == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('family = "hubb"', r"encoder\.family.*hubb.*one of keras, .*did you mean hub\?"),
        ('backbne = "x"', r"encoder\.backbne is no setting; did you mean backbone\?"),
        ('family = "hub"', r"encoder\.weights is missing \(the preset's folder"),
        (
            'family = "onnx"\nweights = "a"\ninput.mea = 1',
            r"encoder\.input\.mea is no setting; did you mean mean\?",
        ),
        (f"{IMPORTED}\npooling = 1", r"encoder\.pooling is no setting"),
        ('family = "hub"\nweights = "../x"', r"encoder\.weights.*below the study's folder"),
        ("family = 3", r"encoder\.family = .3.: must be one of"),
    ],
    ids=["family", "key", "missing", "table", "other family", "folder", "number"],
)
def test_faults_name_the_key_and_no_family_between(tmp_path, text, expected):
    with pytest.raises(StudyError, match=expected):
        encoder(tmp_path, text)


def test_a_key_of_the_encoder_elsewhere_is_told_where_it_belongs(tmp_path):
    with pytest.raises(StudyError, match=r"backbone.*it belongs under \[encoder\]"):
        load_study(write(tmp_path, f'{MINIMAL}\n[shards]\nbackbone = "vgg16"\n'))
