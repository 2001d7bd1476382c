"""Heads of a joint network evaluated outcome by outcome, beside the separate networks."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from streetineq_assets.predictions.evaluation import Reference
from streetineq_assets.predictions.joint_evaluation import (
    JOINT_NETWORK,
    evaluate_outcomes,
    side_by_side,
)
from streetineq_assets.study import Pair

N = 50
AREAS = [f"E{n:03d}" for n in range(N)]
IDS = [f"l{n}" for n in range(N)]
LOCATIONS = pd.DataFrame({"location_id": IDS, "area": AREAS, "weight": 1})
DECILES = np.arange(N) % 10 + 1.0
FOLDS = pd.DataFrame({"area": AREAS, "fold": np.arange(N) % 5})
CENTROIDS = pd.DataFrame({"area": AREAS, "easting_m": 500.0 * np.arange(N), "northing_m": 0.0})


def reference(outcome: str, labels: pd.DataFrame) -> Reference:
    return Reference(
        pair=Pair("leeds", outcome), locations=LOCATIONS, labels=labels, tested=FOLDS,
        centroids=CENTROIDS, rule="mean_score", scheme="area", seed=1,
    )  # fmt: skip


def references() -> dict[str, Reference]:
    """Ten areas have no label for crime."""
    labels = pd.DataFrame({"area": AREAS, "decile": DECILES})
    return {"crime": reference("crime", labels[10:]), "education": reference("education", labels)}


def scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for outcome, noise in (("crime", 1.0), ("education", 4.0)):
        p = rng.dirichlet(np.ones(10), N)
        parts.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "location_id": IDS,
                    "fold": FOLDS["fold"],
                    "h": DECILES - 5.5 + rng.normal(0, noise, N),
                    **{f"p_{k + 1}": p[:, k] for k in range(10)},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_each_head_is_evaluated_on_the_areas_that_its_outcome_labels() -> None:
    given = scores()
    metrics, checks = evaluate_outcomes(given, references())
    assert set(metrics["model"]) == {JOINT_NETWORK}
    assert all(check.passed for check in checks)
    rho = metrics[metrics["metric"] == "spearman_score"].set_index("outcome")
    assert rho["n_lsoas"].to_dict() == {"crime": 40, "education": 50}
    for outcome, first in (("crime", 10), ("education", 0)):
        h = given.loc[given["outcome"] == outcome, "h"].to_numpy()[first:]
        expected = spearmanr(h, DECILES[first:]).statistic
        assert rho.loc[outcome, "value"] == pytest.approx(expected)


def test_locations_without_a_label_take_no_place_in_the_ranking() -> None:
    """Ten of fifty, spread over all scores, would move the predicted deciles of the others."""
    labels = pd.DataFrame({"area": AREAS, "decile": DECILES})
    unlabelled = DECILES >= 9
    given = scores()
    known = {"crime": reference("crime", labels[~unlabelled])}
    metrics, _ = evaluate_outcomes(given, known)
    h = given.loc[given["outcome"] == "crime", "h"].to_numpy()[~unlabelled]
    # Ten equal parts of forty areas, by rank.
    predicted = h.argsort().argsort() // 4 + 1
    expected = cohen_kappa_score(
        DECILES[~unlabelled].astype(int), predicted, labels=list(range(1, 11)), weights="quadratic"
    )
    kappa = metrics.loc[metrics["metric"] == "kappa_quadratic", "value"].item()
    assert kappa == pytest.approx(expected)


def test_a_score_of_another_fold_fails_the_check() -> None:
    given = scores()
    given.loc[60, "fold"] = 3
    _, checks = evaluate_outcomes(given, references())
    assert [check.name for check in checks if not check.passed] == ["out_of_fold"]


def test_a_score_of_an_unknown_location_fails_the_check() -> None:
    given = scores()
    given.loc[60, "location_id"] = "nowhere"
    _, checks = evaluate_outcomes(given, references())
    assert "location_identity" in [check.name for check in checks if not check.passed]


def test_a_head_whose_outcome_has_left_the_study_is_left_out() -> None:
    crime = {"crime": references()["crime"]}
    metrics, checks = evaluate_outcomes(scores(), crime)
    assert set(metrics["outcome"]) == {"crime"}
    assert all(check.passed for check in checks)
    metrics, checks = evaluate_outcomes(scores(), {"mean_income": crime["crime"]})
    assert metrics.empty
    assert all(check.passed for check in checks)


def test_the_two_stand_side_by_side() -> None:
    metrics, _ = evaluate_outcomes(scores(), references())
    own = metrics.assign(model="network", value=metrics["value"] - 0.25)
    baseline = metrics.assign(model="ridge", value=0.0)
    table = pd.DataFrame(side_by_side(metrics, pd.concat([own, baseline])))
    assert len(table) == 2 * 3
    assert np.allclose(table["joint"] - table["separate"], 0.25)
    alone = pd.DataFrame(side_by_side(metrics, baseline))
    assert alone["separate"].isna().all()
