"""Panoramas, and the rows of `street_images` by which locations are cut of them."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from streetineq_assets.images.catalogue import HEADINGS
from streetineq_assets.images.tables import EQUIRECTANGULAR, PERSPECTIVE, STREET_IMAGES
from streetineq_assets.tables import conform

FOV, SIZE = 90.0, (640, 400)  # the settings' own


def panorama(seed: int, *, height: int = 128) -> np.ndarray:
    """Coarse noise in which every direction differs, uint8 (height, 2 height, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 32, 3), dtype=np.uint8)
    return np.asarray(
        Image.fromarray(coarse).resize((2 * height, height), Image.Resampling.BICUBIC)
    )


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def row(location_id, view, path, member=None, *, capture_id=None, projection=None, **pose):
    return {
        "location_id": location_id,
        "view": view,
        "heading": HEADINGS[view],
        "path": path,
        "member": member,
        "size_bytes": 1,
        "modified_ns": 1,
        "status": "present",
        "reason": None,
        "bucket": "leeds/000",
        "capture_id": capture_id,
        "projection": projection,
        **dict.fromkeys(("compass_deg", "pitch_deg", "roll_deg")),
        **pose,
    }


def cut_rows(location_id, path, member=None, **pose):
    """The four rows of a location that one panorama serves."""
    pose = {"compass_deg": 30.0, "projection": EQUIRECTANGULAR} | pose
    return [row(location_id, v, path, member, capture_id=path, **pose) for v in HEADINGS]


def photograph_row(location_id, view, path):
    """The row of a photograph by its direction, which is used whole."""
    return row(location_id, view, path, capture_id=path, projection=PERSPECTIVE, compass_deg=5.0)


def listing_of(*rows) -> pd.DataFrame:
    """A frame of `STREET_IMAGES`."""
    return conform(pd.DataFrame(rows), STREET_IMAGES)
