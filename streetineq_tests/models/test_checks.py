"""Checks of folds, networks and baselines: each fault fails its own check and no other."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.findings import Findings
from streetineq_assets.models.checks import baseline_checks, fold_checks, training_checks
from streetineq_assets.models.folds import FoldTable, Split, balance
from streetineq_assets.models.tables import BASELINES, BUFFERS, PROBABILITIES
from streetineq_assets.tables import conform, empty
from streetineq_tests.harness import failed_checks

CONSTANT_LOSS = 2.25

# -- networks --------------------------------------------------------------------------------------
# Six areas of two locations each. Fold f tests areas f and f + 3, and is validated on the areas
# that the next fold tests.

ROWS = pd.DataFrame(
    {
        "location_id": [f"{location:02d}" for location in range(12)],
        "area": [f"E0100000{location // 2}" for location in range(12)],
    }
)
TESTED_BY = ROWS.index.to_numpy() // 2 % 3


def splits():
    tests = [fold == TESTED_BY for fold in range(3)]
    return {f: Split(tests[(f + 2) % 3], tests[(f + 1) % 3], tests[f]) for f in range(3)}


def scores():
    p = dict.fromkeys(PROBABILITIES, 0.1)
    return pd.DataFrame({"location_id": ROWS["location_id"], "fold": TESTED_BY, "h": 0.0, **p})


@dataclass
class Trained:
    """What the networks of three folds gave, sound until a test spoils it."""

    scores: pd.DataFrame = field(default_factory=scores)
    splits: dict[int, Split] = field(default_factory=splits)
    n_labelled: int = 50
    n_unlabelled: int = 50
    losses: list[float] = field(default_factory=lambda: [2.0, 2.1] * 8)
    folds: list[int] = field(default_factory=lambda: [0, 1, 2, 3] * 4)
    scheme: str = "area"

    def checks(self):
        counts = {
            "n_locations_used": self.n_labelled,
            "n_locations_without_label": self.n_unlabelled,
        }
        losses = pd.DataFrame(
            {"fold": self.folds, "loss": self.losses, "constant_loss": CONSTANT_LOSS}
        )
        return training_checks(
            self.scores, ROWS, self.splits, counts=counts, losses=losses, scheme=self.scheme
        )

    def failed(self):
        return failed_checks(Findings(checks=self.checks()))

    def learned(self):
        (check,) = (check for check in self.checks() if check.name == "learned")
        return check


def scored_by_another_fold(trained):
    trained.scores.loc[0, "fold"] = 1


def scored_under_another_name(trained):
    trained.scores.loc[11, "location_id"] = "12"


def without_a_score(trained):
    trained.scores = trained.scores.drop(index=4).reset_index(drop=True)


def with_a_repeated_score(trained):
    trained.scores = trained.scores.loc[[0, *range(12)]].reset_index(drop=True)


def scored_by_two_folds(trained):
    """Fold 1 tests the first area too, and does not learn from it."""
    first = np.arange(12) < 2
    split = trained.splits[1]
    trained.splits[1] = Split(split.train & ~first, split.validation & ~first, split.test | first)
    again = trained.scores[first].assign(fold=1)
    both = pd.concat([trained.scores, again])
    trained.scores = both.sort_values(["location_id", "fold"], ignore_index=True)


def trained_on_an_area_of_validation(trained):
    """One location of an area moves to training, the other stays in validation."""
    split = trained.splits[0]
    moved = np.arange(12) == 2
    trained.splits[0] = Split(split.train | moved, split.validation & ~moved, split.test)


def trained_on_a_tested_area(trained):
    split = trained.splits[0]
    trained.splits[0] = replace(split, train=split.train | (np.arange(12) == 0))


def validated_on_a_tested_area(trained):
    split = trained.splits[0]
    trained.splits[0] = replace(split, validation=split.validation | (np.arange(12) == 0))


def scoring(**values):
    """A fault: the first score has these values."""

    def spoil(trained):
        trained.scores.loc[0, list(values)] = list(values.values())

    return spoil


def fewer_than_half_labelled(trained):
    trained.n_labelled, trained.n_unlabelled = 49, 51


def losing(*losses):
    """A fault: the losses of sixteen areas, four times these."""

    def spoil(trained):
        trained.losses = list(losses) * 4

    return spoil


def one_large_fold_learned_nothing(trained):
    trained.losses = [1.5] * 300 + [CONSTANT_LOSS] * 100
    trained.folds = [0] * 300 + [1] * 100


TRAINING_FAULTS = [
    pytest.param(scored_by_another_fold, "out_of_fold", id="another fold's score"),
    pytest.param(scored_under_another_name, "out_of_fold", id="an unknown location's score"),
    pytest.param(without_a_score, "out_of_fold", id="a score is missing"),
    pytest.param(with_a_repeated_score, "out_of_fold", id="a score comes twice"),
    pytest.param(scored_by_two_folds, "out_of_fold", id="two folds score a location"),
    pytest.param(trained_on_an_area_of_validation, "no_leak", id="training on validation"),
    pytest.param(trained_on_a_tested_area, "no_leak", id="training on test"),
    pytest.param(validated_on_a_tested_area, "no_leak", id="validation on test"),
    pytest.param(scoring(p_1=0.2), "probabilities", id="sum above 1"),
    pytest.param(scoring(p_1=-0.1, p_2=0.3), "probabilities", id="a negative probability"),
    pytest.param(scoring(p_1=np.nan), "probabilities", id="no probability"),
    pytest.param(scoring(h=np.nan), "probabilities", id="no score"),
    pytest.param(scoring(h=np.inf), "probabilities", id="an infinite score"),
    pytest.param(fewer_than_half_labelled, "labels_cover_locations", id="49 of 100 labelled"),
    pytest.param(losing(*[CONSTANT_LOSS] * 4), "learned", id="no better than a constant"),
    # Gains of 0.5 and -0.3 in turn: mean 0.1, sd 0.413, so 0.1 +- 1.96 x 0.413 / 4 = 0.202.
    pytest.param(losing(1.75, 2.55, 1.75, 2.55), "learned", id="better by no more than chance"),
    pytest.param(losing(2.0, 2.0, 2.0, np.nan), "learned", id="a loss is undefined"),
    pytest.param(one_large_fold_learned_nothing, "learned", id="a large fold learned nothing"),
]


def test_sound_networks_pass_every_check():
    assert Trained().failed() == set()


@pytest.mark.parametrize(("spoil", "check"), TRAINING_FAULTS)
def test_each_fault_of_networks_fails_its_own_check(spoil, check):
    trained = Trained()
    spoil(trained)
    assert trained.failed() == {check}


@pytest.mark.parametrize("spoil", [trained_on_a_tested_area, validated_on_a_tested_area])
def test_a_leaky_scheme_may_test_areas_that_it_learned_from(spoil):
    trained = Trained(scheme="location")
    spoil(trained)
    assert trained.failed() == set()


def test_a_leaky_scheme_must_keep_validation_out_of_training():
    trained = Trained(scheme="location")
    trained_on_an_area_of_validation(trained)
    assert trained.failed() == {"no_leak"}


def test_a_gain_beyond_chance_is_learning():
    """Gains of 0.5 and 0 in turn: mean 0.25, sd 0.258, so 0.25 +- 1.96 x 0.258 / 4 = 0.127."""
    trained = Trained(losses=[1.75, 2.25] * 8)
    assert trained.failed() == set()
    assert trained.learned().values == pytest.approx({"gain": 0.25, "gain_lower": 0.1235}, abs=1e-3)


def test_whether_networks_learned_is_not_tested_on_fewer_than_ten_areas():
    found = Trained(losses=[1.0] * 9, folds=[0] * 9).learned()
    assert found.result == "not tested"
    assert "9 areas" in found.description
    assert Trained(losses=[1.0] * 10, folds=[0] * 10).learned().result == "holds"


def test_a_small_fold_that_gains_nothing_is_no_fault():
    trained = Trained(losses=[1.5] * 300 + [CONSTANT_LOSS] * 99, folds=[0] * 300 + [1] * 99)
    assert trained.failed() == set()


def test_networks_that_did_not_learn_are_told_with_both_losses_and_the_fold():
    trained = Trained()
    one_large_fold_learned_nothing(trained)
    told = trained.learned().description
    for part in ("400 areas", "1.688", "2.250", "in fold 1", "[training.overrides]"):
        assert part in told


# -- folds -----------------------------------------------------------------------------------------
# Twenty areas, two of each decile, in two folds that each test one of every decile.

AREAS = pd.DataFrame(
    {
        "area": [f"E010000{area:02d}" for area in range(20)],
        "decile": np.arange(20) // 2 + 1,
    }
)


def table_of(folds, *, lsoas=AREAS["area"], scheme="area", locations=None):
    frame = pd.DataFrame({"area": lsoas, "fold": folds, "scheme": scheme})
    return FoldTable(frame, empty(BUFFERS), locations)


def failed_of_folds(table):
    return failed_checks(Findings(checks=fold_checks(table, AREAS, balance(table, AREAS))))


def dealt(moved=()):
    """Folds 0 and 1 in turn, but for the area of a (decile, fold) that goes to another fold."""
    folds = np.arange(20) % 2
    for (decile, fold), other in dict(moved).items():
        folds[2 * (decile - 1) + fold] = other
    return folds


def by_location():
    locations = pd.DataFrame({"location_id": ["1", "2"], "fold": [0, 1]})
    return table_of(-1, scheme="location", locations=locations)


def with_an_area_twice():
    lsoas = pd.concat([AREAS["area"], AREAS["area"].iloc[[8]]], ignore_index=True)
    return table_of([*dealt(), 0], lsoas=lsoas)


FOLD_FAULTS = [
    pytest.param(
        table_of(dealt()[:-1], lsoas=AREAS["area"][:-1]), "areas_once", id="an area is missing"
    ),
    pytest.param(with_an_area_twice(), "areas_once", id="an area comes twice"),
    # Deciles 5 and 6 of fold 1 move: 12 and 8 areas, both of mean decile 5.5.
    pytest.param(
        table_of(dealt({(5, 1): 0, (6, 1): 0})), "folds_balanced", id="half as many areas again"
    ),
    # Areas of deciles 3 and 6 change places: the sums of ten deciles differ by 6, the means by 0.6.
    pytest.param(
        table_of(dealt({(3, 0): 1, (6, 1): 0})), "folds_balanced", id="means differ by 0.6"
    ),
    pytest.param(by_location(), "no_leak", id="areas are split"),
]


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(table_of(dealt()), id="even"),
        pytest.param(table_of(dealt({(5, 1): -1, (6, 1): -1})), id="ten areas and eight"),
        pytest.param(table_of(dealt({(3, 0): 1, (5, 1): 0})), id="means differ by 0.4"),
    ],
)
def test_sound_folds_pass_every_check(table):
    assert failed_of_folds(table) == set()


def test_folds_that_test_nothing_are_neither_filled_nor_balanced():
    assert failed_of_folds(table_of(-1)) == {"folds_filled", "folds_balanced"}


@pytest.mark.parametrize(("table", "check"), FOLD_FAULTS)
def test_each_fault_of_folds_fails_its_own_check(table, check):
    assert failed_of_folds(table) == {check}


# -- baselines -------------------------------------------------------------------------------------


def baselines():
    """Two baselines on the folds of whole areas, one of them on folds of locations too."""
    score = AREAS[["area"]].assign(score=5.5)
    parts = [
        score.assign(baseline="centre", scheme="area", fold=dealt()),
        score.assign(baseline="map_knn", scheme="area", fold=dealt()),
        score.assign(baseline="map_knn", scheme="location", fold=-1),
    ]
    return conform(pd.concat(parts), BASELINES)


def failed_of_baselines(frame):
    tables = {"area": table_of(dealt()), "location": by_location()}
    return failed_checks(Findings(checks=baseline_checks(frame, tables)))


def in_fold(scheme, fold):
    """Baselines whose first score under a scheme is of this fold."""
    frame = baselines()
    frame.loc[(frame["scheme"] == scheme).idxmax(), "fold"] = fold
    return frame


BASELINE_FAULTS = [
    pytest.param(empty(BASELINES), "available", id="no scores"),
    pytest.param(pd.concat([baselines()] * 2), "one_score_per_area", id="scores come twice"),
    pytest.param(in_fold("area", 1), "out_of_fold", id="another fold's score"),
    pytest.param(in_fold("area", -1), "out_of_fold", id="no fold's score"),
    pytest.param(in_fold("location", 0), "out_of_fold", id="a fold of an area that is in several"),
]


def test_sound_baselines_pass_every_check():
    assert failed_of_baselines(baselines()) == set()


@pytest.mark.parametrize(("frame", "check"), BASELINE_FAULTS)
def test_each_fault_of_baselines_fails_its_own_check(frame, check):
    assert failed_of_baselines(frame) == {check}
