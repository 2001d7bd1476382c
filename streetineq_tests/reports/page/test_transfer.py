"""How the report shows another city's networks."""

import pandas as pd

from streetineq_assets.reports.page import transfer
from streetineq_assets.tables import conform
from streetineq_assets.transfer.tables import CURVE_SUMMARY, TRANSFER_COMPARISONS

NAN = float("nan")
PAIR = {"source": "london", "city": "leeds", "outcome": "crime", "metric": "spearman_score"}


def test_tuned_networks_and_controls_stand_beside_the_targets_own_and_coordinates():
    rows = [
        ("fine_tuned", "either", 0.0, 0.31, 0.25, 0.4, 5, 0.0),
        ("fine_tuned", "areas", 0.01, NAN, NAN, NAN, 0, 0.01),
        ("fine_tuned", "locations", 0.01, 0.6, 0.5, 0.7, 5, 0.218),
        ("from_scratch", "locations", 0.01, 0.2, 0.1, 0.3, 5, 0.218),
        ("fine_tuned", "either", 1.0, 0.7, 0.7, 0.7, 1, 1.0),
        ("trained_here", "either", 1.0, 0.72, 0.72, 0.72, 1, 1.0),
        ("map_knn", "either", 1.0, 0.5, 0.5, 0.5, 1, NAN),
    ]
    names = ["network", "share_of", "share", "mean", "lowest", "highest", "n_repeats"]
    table = pd.DataFrame(rows, columns=[*names, "share_lsoas_labelled"])
    table = conform(table.assign(**PAIR, n_lsoas_labelled=NAN), CURVE_SUMMARY)
    other = table.assign(metric="kendall", mean=9.9)
    shares, found = transfer.transfers(pd.concat([table, other]))
    assert shares == ["0", "0.01", "1"]
    assert {line["network"]: line["by_share"] for line in found} == {
        "tuned, shares of areas": ["0.31 (0.25 to 0.40)", "-", "0.70"],
        "tuned, shares of locations": [
            "0.31 (0.25 to 0.40)", "0.60 (0.50 to 0.70), 22% of the labels", "0.70"
        ],
        "from scratch, shares of locations": [
            "-", "0.20 (0.10 to 0.30), 22% of the labels", "-"
        ],
    }  # fmt: skip
    for line in found:
        assert (line["own"], line["map_knn"]) == ("0.72", "0.50")
        assert (line["source"], line["city"]) == ("london", "leeds")
        assert line["outcome"] == "Crime deprivation"
    assert transfer.transfers(table[:0]) == ([], [])


def test_networks_of_the_other_cities_have_a_line_of_their_own():
    line = {
        "network": "other_cities", "share_of": "either", "share": 0.0, "mean": 0.4, "lowest": 0.4,
        "highest": 0.4, "n_repeats": 1, "share_lsoas_labelled": 0.0, "n_lsoas_labelled": NAN,
    }  # fmt: skip
    table = conform(pd.DataFrame([PAIR | line]), CURVE_SUMMARY)
    shares, (found,) = transfer.transfers(table)
    assert shares == []
    assert (found["network"], found["own"], found["map_knn"]) == (
        "of the other cities",
        "0.40",
        "-",
    )


def test_claims_are_told_with_their_intervals():
    rows = [
        ("areas", 0.01, "trained_here", 0.05, -0.02, -0.04, 0.01, "holds"),
        ("either", 1.0, "untuned", 0.0, NAN, NAN, NAN, "not tested"),
    ]
    names = ["share_of", "share", "against", "margin", "difference", "lower", "upper", "result"]
    table = pd.DataFrame(rows, columns=names).assign(**PAIR, n_repeats=5, n_lsoas=9, n_blocks=9)
    found = transfer.transfer_claims(conform(table, TRANSFER_COMPARISONS))
    keys = ("share", "claim", "difference", "result")
    assert [tuple(line[key] for key in keys) for line in found] == [
        (
            "0.01 of areas",
            "no worse by 0.05 than its own networks",
            "-0.02 (-0.04 to 0.01)",
            "holds",
        ),
        ("1", "better than not tuned", "none", "not tested"),
    ]
