"""The report tells how results came about from what they recorded, not from today's study.toml."""

import dataclasses
import datetime as dt
from typing import Any, Literal, get_args, get_origin

import pandas as pd
import pytest
from pydantic import BaseModel

from streetineq_assets.codes.tables import ShardsRecord
from streetineq_assets.findings import Findings
from streetineq_assets.predictions.evaluation import EVALUATION_FILES
from streetineq_assets.predictions.tables import METRICS
from streetineq_assets.reports import checks
from streetineq_assets.reports.history import read_history
from streetineq_assets.reports.page.render import settings_rows, synthetic_reasons
from streetineq_assets.reports.results import read_results
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study
from streetineq_tests import harness, studies
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.page.rendered import report

ALPHA, BETA = Pair("alpha", "crime"), Pair("beta", "crime")
SHOWN_AS_IT_IS = {"title", "cities"}  # names, and which pairs there are


# -- study.toml was edited since -------------------------------------------------------------------


def other_value(model: BaseModel, name: str) -> Any:
    """A value that the setting does not have; of a section, all of its settings."""
    value, kind = getattr(model, name), type(model).model_fields[name].annotation
    if isinstance(value, BaseModel):
        return value.model_copy(update={each: other_value(value, each) for each, _ in value})
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if isinstance(value, bool):
        return not value
    if choices:
        return next((choice for choice in choices if choice != value), value)
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, dt.date):
        return value + dt.timedelta(days=1)
    if isinstance(value, tuple):
        return value[::-1]
    return {"epochs": 1} if isinstance(value, dict) else f"{value}x"


def told(results, study):
    """All that the report says of how its results were made."""
    sections = [(each.scheme, each.made_with, each.disagreements) for each in results.pairs]
    made = settings_rows(results.pairs), synthetic_reasons(results, study)
    return sections, made, checks.ahead_of_baselines(results.current), results.history.tuned_on


@pytest.mark.parametrize("name", sorted(set(Study.model_fields) - SHOWN_AS_IT_IS))
def test_an_edit_of_any_setting_changes_nothing_of_what_is_told(
    name, evaluated_study, study, results
):
    changed = study.model_copy(update={name: other_value(study, name)})
    expected = told(results, study)
    found = told(read_results(DataStore(evaluated_study), changed), changed)
    if name == "synthetic":  # networks of random weights stay synthetic
        assert found[1][1] == ["the image encoder has random weights"]
        found = expected
    assert found == expected


def test_the_settings_are_those_that_were_recorded(results):
    made = dict(settings_rows(results.pairs))
    assert made["Profile"] == "recommended"
    assert made["Folds"] == "area, k = 5"
    assert made["Spatial blocks"] == "squares of 5 km, with a margin of 1 km"
    assert (made["Seed"], made["Aggregation rule"]) == ("7", "mean_score")
    assert (made["Date"], made["Editions"]) == ("2017-08-01", "2011, 2015")
    assert "weights random" in made["Encoder"]
    assert made["Training: learning rate"] == "0.001"


def test_where_pairs_differ_each_setting_names_its_pairs(store, study):
    made_up_study.make_again(
        store, "trained_model", BETA.key, profile_name="suel2019", mixed_precision=True
    )
    made = dict(settings_rows(read_results(store, study).pairs))
    assert made["Profile of alpha/crime"] == "recommended"
    assert made["Profile of beta/crime"] == "suel2019"
    assert made["Arithmetic of training of alpha/crime"] == "not recorded"
    assert made["Arithmetic of training of beta/crime"] == "float16 and float32"
    assert made["Seed"] == "7"


def test_where_the_steps_of_a_pair_differ_each_value_names_its_step(store, study):
    content = {
        name: (store.open("lsoa_evaluation", ALPHA.key).table(f"{name}.parquet"), schema)
        for name, schema in EVALUATION_FILES.items()
    }
    config = {"seed": 8, "rule": "mean_score"}
    made_up_study.publish(store, "lsoa_evaluation", ALPHA.key, content, config=config)
    made = read_history(store, study).made_with[ALPHA]
    assert made["Seed"] == "7 (trained_model), 7 (baseline_scores), 8 (lsoa_evaluation)"


# -- something was made again since ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asset", "stale"),
    [
        ("trained_model", {"baseline_scores", "location_predictions"}),
        ("baseline_scores", {"lsoa_evaluation"}),
        ("location_predictions", {"lsoa_predictions", "lsoa_evaluation"}),
        ("lsoa_predictions", {"lsoa_evaluation"}),
    ],
)
def test_a_step_that_was_made_again_alone_marks_its_pair(store, study, asset, stale):
    made_up_study.make_again(store, asset, ALPHA.key)
    found = read_results(store, study)
    assert [each.pair for each in found.current] == [BETA]
    marked = next(each for each in found.pairs if each.pair == ALPHA)
    assert {each.label for each in marked.disagreements} == {f"{s}[{ALPHA}]" for s in stale}
    assert {each.read for each in marked.disagreements} == {f"{asset}[{ALPHA}]"}
    check = checks.chains_agree(found.history.left_out)
    assert not check.passed
    assert f"lsoa_evaluation[{ALPHA}]" in check.description
    assert str(BETA) not in check.description
    assert set(found.metrics["city"]) == set(found.areas["city"]) == {"beta"}


def test_folds_that_were_made_again_are_not_told_of_the_pairs_of_before(store, study):
    made_up_study.make_again(store, "area_folds", "alpha")
    found = read_results(store, study)
    made = next(each for each in found.pairs if each.pair == ALPHA).made_with
    assert made["Folds"].startswith("area, 5 networks (not known: area_folds[alpha]")
    assert "Spatial blocks" not in made
    assert [each.pair for each in found.current] == [BETA]


def test_a_marked_pair_is_shown_with_a_warning_and_kept_out_of_the_summary(store):
    made_up_study.make_again(store, "trained_model", ALPHA.key)
    result = harness.run(store, "inequality_report")
    assert {"chains_agree", "ahead_of_baselines"} <= harness.failed(result)
    text = store.open("inequality_report").file("report.html").read_text(encoding="utf-8")
    summary = text[text.index('id="summary"') : text.index('id="alpha"')]
    assert "Beta" in summary
    assert "Alpha" not in summary[summary.index("<table>") :]
    section = text[text.index('id="alpha-crime"') : text.index('id="beta"')]
    assert "Not of what stands now" in section
    assert "trained_model[alpha/crime]" in section
    assert "lsoa_evaluation[alpha/crime]" in text[text.index('id="unavailable"') :]
    assert harness.metadata(harness.run(store, "inequality_report"), "inequality_report")["skipped"]


def test_without_a_pair_that_agrees_there_is_no_headline(store, study):
    for pair in (ALPHA, BETA):
        made_up_study.make_again(store, "trained_model", pair.key)
    found = read_results(store, study)
    assert not checks.ahead_of_baselines(found.current).passed
    text = report(dataclasses.replace(found, cities=[]), study)
    assert "No pair of city and outcome has results that can be compared" in text
    assert "ahead of every baseline" not in text


def test_a_joint_network_of_an_earlier_state_is_not_shown_beside_the_pairs(store, study):
    harness.publish(store, "joint_model", "alpha", joint_model=pd.DataFrame({"n": [1]}))
    crime = store.open("lsoa_evaluation", ALPHA.key).table("metrics.parquet").head(2)
    content = {"joint_evaluation": (crime.assign(model="joint_network"), METRICS)}
    made_up_study.publish(store, "joint_evaluation", "alpha", content, reads=("joint_model",))
    assert "joint_network" in set(read_results(store, study).pairs[0].metrics["model"])
    harness.publish(store, "joint_model", "alpha", joint_model=pd.DataFrame({"n": [2]}))
    found = read_results(store, study)
    assert "joint_network" not in set(found.pairs[0].metrics["model"])
    assert set(found.history.left_out) == {"joint_evaluation[alpha]"}
    assert found.pairs[0].is_current


def test_an_account_whose_steps_count_other_locations_says_so(store, study):
    """Locations were added since the codes were packed: listed are fewer than matched."""
    record = ShardsRecord(
        n_listed=180, n_extracted=180, n_rejected=0, n_missing=0,
        encoder=studies.ENCODER, dtype="float16",
    )  # fmt: skip
    rows = pd.DataFrame({"shard": [0]})
    harness.publish(store, "hdf5_shards", "alpha", Findings(record=record), rows=rows)
    harness.publish_again(store, "hdf5_shards", "alpha", inputs={"location_ids": "of before"})
    found = read_results(store, study)
    whys = {city.key: [str(why) for why in city.disagreements] for city in found.cities}
    assert whys["beta"] == []
    assert "hdf5_shards[alpha]" in whys["alpha"][0]
    assert "locations[alpha]" in whys["alpha"][0]
    text = report(dataclasses.replace(found, pairs=[]), study)
    assert "do not count the same locations" in text[text.index('id="alpha"') :]
