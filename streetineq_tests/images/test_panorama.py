"""Views of a panorama: each pixel is the direction that a level camera would see there.

The model is independent: a panorama whose colours are directions, of a camera in any pose, made of
its three axes; so what each pixel of a view must show is known.
"""

import numpy as np
import py360convert
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.images.panorama import least_height, views

SIZE = (64, 40)
angles = st.floats(-720, 720)
tilts = st.floats(-90, 90)


def axes(compass, pitch=0.0, roll=0.0):
    """Right, front and up of a camera: east, north and up of the world; angles in degrees."""
    c, p, r = np.radians([compass, pitch, roll])
    front = np.array([np.sin(c) * np.cos(p), np.cos(c) * np.cos(p), np.sin(p)])
    right = np.array([np.cos(c), -np.sin(c), 0.0])
    up = np.cross(right, front)
    return np.cos(r) * right - np.sin(r) * up, front, np.cos(r) * up + np.sin(r) * right


def colours_of(directions):
    """East, north and up of unit vectors as red, green and blue, not rounded."""
    return 127.5 * (directions / np.linalg.norm(directions, axis=-1, keepdims=True) + 1)


def world(height, compass, pitch=0.0, roll=0.0):
    """The panorama (height, 2 height, 3) that a camera takes of a world of directions."""
    lon = ((np.arange(2 * height) + 0.5) / (2 * height) - 0.5) * 2 * np.pi
    lat = (0.5 - (np.arange(height)[:, None] + 0.5) / height) * np.pi
    right, front, up = axes(compass, pitch, roll)
    across = np.sin(lon)[..., None] * right + np.cos(lon)[..., None] * front
    directions = np.cos(lat)[..., None] * across + np.sin(lat)[..., None] * up
    return np.round(colours_of(directions)).astype(np.uint8)


def seen(heading, fov, size):
    """What a level pinhole camera sees in a world of directions."""
    width, height = size
    right, front, up = axes(heading)
    per_pixel = 2 * np.tan(np.radians(fov / 2)) / width
    x = (np.arange(width) - (width - 1) / 2) * per_pixel
    z = ((height - 1) / 2 - np.arange(height)[:, None]) * per_pixel
    return colours_of(front + x[..., None] * right + z[..., None] * up)


def noise(height, seed=1):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, 2 * height, 3), dtype=np.uint8)


def furthest(one, other):
    """Largest difference of two lists of views, in grey levels."""
    return np.abs(np.array(one, float) - np.array(other, float)).max()


# -- directions ------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(angles, tilts, st.floats(-180, 180), angles, st.floats(30, 100))
def test_every_pixel_shows_its_own_direction_whatever_the_pose(compass, pitch, roll, heading, fov):
    panorama = world(128, compass, pitch, roll)
    (view,) = views(
        panorama, compass=compass, pitch=pitch, roll=roll, headings=[heading], fov=fov, size=SIZE
    )
    assert view.dtype == np.uint8
    assert view.shape == (40, 64, 3)
    assert np.abs(view - seen(heading, fov, SIZE)).max() < 2


def test_the_four_headings_are_the_default_and_look_north_east_south_and_west():
    found = views(world(256, 217), compass=217)
    middle = [view[199:201, 319:321].mean(axis=(0, 1)) for view in found]
    east_north = [(127.5, 255), (255, 127.5), (127.5, 0), (0, 127.5)]
    np.testing.assert_allclose([each[:2] for each in middle], east_north, atol=1)
    assert [view.shape for view in found] == [(400, 640, 3)] * 4
    for heading, view in zip((0, 90, 180, 270), found, strict=True):
        assert np.abs(view - seen(heading, 90, (640, 400))).max() < 1.5


def test_a_raised_front_shows_the_sky_in_its_middle_and_a_lowered_right_side_the_ground_there():
    """As Google's Photo Sphere XMP defines pitch and roll; both are undone."""
    up = 2
    assert world(64, 0, pitch=30)[32, 64, up] > 180
    assert world(64, 0, roll=30)[32, 96, up] < 70  # a quarter turn to the right of the middle
    for pose in ({"pitch": 30}, {"roll": 30}, {"pitch": -20, "roll": 10}):
        for view in views(world(256, 50, **pose), compass=50, **pose, size=SIZE):
            np.testing.assert_allclose(view[19:21, :, up].mean(axis=0), 127.5, atol=1)


@settings(max_examples=30, deadline=None)
@given(angles, angles, tilts, tilts)
def test_directions_are_relative_to_the_compass(compass, turn, pitch, roll):
    def cut(compass, headings):
        pose = {"pitch": pitch, "roll": roll}
        return views(panorama, compass=compass, headings=headings, size=SIZE, **pose)

    panorama = noise(32)
    before = cut(compass, [0, 100])
    assert furthest(before, cut(compass + turn, [turn, 100 + turn])) <= 1
    assert furthest(before, cut(compass + 360, [0, -260])) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 128), angles)
def test_turning_the_columns_is_turning_the_compass_also_across_the_seam(columns, compass):
    panorama = noise(64)
    rolled = np.roll(panorama, columns, axis=1)
    turned = compass - 360 * columns / 128
    assert (
        furthest(
            views(panorama, compass=compass, size=SIZE), views(rolled, compass=turned, size=SIZE)
        )
        <= 1
    )


@settings(max_examples=30, deadline=None)
@given(angles, tilts, tilts, angles)
def test_a_mirrored_panorama_has_mirrored_views(compass, pitch, roll, heading):
    def cut(panorama, *, across=1, down=1):
        (view,) = views(
            panorama,
            compass=across * compass,
            pitch=down * pitch,
            roll=across * down * roll,
            headings=[across * heading],
            size=SIZE,
        )
        return view

    panorama = noise(48)
    view = cut(panorama)
    assert furthest(view[:, ::-1], cut(panorama[:, ::-1], across=-1)) <= 1
    assert furthest(view[::-1], cut(panorama[::-1], down=-1)) <= 1


def test_neighbouring_views_meet_at_their_edges():
    found = views(world(512, 77, 5, -3), compass=77, pitch=5, roll=-3)
    for one, other in zip(found, found[1:] + found[:1], strict=True):
        assert furthest(one[:, -1], other[:, 0]) <= 2


def test_a_colour_goes_on_across_the_seam_and_ends_at_the_poles():
    panorama = np.zeros((16, 32, 3), np.uint8)
    panorama[:, [0, -1]] = 200
    (view,) = views(panorama, compass=0, headings=[180], fov=30, size=(64, 40))
    assert view.min() < 100
    assert (view[:, 30:34] == 200).all(), "between the last and the first column"
    panorama = np.zeros((16, 32, 3), np.uint8)
    panorama[0] = 200
    (view,) = views(panorama, compass=0, pitch=-90, headings=[0], fov=30, size=(9, 9))
    assert view[4, 4].tolist() == [200] * 3, "beyond the middles of the first row"


# -- another implementation ------------------------------------------------------------------------


def their_view(panorama, turn, fov, size, *, pitch=0.0, roll=0.0):
    """py360convert's view, to the right of the middle by `turn` degrees.

    The middles of its outermost pixels lie on the edges of its view, here within them by half a
    pixel: the view is asked for as much smaller.
    """
    width, height = size
    half = np.tan(np.radians(fov / 2))
    across = 2 * np.degrees(np.arctan(half * (width - 1) / width))
    upright = 2 * np.degrees(np.arctan(half * (height - 1) / width))
    turn = (turn + 180) % 360 - 180
    return py360convert.e2p(panorama, (across, upright), turn, pitch, size[::-1], in_rot_deg=roll)


@pytest.mark.parametrize("fov", [60, 67.4, 90])
@pytest.mark.parametrize("turn", [-170, -33.3, 0, 12.5, 90, 180])
def test_py360convert_sees_the_same(turn, fov):
    panorama, size = noise(128), (160, 100)
    (mine,) = views(panorama, compass=40, headings=[40 + turn], fov=fov, size=size)
    assert furthest(mine, their_view(panorama, turn, fov, size)) <= 2


@pytest.mark.parametrize(("pitch", "roll"), [(10, 0), (-25, 0), (0, 15), (0, -40)])
def test_py360convert_sees_the_same_in_a_tilted_panorama(pitch, roll):
    """Straight ahead, a level view looks down as far as the front was raised, turned back."""
    panorama, size = noise(128), (160, 100)
    (mine,) = views(panorama, compass=40, pitch=pitch, roll=roll, headings=[40], size=size)
    assert furthest(mine, their_view(panorama, 0, 90, size, pitch=-pitch, roll=-roll)) <= 2


# -- bounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("panorama", "said"),
    [
        (np.zeros((64, 120, 3), np.uint8), "120 x 64 pixels"),
        (np.zeros((64, 64, 3), np.uint8), "twice as wide"),
        (np.zeros((0, 0, 3), np.uint8), "twice as wide"),
        (np.zeros((64, 128, 3), np.float32), "float32"),
        (np.zeros((64, 128), np.uint8), "uint8"),
        (np.zeros((64, 128, 4), np.uint8), "uint8"),
    ],
)
def test_what_is_no_panorama_is_refused(panorama, said):
    with pytest.raises(ValueError, match=said):
        views(panorama, compass=0)


@pytest.mark.parametrize("name", ["compass", "pitch", "roll", "headings"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_directions_that_are_not_finite_are_refused(name, value):
    options = {"compass": 0.0} | {name: [0, value] if name == "headings" else value}
    with pytest.raises(ValueError, match="finite"):
        views(noise(16), **options)


@pytest.mark.parametrize(
    ("fov", "size", "said"),
    [
        (0, (64, 40), "0 degrees"),
        (180, (64, 40), "180 degrees"),
        (float("nan"), (64, 40), "nan degrees"),
        (90, (64, 0), "pixels in size"),
        (120, (640, 640), "60 degrees below the horizon"),
        (90, (400, 640), "58 degrees below the horizon"),
    ],
)
def test_views_of_no_size_and_of_the_car_below_are_refused(fov, size, said):
    with pytest.raises(ValueError, match=said):
        views(noise(16), compass=0, fov=fov, size=size)


def test_square_views_of_a_quarter_of_the_horizon_are_allowed():
    assert views(noise(16), compass=0, fov=90, size=(40, 40))[3].shape == (40, 40, 3)


@pytest.mark.parametrize("width", [255, 257])
def test_a_column_more_or_less_by_rounding_is_allowed(width):
    panorama = world(128, 0)[:, np.arange(width) % 256]
    (view,) = views(panorama, compass=0, headings=[0], size=SIZE)
    assert np.abs(view - seen(0, 90, SIZE)).max() < 4


@pytest.mark.parametrize(("fov", "size"), [(90, (640, 400)), (67.4, (640, 400)), (60, (224, 224))])
def test_the_least_height_has_a_pixel_for_each_in_the_middle_of_a_view(fov, size):
    degrees_a_pixel = np.degrees(np.arctan(2 * np.tan(np.radians(fov / 2)) / size[0]))
    assert least_height(fov, size) == pytest.approx(180 / degrees_a_pixel, abs=1.5)
