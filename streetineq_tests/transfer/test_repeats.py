"""Every draw is judged by the functions that judge a city's own networks."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from streetineq_assets.labels.deciles import deciles
from streetineq_assets.predictions.judging import Ground
from streetineq_assets.transfer.judging import judge_draws

N = 60
AREAS = [f"E{n:03d}" for n in range(N)]
IDS = [f"l{n}" for n in range(2 * N)]
PLACES = pd.DataFrame(
    {"location_id": IDS, "lsoa11": np.repeat(AREAS, 2), "weight": np.arange(2 * N) % 3}
)
LABELS = pd.DataFrame({"lsoa11": AREAS, "decile": np.arange(N) % 10 + 1.0})
TESTED = pd.DataFrame({"lsoa11": AREAS, "fold": np.arange(N) % 5})
POSITIONS = pd.DataFrame(
    {"lsoa11": AREAS, "easting_m": np.arange(N) * 500.0, "northing_m": np.arange(N) % 7 * 500.0}
)
GROUND = Ground(
    city="leeds", outcome="crime", places=PLACES, labels=LABELS, tested=TESTED,
    positions=POSITIONS, rule="mean_score", scheme="area", seed=1,
)  # fmt: skip


def scored() -> pd.DataFrame:
    """Two shares of two draws; the larger share knows more."""
    rng = np.random.default_rng(0)
    truth = np.repeat(LABELS["decile"].to_numpy(), 2) - 5.5
    parts = []
    for fraction, noise in ((0.0, 6.0), (1.0, 1.0)):
        for draw in range(2):
            p = rng.dirichlet(np.ones(10), 2 * N)
            parts.append(
                pd.DataFrame(
                    {
                        "fraction": fraction,
                        "draw": draw,
                        "location_id": IDS,
                        "fold": np.repeat(TESTED["fold"].to_numpy(), 2),
                        "h": truth + rng.normal(0, noise, 2 * N),
                        **{f"p_{k + 1}": p[:, k] for k in range(10)},
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def test_metrics_of_each_draw_are_those_of_scipy_and_scikit_learn() -> None:
    scores = scored()
    tables, checks = judge_draws(scores, GROUND)
    assert all(check.passed for check in checks)
    assert len(tables["areas"]) == 4 * N
    found = tables["metrics"].set_index(["fraction", "draw", "metric"])
    for (fraction, draw), group in scores.groupby(["fraction", "draw"]):
        weighted = group.merge(PLACES, on="location_id")
        weight = weighted.groupby("lsoa11")["weight"].transform("sum")
        weighted["weight"] = weighted["weight"].where(weight > 0, 1)
        sums = (weighted["h"] * weighted["weight"]).groupby(weighted["lsoa11"]).sum()
        score = sums / weighted.groupby("lsoa11")["weight"].sum()
        actual = LABELS.set_index("lsoa11")["decile"][score.index]
        rho = found.loc[(fraction, draw, "spearman_score")]
        assert rho["value"] == pytest.approx(spearmanr(score, actual).statistic)
        assert rho["lower"] < rho["value"] < rho["upper"]
        ranked = deciles(score.to_numpy(), worst="low").astype(int)
        kappa = cohen_kappa_score(actual, ranked, weights="quadratic", labels=range(1, 11))
        assert found.loc[(fraction, draw, "kappa_quadratic"), "value"] == pytest.approx(kappa)


@pytest.mark.parametrize(("fraction", "draw"), [(0.0, 0), (0.0, 1), (1.0, 0), (1.0, 1)])
def test_a_network_that_scored_an_area_of_another_fold_fails_the_check(
    fraction: float, draw: int
) -> None:
    scores = scored()
    here = (scores["fraction"] == fraction) & (scores["draw"] == draw)
    astray = here & (scores["location_id"] == "l0")
    scores.loc[astray, "fold"] = 4
    _, checks = judge_draws(scores, GROUND)
    (failed,) = (check for check in checks if not check.passed)
    assert failed.name == "out_of_fold"
    assert failed.blocking
    assert failed.values["n_astray"] == 1


def test_a_score_of_an_unknown_location_fails_the_check() -> None:
    scores = scored()
    scores.loc[0, "location_id"] = "nowhere"
    tables, checks = judge_draws(scores, GROUND)
    failed = {check.name: check.blocking for check in checks if not check.passed}
    assert failed["location_identity"] is True
    assert len(tables["areas"]) == 4 * N


def test_where_every_share_was_too_small_the_tables_are_empty() -> None:
    tables, checks = judge_draws(scored()[:0], GROUND)
    assert [len(table) for table in tables.values()] == [0, 0, 0]
    assert [check.name for check in checks] == ["location_identity", "out_of_fold", "probabilities"]
    assert all(check.passed for check in checks)
