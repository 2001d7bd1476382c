"""What the checks say of the intervals of all pairs together."""

import pandas as pd
import pytest

from streetineq_assets.findings import Check
from streetineq_assets.tables import conform, empty
from streetineq_assets.transfer import checks
from streetineq_assets.transfer.tables import CURVE_SUMMARY, TRANSFER_COMPARISONS

Row = tuple[str, str, float, str, str]
NO_SUMMARY = empty(CURVE_SUMMARY)


def compared(*rows: Row) -> pd.DataFrame:
    """Rows of `city, share_of, share, against, result`."""
    named = pd.DataFrame(rows, columns=["city", "share_of", "share", "against", "result"])
    about = {
        "source": "london", "outcome": "crime", "metric": "spearman_score", "difference": -0.02,
        "lower": -0.04, "upper": 0.0, "n_repeats": 5, "n_lsoas": 400, "n_blocks": 40,
    }  # fmt: skip
    margin = (named["against"] == "trained_here") * 0.05
    return conform(named.assign(**about, margin=margin), TRANSFER_COMPARISONS)


def own(*results: str, share: float = 0.01, share_of: str = "areas") -> pd.DataFrame:
    """One pair for each result against its own networks."""
    rows = [(f"city{n}", share_of, share, "trained_here", r) for n, r in enumerate(results)]
    return compared(*rows)


def enough(comparisons: pd.DataFrame, share_of: str = "areas") -> Check:
    return checks.one_percent_is_enough(comparisons, NO_SUMMARY, share_of)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "not tested"),
        (["holds", "not tested"], "not tested"),
        (["holds", "undecided", "does not hold"], "does not hold"),
        (["undecided"], "not tested"),
        ([], "not tested"),
    ],
)
def test_the_claim_holds_where_it_holds_in_every_pair(results: list[str], expected: str) -> None:
    check = enough(own(*results))
    assert check.result == expected
    assert check.passed == (expected == "holds")


def test_the_sentence_counts_the_pairs_and_gives_their_intervals() -> None:
    check = enough(own("holds", "undecided", "does not hold"))
    said = check.description
    assert "of 3 comparisons the claim holds in 1, does not hold in 1, is undecided in 1" in said
    assert "no worse than the city's own by 0.05" in said
    assert "city1/crime by areas -0.020, 95 % interval -0.040 to 0.000" in said
    assert check.values == {
        "n_holds": 1, "n_does_not_hold": 1, "n_undecided": 1, "n_not_tested": 0
    }  # fmt: skip


def test_one_per_cent_of_locations_is_a_claim_of_its_own_and_says_how_many_labels_it_took() -> None:
    both = pd.concat([own("holds", share_of="locations"), own("does not hold")])
    row = {
        "source": "london", "city": "city0", "outcome": "crime", "network": "fine_tuned",
        "share_of": "locations", "share": 0.01, "n_lsoas_labelled": 843.0,
        "share_lsoas_labelled": 0.218, "metric": "spearman_score", "mean": 0.7, "lowest": 0.7,
        "highest": 0.7, "n_repeats": 5,
    }  # fmt: skip
    summary = conform(pd.DataFrame([row]), CURVE_SUMMARY)
    found = {check.name: check for check in checks.transfer_checks(both, summary)}
    locations = found["one_percent_of_locations_is_enough"]
    assert locations.result == "holds"
    assert "which has the labels of 22% of the areas" in locations.description
    assert found["one_percent_is_enough"].result == "does not hold"
    assert set(found) == {spec.name for spec in checks.TRANSFER_REPORT} - {"available"}


def test_without_a_share_of_one_per_cent_there_is_no_claim() -> None:
    claim = enough(own("holds", share=0.1))
    assert claim.result == "not tested"
    assert "name 0.01 among `shares`" in claim.description


def test_whether_tuning_helped_is_asked_of_each_pairs_smallest_share() -> None:
    rows = compared(
        ("leeds", "areas", 0.01, "untuned", "does not hold"),
        ("leeds", "areas", 0.1, "untuned", "holds"),
        ("derby", "areas", 0.1, "untuned", "holds"),
        ("derby", "either", 1.0, "untuned", "holds"),
    )
    check = checks.better_than(rows, "untuned")
    assert check.result == "does not hold"
    assert (check.values["n_holds"], check.values["n_does_not_hold"]) == (1, 1)
    assert "a share of 0.01 and 0.1" in check.description
    assert checks.better_than(rows[rows["city"] == "derby"], "untuned").result == "holds"
    assert checks.better_than(rows, "from_scratch").result == "not tested"
