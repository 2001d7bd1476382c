"""The invented world and its server are what the other tests take them for."""

import io
import json
import subprocess
import sys
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from streetineq_tests.imagery.loopback import DIALECTS
from streetineq_tests.imagery.world import World, colour_of, direction_of, invented, near


@pytest.mark.parametrize("degrees", [0, 45, 90, 200, 359])
def test_colours_tell_directions(degrees):
    assert direction_of(colour_of(degrees)) == pytest.approx(degrees, abs=1)


def test_columns_of_a_picture_have_the_colour_of_their_direction():
    world = invented(6, seed=1, share_of_panoramas=0.5)
    for capture in world.captures:
        pixels = np.asarray(Image.open(io.BytesIO(world.picture(capture.capture_id))))
        middle = pixels[:, pixels.shape[1] // 2].mean(axis=0)
        off = (direction_of(middle) - capture.compass_deg + 180) % 360 - 180
        assert abs(off) < 6
    assert len({c.panorama for c in world.captures}) == 2


def test_captures_lie_near_their_points():
    points = [(51.5, -0.12), (53.4, -2.9)]
    world = near(points, per_point=3, within_m=10)
    for k, capture in enumerate(world.captures):
        lat, lon = points[k // 3]
        north = (capture.lat - lat) * 111_195
        east = (capture.lon - lon) * 111_195 * np.cos(np.radians(lat))
        assert np.hypot(north, east) <= 10.1
    assert len(world.by_id) == 6
    assert World(world.captures).by_id.keys() == world.by_id.keys()


@pytest.mark.parametrize("provider", DIALECTS)
def test_server_runs_in_a_process_of_its_own(provider):
    command = [sys.executable, "-m", "streetineq_tests.imagery.loopback", "--captures", "5"]
    with subprocess.Popen(
        [*command, "--provider", provider], stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        with urlopen(f"{url}/_counts", timeout=10) as answer:
            counts = json.load(answer)
        process.kill()
    assert counts == {"injected": {}, "seen": {}, "too_many": 0, "misdirected": 0}
