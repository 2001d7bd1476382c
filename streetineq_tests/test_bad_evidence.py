"""What is said where the evidence is poor: a table of bad inputs, each walked through every step.

`CASES` says of each which check finds what, and what the notes and the report tell. It is asked
twice: of the functions, which takes a moment, and of the assets up to the report. Whatever is
undefined is "none" or "not tested", with the reason; nothing undefined passes, and nobody reads
"nan". What is refused before there is evidence is tested by the step that does; artefacts that
do not fit each other are in `test_unfit_artefacts`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from streetineq_assets.evidence import checks as of_evidence
from streetineq_assets.evidence import equity
from streetineq_assets.evidence.groups import Groups, read_groups
from streetineq_assets.evidence.matrix import build_evidence
from streetineq_assets.findings import DOES_NOT_HOLD, HOLDS, NOT_TESTED, Check
from streetineq_assets.geography import area_centroids
from streetineq_assets.models.folds import area_folds
from streetineq_assets.models.tables import PROBABILITIES
from streetineq_assets.predictions import checks as of_predictions
from streetineq_assets.predictions.aggregation import mean_probabilities
from streetineq_assets.predictions.evaluation import evaluate_pair
from streetineq_assets.predictions.headline import headline
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.predictions.location_scores import join
from streetineq_assets.predictions.ranked_areas import rank_areas
from streetineq_assets.settings import Areas
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair
from streetineq_assets.tables import empty
from streetineq_assets.transfer.checks import transfer_checks
from streetineq_assets.transfer.comparison import ComparedAreas, compare
from streetineq_assets.transfer.tables import CURVE_SUMMARY, EITHER, FROM_SCRATCH, TUNED
from streetineq_tests import downstream, harness
from streetineq_tests.downstream import City, city, with_areas
from streetineq_tests.predictions import simulated

PAIR = "alpha/crime"
OF_PAIR = ("location_predictions", "lsoa_predictions", "lsoa_evaluation", "equity_audit")
UNDEFINED = re.compile(r"\bnan\b", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """A bad input and what is said of it.

    Attributes:
        alpha: the city that is looked at.
        checks: "asset.check" to its result, and a fact of its description.
        notes: "asset.note" to a fact of it.
        report: facts that the report tells.
        scheme: of the folds; by city there is a second city, which has no fault.
        groups: the user's CSV.
    """

    alpha: City
    checks: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    report: tuple[str, ...] = ()
    scheme: str = "area"
    groups: str = ""


def with_equal_scores() -> City:
    areas, locations = city()
    return City(areas, locations.assign(h=0.3))


def without_some_msoas() -> City:
    areas, locations = city()
    return City(areas.assign(msoa=areas["msoa"].where(areas.index >= 20)), locations)


def wards() -> str:
    """One area in ward x and the others in two wards, by area."""
    codes = city().areas["area"]
    return "area,ward\n" + "".join(
        f"{code},{'x' if n == 0 else 'yz'[n % 2]}\n" for n, code in enumerate(codes)
    )


NOTHING_KNOWN = {
    "evidence_matrix.beats_the_map": (NOT_TESTED, "crime (60 areas)"),
    "evidence_matrix.not_flattered": (NOT_TESTED, "crime (60 areas)"),
}
CASES = {
    "one area": Case(
        alpha=city(1),
        checks={
            "area_folds.available": (DOES_NOT_HOLD, "cannot fill 4 folds"),
            "lsoa_predictions.available": (DOES_NOT_HOLD, "cannot fill 4 folds"),
            "lsoa_evaluation.beats_the_map": (NOT_TESTED, "cannot fill 4 folds"),
            "equity_audit.no_group_is_missed": (NOT_TESTED, "cannot fill 4 folds"),
            "data_audit.coverage_even": (NOT_TESTED, "no area was ranked"),
            "inequality_report.pairs_available": (DOES_NOT_HOLD, PAIR),
        },
        report=("cannot fill 4 folds",),
    ),
    "one area, by the networks of another city": Case(
        alpha=city(1),
        scheme="city",
        checks={
            "lsoa_predictions.stands_for_the_city": (HOLDS, "1 of 1 areas"),
            "lsoa_predictions.enough_areas": (DOES_NOT_HOLD, "only 1 of the 30"),
            "lsoa_evaluation.beats_the_map": (NOT_TESTED, "other cities"),
            "lsoa_evaluation.same_areas": (HOLDS, ""),
            "equity_audit.no_group_is_missed": (NOT_TESTED, "4 MSOAs"),
            "inequality_report.ahead_of_baselines": (NOT_TESTED, PAIR),
        },
        notes={
            "lsoa_predictions.shrinkage": "takes two areas",
            "lsoa_predictions.calibration": "takes 9 areas",
            "lsoa_evaluation.headline": "none, too few",
        },
        report=("Only 1 area,", "No area has an interval"),
    ),
    "all predictions equal": Case(
        alpha=with_equal_scores(),
        checks={
            "lsoa_evaluation.beats_the_map": (DOES_NOT_HOLD, "network 0.000"),
            "equity_audit.no_group_is_missed": (NOT_TESTED, "errs differently"),
            "inequality_report.ahead_of_baselines": (DOES_NOT_HOLD, PAIR),
            **NOTHING_KNOWN,
        },
        notes={
            "lsoa_predictions.ranking": "all 60 areas",
            "lsoa_evaluation.headline": "| Spearman of the score | none |",
        },
        report=("All 60 areas have the same score",),
    ),
    "all labels equal": Case(
        alpha=with_areas(value=0.5, decile=1),
        checks={
            "lsoa_predictions.stands_for_the_city": (HOLDS, "60 of 60 areas"),
            "lsoa_evaluation.beats_the_map": (NOT_TESTED, "60 compared areas are all"),
            "inequality_report.ahead_of_baselines": (NOT_TESTED, PAIR),
            **NOTHING_KNOWN,
        },
        notes={"lsoa_evaluation.headline": "| quadratic kappa | none |"},
        report=("All 60 areas are of actual decile 1", "It was not tested in"),
    ),
    "all labels equal, by the networks of another city": Case(
        alpha=with_areas(value=0.5, decile=1),
        scheme="city",
        checks={
            "lsoa_evaluation.beats_the_map": (NOT_TESTED, "other cities"),
            "inequality_report.ahead_of_baselines": (NOT_TESTED, PAIR),
        },
        report=("All 60 areas are of actual decile 1", "It was not tested in"),
    ),
    "one location in every area": Case(
        alpha=city(per_area=1),
        checks={"lsoa_predictions.enough_areas": (HOLDS, "60 areas")},
        notes={"lsoa_predictions.shrinkage": "an area with two locations"},
    ),
    "no MSOA": Case(
        alpha=with_areas(msoa=None),
        checks={"lsoa_evaluation.same_areas": (HOLDS, "")},
        notes={
            "lsoa_evaluation.headline": "codes or areas: MSOAs",
            "baseline_scores.areas_without_msoa": "60 of 60",
            "equity_audit.areas_without_msoa": "60 of 60",
        },
        report=("whose MSOA is",),
    ),
    "some MSOAs": Case(
        alpha=without_some_msoas(),
        notes={
            "baseline_scores.areas_without_msoa": "20 of 60",
            "equity_audit.areas_without_msoa": "20 of 60",
        },
    ),
    "a group of one area": Case(
        alpha=city(),
        groups=wards(),
        checks={"equity_audit.no_group_is_missed": (HOLDS, "ward x (1 ranked)")},
    ),
}
UNRANKED = ["all predictions equal", "all labels equal"]
ASSETS_ALONE = {"one area", "some MSOAs"}  # the first is never predicted, the second is in notes
BY_FUNCTIONS = [name for name in CASES if name not in ASSETS_ALONE]


# -- by the functions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_FUNCTIONS)
def test_every_function_says_what_is_poor(name, tmp_path):
    case = CASES[name]
    found, notes = by_functions(case, tmp_path)
    for key in sorted(set(case.checks) & set(found)):
        assert_said(found[key].result, found[key].description, case.checks[key], key)
    for key in sorted(set(case.notes) & set(notes)):
        assert case.notes[key] in notes[key], key
    told = [*notes.values(), *(each.description for each in found.values())]
    assert not [text for text in told if UNDEFINED.search(text)]
    for each in found.values():
        undefined = [value for value in each.values.values() if value != value]
        assert not (each.result == HOLDS and undefined), each


def by_functions(case: Case, root: Path) -> tuple[dict[str, Check], dict[str, str]]:
    """Checks and notes by "asset.name", of the functions that the assets call."""
    alpha, scheme = case.alpha, case.scheme
    areas = alpha.areas.assign(decile=alpha.areas["decile"].astype("Int8"))
    fold = 0 if scheme == "city" else area_folds(areas[["area", "decile"]], k=4, seed=7)
    tested = areas[["area"]].assign(fold=fold)
    scores = alpha.locations.merge(tested, on="area").assign(weight=1)
    p = dict.fromkeys(PROBABILITIES, 0.1)
    pair = Pair("alpha", "crime")
    locations = join(scores[["location_id", "fold", "h"]].assign(**p), scores, areas, pair)
    asked = {"rule": "mean_score", "scheme": scheme}
    ranked = rank_areas(locations, settings=Areas(), level=0.9, **asked)
    baselines = simulated.baselines(ranked.areas)
    if scheme == "city":
        baselines = baselines[baselines["baseline"].isin(["constant", "ridge"])]
        baselines = baselines.assign(scheme="city")
    centroids = area_centroids(areas)
    own = mean_probabilities(locations, ranked.areas["area"])
    evaluated = evaluate_pair(ranked.areas, own, baselines, centroids, **asked, seed=7, draws=50)
    found = {
        "lsoa_predictions": of_predictions.area_checks(ranked.areas, len(areas)),
        "lsoa_evaluation": of_predictions.evaluation_checks(evaluated, scheme),
        "equity_audit": [of_evidence.no_group_is_missed(audited(case, ranked.areas, root))],
    }
    if scheme == "area":
        found["evidence_matrix"] = matrix_checks(ranked.areas, baselines, areas, centroids)
    notes = {f"lsoa_predictions.{name}": text for name, text in ranked.notes.items()}
    notes["lsoa_evaluation.headline"] = headline(evaluated, scheme)[1]
    by_name = {f"{a}.{check.name}": check for a, each in found.items() for check in each}
    return by_name, notes


def audited(case: Case, predicted: pd.DataFrame, root: Path) -> pd.DataFrame:
    areas = case.alpha.areas
    values = areas[["area", "decile", "value"]]
    places = areas[["area", "msoa", "authority"]].astype("str")
    gathered = equity.gather(values, predicted, places)
    return equity.audit(gathered, groups_of(DataStore(root), case).table, seed=7)


def groups_of(store: DataStore, case: Case) -> Groups:
    """The user's groups, written into the study's inputs first."""
    if case.groups:
        path = store.inputs("groups", "mine.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(case.groups, encoding="utf-8")
    return read_groups(store, case.alpha.areas["area"])


def matrix_checks(
    predicted: pd.DataFrame, baselines: pd.DataFrame, areas: pd.DataFrame, centroids: pd.DataFrame
) -> list[Check]:
    """Of a matrix in which the network scores the same under areas and under blocks."""
    network = predicted[["area", "fold", "score"]].assign(model=JOINT_NETWORK)
    maps = baselines[baselines["baseline"].str.startswith("map")].rename(
        columns={"baseline": "model"}
    )
    parts = [pd.concat([maps, network]).assign(scheme=each) for each in ("area", "spatial_block")]
    scores = pd.concat(parts).assign(city="alpha", outcome="crime", seed=0)
    labels = areas[["area", "decile"]].assign(outcome="crime")
    found = build_evidence(scores, labels, centroids, own_scheme="area", seed=7, draws=50)
    return [
        of_evidence.beats_the_map(found.gains),
        of_evidence.not_flattered(found.flattery, "area"),
    ]


def assert_said(result: str, description: str, expected: tuple[str, str], key: str) -> None:
    assert result == expected[0], f"{key}: {description}"
    assert expected[1] in description, f"{key}: {description}"


@pytest.mark.parametrize("name", ["one area, by the networks of another city", *UNRANKED])
def test_no_claim_of_transfer_holds_where_nothing_can_be_ranked(name):
    areas, locations = CASES[name].alpha
    score = locations.groupby("area", as_index=False)["h"].mean().rename(columns={"h": "score"})
    own = score.merge(areas.rename(columns={"decile": "actual_decile"}), on="area")
    tuned = pd.concat(
        own.assign(network=network, share_of=unit, share=share, repeat=repeat)
        for network, unit, share in [
            (TUNED, EITHER, 0.0), (TUNED, "areas", 0.01), (FROM_SCRATCH, "areas", 0.01),
        ]
        for repeat in (0, 1)
    )  # fmt: skip
    compared = ComparedAreas(tuned, own, area_centroids(areas), margin=0.05, seed=7)
    rows = pd.DataFrame(compare(compared, draws=50)).assign(
        source="beta", city="alpha", outcome="crime"
    )
    assert set(rows["result"]) == {NOT_TESTED}
    found = transfer_checks(rows, empty(CURVE_SUMMARY))
    assert {each.result for each in found} == {NOT_TESTED}
    assert not [each for each in found if UNDEFINED.search(each.description)]


# -- by the assets ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_asset_up_to_the_report_says_what_is_poor(name, tmp_path):
    case = CASES[name]
    cities = {"alpha": case.alpha} | (
        {"beta": city(40, first=500)} if case.scheme == "city" else {}
    )
    store = downstream.write(tmp_path, cities, scheme=case.scheme)
    groups_of(store, case)
    runs = run_all(store, cities)
    found = {f"{a}.{n}": c for a, run in runs.items() for n, c in harness.checks(run).items()}
    for key, expected in case.checks.items():
        result = found[key].metadata["result"].value
        assert_said(result, found[key].description, expected, key)
    shown = {f"{a}.{n}": v for a, run in runs.items() for n, v in metadata_of(run, a).items()}
    for key, fact in case.notes.items():
        assert fact in shown[key], key
    report = text_of(store)
    for fact in case.report:
        assert fact in report
    told = [*map(str, shown.values()), *(each.description for each in found.values()), report]
    assert not [text for text in told if UNDEFINED.search(text)]


def run_all(store: DataStore, cities: dict[str, City]) -> dict[str, Any]:
    """Asset to its run, of alpha and then of all cities."""
    runs = {"area_folds": harness.run(store, "area_folds", "alpha")}
    for name in reversed(cities):
        key = f"{name}/crime"
        if store.open("area_folds", name).manifest.unavailable:
            runs["trained_model"] = harness.run(store, "trained_model", key)
        else:
            downstream.publish_scores(store, name, cities[name].locations)
        for asset in ("baseline_scores", *OF_PAIR):
            runs[asset] = harness.run(store, asset, key)
    if len(cities) == 1 and "trained_model" not in runs:
        downstream.publish_schemes(store, "alpha", cities["alpha"].locations)
        runs["evidence_matrix"] = harness.run(store, "evidence_matrix", "alpha")
    runs["data_audit"] = harness.run(store, "data_audit", "alpha")
    for asset in ("transfer_report", "inequality_report"):
        runs[asset] = harness.run(store, asset)
    return runs


def metadata_of(run: Any, asset: str) -> dict[str, Any]:
    return {} if asset == "area_folds" else harness.metadata(run, asset)


def text_of(store: DataStore) -> str:
    """What people read in the report."""
    html = store.open("inequality_report").file("report.html").read_text(encoding="utf-8")
    shown = html[: html.index('id="made"')]
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>|<img[^>]*>", "", shown, flags=re.S))
