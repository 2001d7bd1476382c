"""The encoder's identity: what it is made of, how it is compared, where it is written."""

import hashlib
import json

import numpy as np
import pytest

from streetineq_assets.codes.bucket_file import Bucket, Contents, Rejection, write_bucket
from streetineq_assets.codes.identity import EncoderIdentity, require_encoder, require_one_encoder
from streetineq_assets.errors import TrainingError
from streetineq_tests.codes.fakes import IDENTITY, WIDTH

CHANGES = [
    {"family": "hub"},
    {"backbone": "other"},
    {"input_px": 299},
    {"layer": "fc7"},
    {"preprocessing": "suel2019"},
    {"weights_sha256": "1" * 64},
    {"mixed_precision": True},
    {"width": 7},
]


def changed(**changes):
    return IDENTITY.model_copy(update=changes)


@pytest.mark.parametrize("changes", CHANGES)
def test_everything_but_the_name_of_the_weights_tells_encoders_apart(changes):
    other = changed(**changes)
    ((name, mine, theirs),) = IDENTITY.differences(other)
    assert (name, theirs) == next(iter(changes.items()))
    assert mine != theirs
    assert not IDENTITY.is_same(other)


def test_a_renamed_weight_file_is_the_same_encoder_and_so_is_one_of_which_the_licence_is_known():
    assert IDENTITY.is_same(changed(weights="file"))
    assert IDENTITY.is_same(changed(licence="MIT"))


@pytest.mark.parametrize("changes", CHANGES)
def test_codes_of_another_encoder_are_refused_by_what_differs(changes):
    (name,) = changes
    with pytest.raises(TrainingError, match=name):
        require_encoder(IDENTITY, changed(**changes))
    with pytest.raises(TrainingError, match=rf"leeds.*{name}.*london"):
        require_one_encoder({"leeds": IDENTITY, "york": IDENTITY, "london": changed(**changes)})


def test_codes_of_one_encoder_pass():
    require_encoder(IDENTITY, changed(weights="file"))
    require_one_encoder({"leeds": IDENTITY, "london": changed(weights="file")})
    require_one_encoder({})


def test_it_survives_hdf5s_types():
    attributes = {name: np.asarray(value)[()] for name, value in IDENTITY.attributes.items()}
    attributes |= {"backbone": b"fake", "synthetic": np.bool_(True)}
    assert EncoderIdentity.from_attributes(attributes) == IDENTITY
    del attributes["mixed_precision"]
    assert EncoderIdentity.from_attributes(attributes).mixed_precision is False


def test_what_came_later_is_an_attribute_only_where_it_says_something():
    assert not {"family", "input_px", "licence"} & IDENTITY.attributes.keys()
    other = changed(family="hub", input_px=518, licence="Apache-2.0")
    assert EncoderIdentity.from_attributes(other.attributes) == other
    assert other.attributes.keys() - IDENTITY.attributes.keys() == {"family", "input_px", "licence"}
    assert "licence" not in other.covered, "who states it later changes no content"


def test_a_buckets_digest_covers_the_seven_attributes_and_all_the_rest(tmp_path):
    """As earlier versions made it, so that unfinished parts of an existing study stay valid."""
    names = ("backbone", "layer", "preprocessing", "weights", "weights_sha256")
    ids, hashes = ["1", "2"], [["a" * 64] * 4, ["b" * 64] * 4]
    codes = np.arange(2 * 4 * WIDTH, dtype=np.float32).reshape(2, 4, WIDTH)
    rejections = [Rejection("3", "a", "missing_view")]
    contents = Contents(ids, np.array(hashes), IDENTITY, rejections, {"synthetic": True})
    found = write_bucket(tmp_path / "codes.h5", contents, [codes[:1], codes[1:]])
    seven = {name: getattr(IDENTITY, name) for name in names}
    seven |= {"mixed_precision": False, "width": WIDTH}
    covered = [seven, ids, hashes, [["3", "a", "missing_view"]]]
    expected = hashlib.sha256(json.dumps(covered, sort_keys=True).encode())
    expected.update(codes.tobytes())
    assert found == expected.hexdigest()
    with Bucket(tmp_path / "codes.h5") as bucket:
        assert bucket.digest == found
        assert bucket.is_intact()
        assert bucket.contents.identity == IDENTITY
        assert dict(bucket.contents.attributes) == {"synthetic": True}
