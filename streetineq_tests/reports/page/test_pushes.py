"""What pushes scores: the strongest of each side, and pictures with their credit or a reason."""

import pandas as pd
import pytest

from streetineq_assets.predictions.tables import EXEMPLARS, EXPLANATIONS
from streetineq_assets.reports.page.pushes import exemplar_context, pushes_by_area
from streetineq_assets.tables import conform, empty


def explanations(rows: list[tuple]) -> pd.DataFrame:
    names = ["area", "location_id", "location_influence", "influence_a", "influence_b"]
    frame = pd.DataFrame(rows, columns=names).assign(influence_c=0.0, influence_d=0.0)
    rest = {"city": "alpha", "outcome": "crime", "fold": 0, "weight": 1, "h": 0.0}
    return conform(frame.assign(**rest, n_locations=3), EXPLANATIONS)


def test_of_each_area_the_strongest_up_and_down_are_told_with_their_view():
    table = explanations(
        [
            ("E1", "a", 0.10, 0.0, 0.3),
            ("E1", "b", 0.25, 0.4, -0.9),  # up by its first view, whatever the second does
            ("E1", "c", -0.35, 0.2, -0.1),  # down by its second
            ("E2", "d", -0.05, 0.0, -0.2),
        ]
    )
    assert pushes_by_area(table) == {
        "E1": [("b", 0.25, "a"), ("c", -0.35, "b")],
        "E2": [("d", -0.05, "b")],
    }


def test_a_location_alone_in_its_area_pushes_nothing():
    assert pushes_by_area(explanations([("E1", "a", None, 0.1, 0.2)])) == {}
    assert pushes_by_area(empty(EXPLANATIONS)) == {}


def exemplars(**columns) -> pd.DataFrame:
    frame = pd.DataFrame({"direction": ["up", "down"], "rank": [1, 1], "influence": [0.5, -0.25]})
    frame = frame.assign(
        city="alpha", outcome="crime", location_id=["7", "8"], area=["E1", "E2"], view="b",
        heading_degrees=90, provider="mapillary", licence="CC-BY-SA-4.0", creator="Ann",
        conditions="attribution", why_not_shown=None, thumbnail=None,
    )  # fmt: skip
    return conform(frame.assign(**columns), EXEMPLARS)


def test_a_picture_that_may_be_shown_stands_with_its_credit():
    context = exemplar_context(
        exemplars(thumbnail=[b"\xff\xd8", None], why_not_shown=[None, "forbidden"]), {"E1": "Hill"}
    )
    up, down = (group["lines"][0] for group in context["groups"])
    assert up["uri"] == "data:image/jpeg;base64,/9g="
    assert up["credit"] == "Ann, mapillary, CC-BY-SA-4.0, attribution"
    assert (up["area"], up["influence"]) == ("Hill", "+0.50 logits")
    assert (down["uri"], down["credit"], down["why_not_shown"]) == ("", "", "forbidden")
    assert context["hidden"] == ""


def test_one_reason_for_all_is_told_once():
    context = exemplar_context(exemplars(why_not_shown="the study shows no images"), {})
    assert context["hidden"] == "the study shows no images"
    assert len(context["groups"]) == 2


@pytest.mark.parametrize("names", [{}, {"E1": "Hill"}])
def test_without_exemplars_nothing_is_told(names):
    assert exemplar_context(empty(EXEMPLARS), names) == {}
