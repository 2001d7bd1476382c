"""Which views stand for the rest."""

import pandas as pd

from streetineq_assets.predictions.exemplars import choose_exemplars
from streetineq_assets.predictions.tables import EXPLANATIONS, INFLUENCES
from streetineq_assets.tables import conform


def explained(*rows):
    """`location_id, area` and the influences of views a to d."""
    frame = pd.DataFrame(rows, columns=["location_id", "area", *INFLUENCES])
    rest = {"city": "leeds", "outcome": "crime", "fold": 0, "weight": 1, "h": 0.0, "n_locations": 1}
    return conform(frame.assign(location_influence=0.0, **rest), EXPLANATIONS)


def chosen(frame, n_each=6):
    found = choose_exemplars(frame, n_each)
    return [
        (row.direction, row.rank, row.location_id, row.view, row.heading_degrees)
        for row in found.itertuples()
    ]


# -- which views -----------------------------------------------------------------------------------


def test_the_strongest_views_of_different_areas_come_first_up_then_down():
    frame = explained(
        ("1", "A", 0.1, 0.9, 0.0, -0.2),
        ("2", "A", 0.8, 0.0, 0.0, -0.7),
        ("3", "B", 0.3, 0.0, 0.5, 0.0),
        ("4", "C", -0.9, 0.2, 0.0, 0.0),
    )
    assert chosen(frame) == [
        ("up", 1, "1", "b", 90),
        ("up", 2, "3", "c", 180),
        ("up", 3, "4", "b", 90),
        ("down", 1, "4", "a", 0),
        ("down", 2, "2", "d", 270),
    ]
    assert chosen(frame, n_each=1) == [("up", 1, "1", "b", 90), ("down", 1, "4", "a", 0)]


def test_what_pushes_the_other_way_or_not_at_all_stands_for_nothing():
    assert chosen(explained(("1", "A", 0.0, 0.0, 0.0, 0.0))) == []
    assert [row[0] for row in chosen(explained(("1", "A", 0.4, 0.1, 0.2, 0.3)))] == ["up"]
    assert chosen(explained()) == []


def test_equal_influences_come_by_location_and_view_whatever_the_order_of_rows():
    frame = explained(*((str(n), f"E{n}", 0.5, 0.5, -0.5, -0.5) for n in range(9)))
    expected = [("up", n + 1, str(n), "a", 0) for n in range(3)]
    assert chosen(frame, 3)[:3] == expected
    assert chosen(frame[::-1], 3) == chosen(frame, 3)
