"""What shows nothing is refused; what is dull, dark or foggy and real is not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.codes.screening import VERSION, label, refuse_empty
from streetineq_assets.image_settings import Images
from streetineq_tests.images.pictures import photograph

SIZE = (640, 400)
SORRY = (228, 227, 223)  # the ground of Street View's card, as its users report


def jpeg(image, quality=80):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def card(colour, *, text="Sorry, we have no imagery here.", ink=(150, 150, 150)):
    image = Image.new("RGB", SIZE, colour)
    ImageDraw.Draw(image).text((220, 190), text, fill=ink, font_size=16)
    return image


def grains(level, spread):
    """A frame of one level with the noise of a sensor."""
    noise = np.random.default_rng(0).normal(level, spread, (SIZE[1], SIZE[0], 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def reason(image, limits=Images()):  # noqa: B008 - frozen
    try:
        refuse_empty(preprocess(jpeg(image)), limits)
    except ImageRejectedError as error:
        return error.reason
    return None


def light(contrast, brightness):
    pixels = np.asarray(photograph(5, size=SIZE)).astype(float)
    return Image.fromarray((contrast * pixels + brightness).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("level", [0, 40, 128, 255])
def test_a_frame_of_one_colour_is_blank(level):
    assert reason(Image.new("RGB", SIZE, (level, level, level))) == "blank"


def test_a_lens_cap_with_noise_is_blank():
    assert reason(grains(3, 1.5)) == "blank"


@pytest.mark.parametrize("colour", [SORRY, (204, 204, 204), (255, 255, 255), (20, 60, 120)])
@pytest.mark.parametrize("quality", [30, 60, 95])
def test_a_card_with_a_line_of_text_is_a_placeholder(colour, quality):
    with pytest.raises(ImageRejectedError) as raised:
        refuse_empty(preprocess(jpeg(card(colour), quality)), Images())
    assert raised.value.reason == "placeholder"


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_half_a_picture_that_was_saved_again_is_truncated(share):
    """As tools leave it that read a cut file and fill it up."""
    pixels = np.asarray(photograph(5, size=SIZE)).copy()
    pixels[int((1 - share) * SIZE[1]) :] = 128
    assert reason(Image.fromarray(pixels)) == "truncated"
    pixels[int((1 - share) * SIZE[1]) :] = 0
    assert reason(Image.fromarray(pixels)) is None, "a black bar is a camera's"


@pytest.mark.parametrize(
    ("contrast", "brightness"),
    [(1, 0), (0.05, 200), (0.1, 120), (0.03, 0), (0.1, 0), (2, 120), (0.2, -10)],
    ids=["day", "fog", "haze", "night", "dusk", "over-exposed", "black night"],
)
def test_real_light_is_accepted(contrast, brightness):
    assert reason(light(contrast, brightness)) is None


def test_a_plain_wall_is_accepted():
    falloff = np.linspace(170, 178, SIZE[0])[None, :, None]
    wall = falloff + np.random.default_rng(0).normal(0, 2, (SIZE[1], SIZE[0], 3))
    assert reason(Image.fromarray(wall.astype(np.uint8))) is None


def test_a_few_lamps_in_the_dark_are_accepted():
    night = Image.new("RGB", SIZE, (0, 0, 0))
    for x in range(180, 480, 60):
        ImageDraw.Draw(night).ellipse((x, 180, x + 12, 192), fill=(255, 220, 160))
    assert reason(night) is None


def test_the_limits_are_the_studys():
    assert reason(light(0.05, 200), Images(least_contrast=20)) == "blank"
    assert reason(card(SORRY), Images(most_plain=1)) is None
    assert label(Images()) != label(Images(most_plain=0.5))


def test_the_label_is_that_of_the_codes_that_studies_have():
    expected = f'{VERSION} {{"least_contrast":1.0,"most_plain":0.9}}'
    assert label(Images()) == label(Images(names=("{id}_{heading}",))) == expected
