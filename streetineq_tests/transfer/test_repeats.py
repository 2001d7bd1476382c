"""Every repeat is evaluated by the functions that evaluate a city's own networks."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from streetineq_assets.labels.deciles import deciles
from streetineq_assets.predictions import evaluation
from streetineq_assets.predictions.evaluation import Evaluation, Reference
from streetineq_assets.study import Pair
from streetineq_assets.transfer.pair_tuning import evaluate_repeats

N = 60
AREAS = [f"E{n:03d}" for n in range(N)]
IDS = [f"l{n}" for n in range(2 * N)]
LOCATIONS = pd.DataFrame(
    {"location_id": IDS, "area": np.repeat(AREAS, 2), "weight": np.arange(2 * N) % 3}
)
LABELS = pd.DataFrame({"area": AREAS, "decile": np.arange(N) % 10 + 1.0})
TESTED = pd.DataFrame({"area": AREAS, "fold": np.arange(N) % 5})
CENTROIDS = pd.DataFrame(
    {"area": AREAS, "easting_m": np.arange(N) * 500.0, "northing_m": np.arange(N) % 7 * 500.0}
)
REFERENCE = Reference(
    pair=Pair("leeds", "crime"), locations=LOCATIONS, labels=LABELS, tested=TESTED,
    centroids=CENTROIDS, rule="mean_score", scheme="area", seed=1,
)  # fmt: skip


@pytest.fixture
def without_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the metrics, which take longest, where only checks are asked for."""
    monkeypatch.setattr(evaluation, "evaluate_pair", lambda *_, **__: Evaluation.of_nothing())


def scored() -> pd.DataFrame:
    """Two shares of two repeats; the larger share knows more."""
    rng = np.random.default_rng(0)
    truth = np.repeat(LABELS["decile"].to_numpy(), 2) - 5.5
    parts = []
    for share, noise in ((0.0, 6.0), (1.0, 1.0)):
        for repeat in range(2):
            p = rng.dirichlet(np.ones(10), 2 * N)
            parts.append(
                pd.DataFrame(
                    {
                        "network": "fine_tuned",
                        "share_of": "either",
                        "share": share,
                        "repeat": repeat,
                        "location_id": IDS,
                        "fold": np.repeat(TESTED["fold"].to_numpy(), 2),
                        "h": truth + rng.normal(0, noise, 2 * N),
                        **{f"p_{k + 1}": p[:, k] for k in range(10)},
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def test_metrics_of_each_repeat_are_those_of_scipy_and_scikit_learn() -> None:
    scores = scored()
    tables, checks = evaluate_repeats(scores, REFERENCE)
    assert all(check.passed for check in checks)
    assert len(tables["tuned_lsoas"]) == 4 * N
    found = tables["tuned_metrics"].set_index(["share", "repeat", "metric"])
    for (share, repeat), group in scores.groupby(["share", "repeat"]):
        weighted = group.merge(LOCATIONS, on="location_id")
        weight = weighted.groupby("area")["weight"].transform("sum")
        weighted["weight"] = weighted["weight"].where(weight > 0, 1)
        sums = (weighted["h"] * weighted["weight"]).groupby(weighted["area"]).sum()
        score = sums / weighted.groupby("area")["weight"].sum()
        actual = LABELS.set_index("area")["decile"][score.index]
        rho = found.loc[(share, repeat, "spearman_score")]
        assert rho["value"] == pytest.approx(spearmanr(score, actual).statistic)
        assert rho["lower"] < rho["value"] < rho["upper"]
        ranked = deciles(score.to_numpy(), worst="low").astype(int)
        kappa = cohen_kappa_score(actual, ranked, weights="quadratic", labels=range(1, 11))
        assert found.loc[(share, repeat, "kappa_quadratic"), "value"] == pytest.approx(kappa)


@pytest.mark.parametrize(("share", "repeat"), [(0.0, 0), (0.0, 1), (1.0, 0), (1.0, 1)])
@pytest.mark.usefixtures("without_metrics")
def test_a_network_that_scored_an_area_of_another_fold_fails_the_check(
    share: float, repeat: int
) -> None:
    scores = scored()
    here = (scores["share"] == share) & (scores["repeat"] == repeat)
    astray = here & (scores["location_id"] == "l0")
    scores.loc[astray, "fold"] = 4
    _, checks = evaluate_repeats(scores, REFERENCE)
    (failed,) = (check for check in checks if not check.passed)
    assert failed.name == "out_of_fold"
    assert failed.blocking
    assert failed.values["n_astray"] == 1


@pytest.mark.usefixtures("without_metrics")
def test_a_score_of_an_unknown_location_fails_the_check() -> None:
    scores = scored()
    scores.loc[0, "location_id"] = "nowhere"
    tables, checks = evaluate_repeats(scores, REFERENCE)
    failed = {check.name: check.blocking for check in checks if not check.passed}
    assert failed["location_identity"] is True
    assert len(tables["tuned_lsoas"]) == 4 * N


def test_where_every_share_was_too_small_the_tables_are_empty() -> None:
    tables, checks = evaluate_repeats(scored()[:0], REFERENCE)
    assert [len(table) for table in tables.values()] == [0, 0, 0]
    assert [check.name for check in checks] == ["location_identity", "out_of_fold", "probabilities"]
    assert all(check.passed for check in checks)
