"""No check passes on what is undefined, nor a warning on nothing."""

import importlib
import math
import pkgutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streetineq_assets
from streetineq_assets.findings import CheckSpec
from streetineq_assets.models import checks as of_models
from streetineq_assets.models.folds import Split
from streetineq_assets.models.tables import BASELINES, SCORES
from streetineq_assets.predictions import checks as of_predictions
from streetineq_assets.predictions.evaluation import Evaluation
from streetineq_assets.predictions.tables import LOCATION_PREDICTIONS, LSOA_PREDICTIONS
from streetineq_assets.reports import checks as of_reports
from streetineq_assets.tables import empty
from streetineq_assets.transfer import checks as of_transfer
from streetineq_assets.transfer.tables import (
    CURVE_SUMMARY,
    TRANSFER_COMPARISONS,
    TUNING_RUNS,
)


def declared() -> list[CheckSpec]:
    """Every check of the package."""
    names = [
        m.name for m in pkgutil.walk_packages(streetineq_assets.__path__, "streetineq_assets.")
    ]
    modules = [importlib.import_module(name) for name in names if name.endswith("checks")]
    specs = [each for module in modules for each in vars(module).values()]
    return sorted({each for each in specs if isinstance(each, CheckSpec)}, key=lambda s: s.name)


NUMBERS = st.floats(allow_nan=False) | st.integers() | st.text() | st.none()


@settings(max_examples=50, deadline=None)
@given(spec=st.sampled_from(declared()), values=st.dictionaries(st.just("n"), NUMBERS))
def test_a_check_passes_on_what_is_known(spec, values):
    assert spec.result(True, "it holds", **values).passed
    assert not spec.result(False, "it does not", **values).passed


@settings(max_examples=50, deadline=None)
@given(spec=st.sampled_from(declared()), values=st.dictionaries(st.just("n"), NUMBERS))
def test_no_check_passes_on_what_is_undefined(spec, values):
    for undefined in (math.nan, np.float64("nan")):
        found = spec.result(True, "it holds", **values, kappa=undefined)
        assert not found.passed
        assert "kappa" in found.description
        assert not spec.result(undefined, "it holds", **values).passed


@pytest.mark.parametrize("spec", declared(), ids=lambda spec: spec.name)
def test_a_warning_does_not_pass_on_nothing_and_a_blocking_check_says_so(spec):
    found = spec.result(True, "it holds", of=0)
    assert found.passed is spec.blocking
    assert found.description.startswith("not tested")


NO_ROWS = np.zeros(0, bool)
NO_LOSSES = pd.DataFrame({"fold": [], "area": [], "loss": [], "constant_loss": []})
NO_COUNTS = {"n_locations_used": 0, "n_locations_without_label": 0}
ON_NOTHING = {
    "networks": lambda: of_models.training_checks(
        empty(SCORES),
        pd.DataFrame({"location_id": [], "area": []}),
        {0: Split(NO_ROWS, NO_ROWS, NO_ROWS)},
        counts=NO_COUNTS,
        losses=NO_LOSSES,
        scheme="area",
    ),
    "baselines": lambda: of_models.baseline_checks(empty(BASELINES), {}),
    "locations": lambda: of_predictions.location_checks(
        empty(LOCATION_PREDICTIONS), pd.DataFrame({"area": [], "fold": []})
    ),
    "several sets of locations": lambda: of_predictions.first_failures([]),
    "areas": lambda: of_predictions.area_checks(empty(LSOA_PREDICTIONS), 0),
    "evaluation": lambda: of_predictions.evaluation_checks(Evaluation.of_nothing(), "area"),
    "shares": lambda: [of_transfer.shares_large_enough(empty(TUNING_RUNS))],
    "claims of transfer": lambda: of_transfer.transfer_checks(
        empty(TRANSFER_COMPARISONS), empty(CURVE_SUMMARY)
    ),
    "pairs": lambda: [of_reports.pairs_available([]), of_reports.ahead_of_baselines([])],
    "pack": lambda: [of_reports.report_is_current(["everything"])],
    "maps": lambda: [of_reports.areas_placed(0, 0, has_boundaries=True)],
}
OF_SETTINGS = {"no_leak"}  # it asks of the scheme, and not of what there is


@pytest.mark.parametrize("what", ON_NOTHING)
def test_on_nothing_each_check_fails_or_says_that_it_had_nothing(what):
    for check in ON_NOTHING[what]():
        said = check.description.startswith("not tested")
        assert said or not check.passed or check.name in OF_SETTINGS, check
