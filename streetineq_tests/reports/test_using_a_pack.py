"""The documented example of using a pack runs as it stands, and finds the slope that is true."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from streetineq_tests.reports import simulated_pack

PAGE = Path(__file__).parents[2] / "streetineq_assets/docs/using_a_pack.md"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the blocks leave behind, run in order in one session, with what they print."""
    folder = tmp_path_factory.mktemp("reader")
    simulated_pack.write(folder)
    blocks = re.findall(r"^```python\n(.+?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) == 8
    said: list[str] = []
    session = {"__name__": "notebook", "print": lambda *what: said.append(" ".join(map(str, what)))}
    plt.switch_backend("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(blocks, start=1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), session)
    plt.close("all")
    return folder, session, said


def slopes(ran) -> dict[str, list[float]]:
    """Value, lower and upper end, as printed."""
    _, _, said = ran
    lines = [line for line in said if line.startswith(("naive", "debiased"))]
    return {
        line.split()[0]: [float(number) for number in re.findall(r"-?\d+\.\d+", line)]
        for line in lines
    }


def test_the_debiased_interval_holds_the_true_slope_and_the_naive_one_is_too_flat(ran):
    value, lower, upper = slopes(ran)["debiased"]
    assert lower <= simulated_pack.SLOPE <= upper < 0
    naive, _, naive_upper = slopes(ran)["naive"]
    assert abs(naive) == pytest.approx(0.7 * abs(simulated_pack.SLOPE), abs=0.05), "attenuation"
    assert slopes(ran)["naive"][1] > simulated_pack.SLOPE, "its interval does not hold"
    assert naive_upper - naive < upper - value, "and is the narrower one"


def test_areas_that_are_too_uncertain_are_in_no_list_and_not_on_the_map(ran):
    _, session, _ = ran
    worst, shown, shapes = (session[name] for name in ("worst", "shown", "shapes"))
    assert len(worst) == 10
    assert worst["too_uncertain_to_rank"].eq(False).all()
    assert worst["lower"].notna().all()
    assert worst["decile"].eq(1).all()
    assert 0 < len(shown) < len(shapes) == simulated_pack.N
    assert set(shown["crime_too_uncertain_to_rank"]) == {False}


def test_the_slope_is_of_all_areas_that_have_a_rate(ran):
    _, session, said = ran
    assert len(session["joined"]) == simulated_pack.N - 5
    assert "5 of 2000 areas have no rate and are left out" in said
    assert session["joined"]["too_uncertain_to_rank"].isna().any()


def test_sql_and_pandas_agree_on_the_errors(ran):
    _, session, _ = ran
    rows = session["agreement"].set_index("outcome")
    for outcome, areas in session["predictions"].query("is_published").groupby("outcome"):
        known = areas.dropna(subset="actual_decile")
        error = known["decile"].to_numpy(float) - known["actual_decile"].to_numpy(float)
        assert rows.loc[outcome, "n_compared"] == len(known)
        assert rows.loc[outcome, "mae"] == pytest.approx(np.abs(error).mean())


def test_the_map_is_saved(ran):
    folder, *_ = ran
    assert plt.imread(folder / "crime.png").shape[:2] == (1200, 1200)
