"""How far a picture can be used, in three figures: is it sharp, is it light, does it show sky.

`screening` refuses what shows nothing. These figures tell of pictures that show something and too
little: blurred by motion or focus, in the dark, or of a room. They are taken of what the encoder
sees, the scaled and cropped view, so that blur which scaling hides does not count. They refuse
nothing unless `[images]` sets a limit.

Sharpness was chosen among 13 measures, on 60 views of real photographs of streets, 24 painted ones
and 47 plain parts of photographs (road, wall, sky), each sharp and blurred by a Gaussian of 3 to 8
pixels of the view or by motion over 12 and 20. It told all of the street views apart (area under
the ROC curve 1.000; 0.98 of the plain parts), where the variance of the Laplacian (Pech-Pacheco et
al. 2000), which is of contrast as much as of blur, reached 0.92 and called dark and foggy views
blurred. What it does not tell: strong JPEG compression, whose blocks have edges, and blur beneath
a sensor's noise in the dark.
"""

from collections.abc import Iterator

import numpy as np

from streetineq_assets.codes.preprocess import CHANNEL_MEANS, SIDE, ImageRejectedError
from streetineq_assets.image_settings import Images

FIGURES = ("sharpness", "brightness", "sky")
REASONS = ("blurred", "dark", "without_sky")
# Sharp real views had 0.30 to 0.53; blurred by a Gaussian of 3 pixels of the view, or by motion of
# 12, they had 0.14 at most. The darkest real view by day, a brick wall in the shade, had a
# brightness of 40. Less sky had 13 % of 165 outdoor views by day, nearly all of them without any,
# and 88 % of 101 indoor ones.
REFERENCE = (0.15, 30.0, 0.05)

_LUMA = np.array([0.0722, 0.7152, 0.2126], dtype=np.float32)  # of blue, green, red: ITU-R BT.709
_PIECE = 28  # pixels, of 224: wider than the edges of a picture of any use
_STEP, _FIRST = 3, 2  # rows 2, 5 ... 221 of 224, which a mirror leaves in their places
_STRONGEST = 10  # a tenth of the pieces
_NOISE = 2.0  # grey levels, which are no edge
_UPPER = SIDE // 3
_SMOOTH, _BRIGHT, _DUSK, _BLUE = 12.0, 100.0, 50.0, 15.0  # grey levels


def picture_quality(view: np.ndarray) -> np.ndarray:
    """Sharpness, brightness and sky of a view, float32 (3,), the same of its mirror image.

    Sharpness: the rows and columns are cut into pieces of 28 pixels. Of the tenth of pieces whose
    grey levels have the widest range, it is the mean of the steepest step between two pixels, as a
    share of that range; the lower one of rows and columns, since motion blurs along one of them.
    An edge within one pixel has 1, one that is blurred by a Gaussian of s pixels 0.4 / s; nothing
    but noise has 0 or near it.

    Brightness: mean luma, 0 to 255. A camera lightens the night up, so that lit streets at night
    may be as bright as the day's shade.

    Sky: share of the upper third in which a column, from the upper edge down, is without a step
    over 12 grey levels, not redder nor greener than blue, and bright (luma 100 or more) or clearly
    blue. It is a rule of thumb and no recognition: walls near by, trees overhead and tunnels have
    none either, a sunset has none, and a white ceiling may have some.

    Args:
        view: float32 (224, 224, 3), as `preprocess` gives it.

    Source: of luma ITU-R BT.709; of the width of edges as a measure of blur Marziliano et al. 2002,
    A no-reference perceptual blur metric, https://doi.org/10.1109/ICIP.2002.1038902, of which this
    is the inverse, relative to the edge's height.
    """
    luma = view @ _LUMA + CHANNEL_MEANS @ _LUMA
    rows, columns = luma[_FIRST::_STEP].T, luma[:, _FIRST::_STEP]
    sharpness = min(_steepness(np.ascontiguousarray(each)) for each in (rows, columns))
    figures = np.array([sharpness, luma.mean(), _sky(view[:_UPPER], luma[:_UPPER])])
    return figures.round(4).astype(np.float32)  # sums differ in their last bits between machines


def refuse_useless(view: np.ndarray, limits: Images) -> None:
    """Refuse a view of which a figure is below the limit that the study sets for it.

    Args:
        view: float32 (224, 224, 3), as `preprocess` gives it.
        limits: `[images]` of study.toml.

    Raises:
        ImageRejectedError: `blurred`, `dark` or `without_sky`.
    """
    least = (limits.least_sharpness, limits.least_brightness, limits.least_sky)
    if least == (None, None, None):
        return
    for name, reason, figure, limit in zip(
        FIGURES, REASONS, picture_quality(view).tolist(), least, strict=True
    ):
        if limit is not None and figure < limit:
            raise ImageRejectedError(reason, f"its {name} is {figure:.3g}, below {limit:g}")


def below_reference(quality: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each reason, and which pictures are below its reference limit, bool (...); none unknown.

    Args:
        quality: float32 (..., 3), NaN where unknown.
    """
    for number, (reason, limit) in enumerate(zip(REASONS, REFERENCE, strict=True)):
        yield reason, quality[..., number] < limit


def n_without_quality(quality: np.ndarray) -> int:
    """How many locations have pictures without figures, as files of earlier versions have none.

    Args:
        quality: float32 (n, V, 3), NaN where unknown or absent.
    """
    return int(np.isnan(quality).all(axis=(1, 2)).sum())


def quality_counts(quality: np.ndarray) -> dict[str, int]:
    """Numbers of pictures below each reference limit, and of locations without figures, by name.

    Args:
        quality: float32 (n, V, 3), NaN where unknown or absent.
    """
    below = {f"n_{reason}": int(each.sum()) for reason, each in below_reference(quality)}
    return below | {"n_without_quality": n_without_quality(quality)}


def _steepness(lines: np.ndarray) -> float:
    """Of the edges along the first axis.

    Args:
        lines: float32 (224, n) luma.
    """
    pieces = lines.reshape(SIDE // _PIECE, _PIECE, -1)
    span = (pieces.max(axis=1) - pieces.min(axis=1)).ravel()
    step = np.abs(pieces[:, 1:] - pieces[:, :-1]).max(axis=1).ravel()
    n = len(span) // _STRONGEST
    widest = np.sort(span)[-n]
    return float((step / (span + _NOISE))[span >= widest].mean())


def _sky(upper: np.ndarray, luma: np.ndarray) -> float:
    """Share of the upper third, float32 (74, 224, 3) less means, that is like sky."""
    blue, green, red = np.moveaxis(upper + CHANNEL_MEANS, -1, 0)
    light = (luma >= _BRIGHT) | ((blue >= red + _BLUE) & (luma >= _DUSK))
    alike = light & (blue >= np.maximum(red, green))
    alike[1:] &= np.abs(np.diff(luma, axis=0)) <= _SMOOTH
    return float(np.logical_and.accumulate(alike, axis=0).mean())
