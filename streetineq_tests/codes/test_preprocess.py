"""Preprocessing against implementations that share nothing with it but the definition."""

import io
import math
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from streetineq_assets.codes import preprocess as module
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess, scaled_size
from streetineq_tests.images.pictures import HTML, picture

SIZES = [(640, 400), (400, 640), (224, 224), (640, 640), (225, 301), (333, 1000), (2048, 1024)]
MEANS = np.array([103.939, 116.779, 123.68])


def noise(size, seed=0):
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rgb(array):
    """Back from the network's input to red, green, blue in 0..255."""
    return (array.astype(np.float64) + MEANS)[:, :, ::-1]


def triangle_matrix(size, new_size, *, antialias):
    """Rows of weights over the old pixels for each new one, from the filter's definition."""
    scale = size / new_size
    support = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(new_size) + 0.5) * scale
    distance = np.abs(np.arange(size) + 0.5 - centres[:, None]) / support
    weights = np.clip(1 - distance, 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


def reference(pixels, *, antialias):
    """The definition, by dense matrices, over the whole image, cropped at the end."""
    height, width = pixels.shape[:2]
    factor = 224 / min(height, width) + 0.0001
    rows, columns = np.round([height * factor, width * factor]).astype(int)
    across = triangle_matrix(width, columns, antialias=antialias)
    down = triangle_matrix(height, rows, antialias=antialias)
    scaled = np.tensordot(down, pixels.astype(np.float64), axes=(1, 0))
    scaled = np.tensordot(across, scaled, axes=(1, 1)).swapaxes(0, 1)
    top, left = math.floor((rows - 224) / 2), math.floor((columns - 224) / 2)
    return scaled[top : top + 224, left : left + 224]


@pytest.mark.parametrize("size", SIZES)
def test_without_antialiasing_it_is_bilinear_interpolation_in_real_numbers(size):
    pixels = noise(size)
    found = preprocess(Image.fromarray(pixels), antialias=False)
    assert found.shape == (224, 224, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(rgb(found), reference(pixels, antialias=False), atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_with_antialiasing_every_old_pixel_counts_within_rounding(size):
    pixels = noise(size)
    found = preprocess(Image.fromarray(pixels))
    # Pillow rounds to whole grey levels after each of its two passes.
    np.testing.assert_allclose(rgb(found), reference(pixels, antialias=True), atol=1.01)


@pytest.mark.parametrize("size", [(100, 150), (180, 90)])
def test_small_images_are_enlarged_and_their_edges_repeated(size):
    pixels = noise(size)
    found = rgb(preprocess(Image.fromarray(pixels), antialias=False))
    np.testing.assert_allclose(found, reference(pixels, antialias=False), atol=1e-3)
    assert found.min() >= pixels.min() - 1e-3


def test_an_image_of_224_is_taken_as_it_is():
    pixels = noise((224, 224))
    for antialias in (True, False):
        found = preprocess(Image.fromarray(pixels), antialias=antialias)
        np.testing.assert_allclose(rgb(found), pixels, atol=1e-4)


def test_channels_are_blue_green_red_minus_the_means():
    red = Image.new("RGB", (300, 300), (255, 10, 0))
    np.testing.assert_allclose(preprocess(red)[0, 0], [-103.939, 10 - 116.779, 255 - 123.68])


@pytest.mark.parametrize(
    ("height", "width", "scaled"),
    [
        (400, 640, (224, 358)),  # 640 * 0.5601 = 358.46
        (640, 400, (358, 224)),
        (224, 224, (224, 224)),
        (5000, 5000, (224, 224)),  # 5000 * 0.0449 = 224.5, to even
        (5001, 7000, (224, 314)),  # the original's rounding gives 225 here, and fails
        (1000, 225, (996, 224)),
    ],
)
def test_sizes_are_the_originals(height, width, scaled):
    assert scaled_size(height, width) == scaled


@given(short=st.integers(16, 9000), aspect=st.floats(1, 20), tall=st.booleans())
def test_the_short_side_is_always_224_and_the_shape_is_kept(short, aspect, tall):
    long = int(short * aspect)
    scaled = scaled_size(long, short) if tall else tuple(reversed(scaled_size(short, long)))
    assert min(scaled) == 224 == scaled[1]
    assert scaled[0] == pytest.approx(224 * long / short, abs=0.5 + 0.0001 * long)


def test_five_thousand_pixels():
    pixels = np.zeros((5000, 5200, 3), np.uint8)
    pixels[:, ::2] = 200
    found = rgb(preprocess(Image.fromarray(pixels)))
    np.testing.assert_allclose(found, 100, atol=1.01)


def test_bytes_path_and_image_are_the_same(tmp_path):
    data = picture(1, size=(300, 250))
    (tmp_path / "1_a.png").write_bytes(data)
    expected = preprocess(data)
    for other in (tmp_path / "1_a.png", str(tmp_path / "1_a.png"), Image.open(io.BytesIO(data))):
        np.testing.assert_array_equal(preprocess(other), expected)


class TestModes:
    base = Image.fromarray(noise((300, 260)))

    def test_grey_is_three_equal_channels(self):
        found = rgb(preprocess(encoded(self.base.convert("L"))))
        np.testing.assert_allclose(found[:, :, 0], found[:, :, 2], atol=1e-4)
        np.testing.assert_allclose(found, rgb(preprocess(self.base.convert("L").convert("RGB"))))

    def test_palette_is_its_colours(self):
        palette = self.base.quantize(64)
        np.testing.assert_array_equal(
            preprocess(encoded(palette)), preprocess(palette.convert("RGB"))
        )

    def test_transparency_is_dropped(self):
        alpha = Image.fromarray(noise((300, 260), seed=9)[:, :, 0])
        clear = self.base.copy()
        clear.putalpha(alpha)
        np.testing.assert_array_equal(preprocess(encoded(clear)), preprocess(self.base))

    def test_cmyk_jpeg(self):
        data = encoded(self.base.convert("CMYK"), "JPEG", quality=95)
        with Image.open(io.BytesIO(data)) as opened:
            assert opened.mode == "CMYK"
            expected = opened.convert("RGB")
        np.testing.assert_array_equal(preprocess(data), preprocess(expected))

    def test_sixteen_bit_grey_keeps_its_upper_bits(self):
        deep = np.random.default_rng(0).integers(0, 65536, (260, 300)).astype(np.uint16)
        expected = preprocess(Image.fromarray((deep >> 8).astype(np.uint8)))
        np.testing.assert_array_equal(preprocess(encoded(Image.fromarray(deep))), expected)

    def test_progressive_jpeg(self):
        # The same coefficients in another order, so the same pixels.
        smooth = self.base.resize((20, 20)).resize((300, 260))
        plain = encoded(smooth, "JPEG", quality=90)
        progressive = encoded(smooth, "JPEG", quality=90, progressive=True)
        assert plain != progressive
        np.testing.assert_array_equal(preprocess(progressive), preprocess(plain))

    def test_webp(self):
        data = encoded(self.base, "WEBP", lossless=True)
        np.testing.assert_array_equal(preprocess(data), preprocess(self.base))

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("antialias", [True, False])
    def test_exif_orientation_is_applied(self, orientation, antialias):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = {
            1: self.base,
            2: self.base.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            3: self.base.transpose(Image.Transpose.ROTATE_180),
            4: self.base.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
            5: self.base.transpose(Image.Transpose.TRANSPOSE),
            6: self.base.transpose(Image.Transpose.ROTATE_90),
            7: self.base.transpose(Image.Transpose.TRANSVERSE),
            8: self.base.transpose(Image.Transpose.ROTATE_270),
        }[orientation]
        found = preprocess(encoded(stored, exif=exif), antialias=antialias)
        np.testing.assert_array_equal(found, preprocess(self.base, antialias=antialias))

    @pytest.mark.parametrize("tag", [0x0103, 0x011A])  # compression and resolution, numbers
    def test_malformed_other_tags_do_not_spoil_a_turned_image(self, tag):
        entries = struct.pack("<HHIHH", 0x0112, 3, 1, 3, 0) + struct.pack("<HHI4s", tag, 2, 4, b"x")
        directory = struct.pack("<H", 2) + entries + struct.pack("<I", 0)
        exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory
        smooth = self.base.resize((20, 20)).resize((300, 260))
        turned = encoded(smooth, "JPEG", exif=exif)
        plain = Image.open(io.BytesIO(encoded(smooth, "JPEG")))
        expected = preprocess(plain.transpose(Image.Transpose.ROTATE_180))
        np.testing.assert_array_equal(preprocess(turned), expected)


class TestSmallerDecoding:
    """JPEG files are decoded at a fraction of their size where that changes next to nothing."""

    @staticmethod
    @cache
    def photograph(width, height):
        """Structure at all scales, as photographs have, and sensor noise."""
        generator = np.random.default_rng(3)
        image = np.full((height, width, 3), 128, np.float32)
        for cells in (4, 16, 64, 256):
            coarse = generator.normal(0, 40, (cells, cells, 3))
            part = [
                np.asarray(Image.fromarray(coarse[:, :, c]).resize((width, height)))
                for c in range(3)
            ]
            image += np.stack(part, axis=-1) / np.float32(math.sqrt(cells / 4))
        image += 5 * generator.standard_normal(image.shape, np.float32)
        return encoded(Image.fromarray(image.clip(0, 255).astype(np.uint8)), "JPEG", quality=88)

    @pytest.mark.parametrize("size", [(1500, 1400), (1403, 1347), (2720, 2690)])
    def test_it_stays_within_a_few_grey_levels(self, size, monkeypatch):
        data = self.photograph(*size)
        smaller = rgb(preprocess(data))
        monkeypatch.setattr(module, "PIXELS_LEFT", math.inf)
        full = rgb(preprocess(data))
        difference = smaller - full
        assert np.abs(difference).max() <= 6
        assert np.sqrt((difference**2).mean()) < 1
        assert not np.array_equal(smaller, full), "the size of this test decodes in full"

    def test_the_original_way_always_decodes_in_full(self, monkeypatch):
        data = self.photograph(1500, 1400)
        found = preprocess(data, antialias=False)
        monkeypatch.setattr(module, "PIXELS_LEFT", math.inf)
        np.testing.assert_array_equal(preprocess(data, antialias=False), found)

    def test_images_below_three_times_the_final_size_are_decoded_in_full(self, monkeypatch):
        data = self.photograph(1300, 1300)
        found = preprocess(data)
        monkeypatch.setattr(module, "PIXELS_LEFT", math.inf)
        np.testing.assert_array_equal(preprocess(data), found)


def bomb(width, height):
    """A PNG of a few bytes that claims to be enormous."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


class TestRejections:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty_file"),
            (HTML, "not_an_image"),
            (b"\x00" * 500, "not_an_image"),
            (encoded(Image.new("RGB", (300, 300)), "GIF"), "not_an_image"),
            (bomb(30_000, 30_000), "too_large"),
            (bomb(9_000, 9_000), "too_large"),
            (picture(0, size=(300, 1)), "too_small"),
            (picture(0, size=(1, 300)), "too_small"),
            (picture(0, size=(3000, 20)), "too_narrow"),
        ],
    )
    def test_reasons(self, data, reason):
        with pytest.raises(ImageRejectedError) as raised:
            preprocess(data)
        assert raised.value.reason == reason

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95])
    @pytest.mark.parametrize("antialias", [True, False])
    def test_a_truncated_file(self, kind, share, antialias):
        data = picture(0, size=(300, 200), kind=kind)
        with pytest.raises(ImageRejectedError) as raised:
            preprocess(data[: int(len(data) * share)], antialias=antialias)
        assert raised.value.reason == "truncated"

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    @pytest.mark.parametrize("damage", ["zeroed", "lost"])
    def test_a_hole_in_the_middle(self, kind, damage):
        data = picture(0, size=(300, 200), kind=kind)
        middle = len(data) // 2
        hole = bytes(2048) if damage == "zeroed" else b""
        with pytest.raises(ImageRejectedError) as raised:
            preprocess(data[:middle] + hole + data[middle + 2048 :])
        assert raised.value.reason in ("damaged", "truncated")

    def test_flipped_bytes_are_damage(self):
        data = bytearray(picture(0, size=(300, 200)))
        data[5000] ^= 0xFF
        data[5001] ^= 0xFF
        with pytest.raises(ImageRejectedError) as raised:
            preprocess(bytes(data))
        assert raised.value.reason == "damaged"

    def test_the_extension_does_not_matter(self, tmp_path):
        (tmp_path / "1_a.jpg").write_bytes(picture(0, size=(300, 200)))
        assert preprocess(tmp_path / "1_a.jpg").shape == (224, 224, 3)

    def test_a_file_that_is_not_there_is_an_error_of_the_system(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            preprocess(tmp_path / "1_a.jpg")


class TestPanoramas:
    """The middle of a panorama is no view to the front; a wide photograph is one."""

    @staticmethod
    def round_view(size=(800, 400), *, turns=1.0):
        """A horizon of houses seen all around, so that both ends meet after whole turns."""
        width, height = size
        angle = np.linspace(0, 2 * np.pi * turns, width, endpoint=False)
        roofs = 0.5 + 0.2 * np.sin(angle) + 0.1 * np.sin(5 * angle)
        rows = np.linspace(0, 1, height)[:, None]
        grey = np.where(rows < roofs, 200 - 40 * np.cos(angle), 90 + 60 * np.cos(3 * angle))
        noisy = grey + np.random.default_rng(0).normal(0, 3, grey.shape)
        return Image.fromarray(np.repeat(noisy[:, :, None], 3, 2).clip(0, 255).astype(np.uint8))

    @pytest.mark.parametrize(
        ("kind", "size"), [("PNG", (800, 400)), ("JPEG", (800, 400)), ("JPEG", (2700, 1350))]
    )
    def test_it_is_refused(self, kind, size):
        with pytest.raises(ImageRejectedError) as raised:
            preprocess(encoded(self.round_view(size), kind))
        assert raised.value.reason == "panorama"

    def test_a_photograph_of_the_same_shape_is_not(self):
        assert preprocess(self.round_view(turns=0.4)).shape == (224, 224, 3)

    def test_a_round_view_of_another_shape_is_not(self):
        assert preprocess(self.round_view((640, 400))).shape == (224, 224, 3)

    def test_a_dull_wall_of_the_same_shape_is_not(self):
        grey = np.random.default_rng(0).normal(128, 3, (400, 800)).astype(np.uint8)
        assert preprocess(Image.fromarray(grey)).shape == (224, 224, 3)
