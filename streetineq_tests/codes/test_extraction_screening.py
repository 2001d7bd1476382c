"""Pictures that show nothing: named when they are met, looked for once among earlier codes."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image, ImageDraw

from streetineq_assets.codes import image_loading
from streetineq_assets.codes.bucket_file import Bucket
from streetineq_assets.codes.preprocess import decode
from streetineq_assets.image_settings import Images
from streetineq_tests.codes.fakes import LOCATIONS, fake_encoder
from streetineq_tests.harness import check_of
from streetineq_tests.images.pictures import picture, write_files


def blank(*, card=False):
    """A frame of one colour, or a card with a line of text."""
    image = Image.new("RGB", (300, 200), (200, 200, 190))
    if card:
        ImageDraw.Draw(image).text((90, 90), "no image here", fill=(90, 90, 90))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def contents(path):
    with Bucket(path) as bucket:
        return bucket.contents, bucket.read(slice(None))


def test_pictures_that_show_nothing_or_a_part_are_named(extract, root):
    torn = picture(3, size=(300, 200), kind="JPEG")
    bad = {
        "L00_a": blank(),
        "L01_b": blank(card=True),
        "L02_c": torn[: len(torn) // 2] + b"\xff\xd9",
    }
    write_files(root / "deep", {f"{name}.png": data for name, data in bad.items()})
    findings = extract()
    assert findings.tables["rejected_views"] == [
        {"location_id": "L00", "view": "a", "reason": "blank"},
        {"location_id": "L01", "view": "b", "reason": "placeholder"},
        {"location_id": "L02", "view": "c", "reason": "truncated"},
    ]
    advice = check_of(findings, "complete").description
    assert "copy or download" in advice


class TestScreening:
    """Codes of images that were judged by other rules are judged again, and not encoded again."""

    NO_LIMITS = Images(least_contrast=0, most_plain=1)

    @pytest.fixture
    def before(self, extract, root):
        """A bucket with the codes of a blank frame and a card, as an earlier version made it."""
        write_files(root / "deep", {"L00_a.png": blank(), "L01_b.png": blank(card=True)})
        assert extract(limits=self.NO_LIMITS).values["n_extracted"] == 20
        with h5py.File(extract.folder / "codes.h5", "a") as file:
            del file.attrs["screening"]
        for part in extract.work.glob("part-*"):
            part.unlink()
        return extract.folder / "codes.h5"

    def test_what_shows_nothing_is_dropped_and_the_rest_stays(self, extract, before):
        encoder = fake_encoder()
        findings = extract(encoder=encoder, name="b.h5", previous=[before])
        assert encoder.encode.calls == []
        assert (findings.values["n_reused"], findings.values["n_rejected"]) == (18, 2)
        found, features = contents(extract.folder / "b.h5")
        np.testing.assert_array_equal(features, contents(before)[1][2:])
        assert found.location_ids == LOCATIONS[2:]

    def test_it_happens_once(self, extract, before, monkeypatch):
        extract(name="b.h5", previous=[before])
        decoded = []
        monkeypatch.setattr(
            image_loading, "decode", lambda data, **how: decoded.append(data) or decode(data, **how)
        )
        extract(name="c.h5", previous=[extract.folder / "b.h5"])
        assert len(decoded) == 8, "the two locations without codes, of four views each"

    def test_other_limits_take_them_back(self, extract, before):
        extract(name="b.h5", previous=[before])
        findings = extract(limits=self.NO_LIMITS, name="c.h5", previous=[extract.folder / "b.h5"])
        assert (findings.values["n_encoded_now"], findings.values["n_rejected"]) == (2, 0)
