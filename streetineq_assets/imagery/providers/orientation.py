"""How far a camera was tilted, of the rotation that a reconstruction found for it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_AGREES_DEG = 5.0


def pitch_and_roll(
    rotations: Sequence[Sequence[float] | None], compass_deg: Sequence[float | None]
) -> NDArray[np.float64]:
    """Pitch and roll of cameras whose rotation agrees with their compass angle.

    OpenSfM, which Mapillary runs, turns the world (x east, y north, z up) into the camera (x right,
    y down, z forward) by a rotation that it writes as a vector, angle times axis: its
    `geometry.py`, `pan_from_rotation` and `rotation_from_opk`; mapillary-js reads
    `computed_rotation` so. The rows of the rotation's matrix are thus the camera's axes in the
    world, and the third gives the compass angle. Where that is not the angle that Mapillary states
    to 5 degrees, the rotation means something else, and is left alone.

    Args:
        rotations: n vectors of three, None where there is none.
        compass_deg: n directions, None where there is none.

    Returns:
        (n, 2) float64 degrees: how far the front is raised, and the right side lowered; NaN where
        they are not known.
    """
    from scipy.spatial.transform import Rotation

    tilts = np.full((len(rotations), 2), np.nan)
    known = [
        row
        for row, (vector, compass) in enumerate(zip(rotations, compass_deg, strict=True))
        if compass is not None and _is_vector(vector)
    ]
    if not known:
        return tilts
    axes = Rotation.from_rotvec(np.array([rotations[row] for row in known], dtype=float))
    right, _, forward = axes.as_matrix().transpose(1, 0, 2)
    pan = np.degrees(np.arctan2(forward[:, 0], forward[:, 1]))
    stated = np.array([compass_deg[row] for row in known], dtype=float)
    agree = np.abs((pan - stated + 180) % 360 - 180) <= _AGREES_DEG
    # The level direction to the right, and the one below the camera's front.
    pan_rad = np.radians(pan)
    level = np.column_stack([np.cos(pan_rad), -np.sin(pan_rad), np.zeros(len(known))])
    below = np.cross(forward, level)
    pitch = np.degrees(np.arcsin(forward[:, 2].clip(-1, 1)))
    roll = np.degrees(np.arctan2((right * below).sum(axis=1), (right * level).sum(axis=1)))
    tilts[known] = np.where(agree[:, None], np.column_stack([pitch, roll]), np.nan)
    return tilts


def _is_vector(value: object) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        return False
    return all(isinstance(part, int | float) and np.isfinite(part) for part in value)
