"""The two assets: what they publish, report, skip and make again."""

import json
import re

import dagster as dg
import pyarrow.parquet as pq
import pytest

from streetineq_assets.labels import checks, postcode_checks, tables
from streetineq_assets.labels.assets import build_assets
from streetineq_assets.partitions import Partitions
from streetineq_tests import harness
from streetineq_tests.harness import manifest_content, metadata, run
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import ASSETS, STUDIED, contents, make_study

DECLARED = {"postcode_lsoa": postcode_checks.POSTCODE_LSOA, "lsoa_labels": checks.LSOA_LABELS}
TABLES = {
    "postcode_lsoa": ("postcode_lsoa", tables.POSTCODE_LSOA),
    "lsoa_labels": ("lsoa_labels", tables.LSOA_LABELS),
    "decile_edges": ("lsoa_labels", tables.DECILE_EDGES),
    "availability": ("lsoa_labels", tables.AVAILABILITY),
}


def test_the_official_files_stand_in_the_lineage_before_the_assets():
    assets = build_assets(Partitions(STUDIED))
    specs = {spec.key.to_user_string(): spec for asset in assets for spec in specs_of(asset)}
    external = {"census", "iod", "household_income", "onspd", "lsoa_boundaries"}
    assert set(specs) == external | {"postcode_lsoa", "lsoa_labels"}
    deps = {dep.asset_key.to_user_string() for dep in specs["lsoa_labels"].deps}
    assert deps == external - {"onspd"} | {"postcode_lsoa"}
    assert {spec.group_name for spec in specs.values()} == {"1_labels"}


def specs_of(asset):
    return [asset] if isinstance(asset, dg.AssetSpec) else asset.specs


def observed(result):
    """What a run says of the external assets: key to its metadata."""
    events = result.get_asset_observation_events()
    found = [event.asset_observation_data.asset_observation for event in events]
    return {
        each.asset_key.to_user_string(): {k: v.value for k, v in each.metadata.items()}
        for each in found
    }


def test_the_official_files_are_observed_with_edition_and_publisher(published, tmp_path):
    store = make_study(tmp_path)
    assert observed(run(store, "postcode_lsoa"))["onspd"]["status"] == "found"
    shown = observed(run(store, "lsoa_labels"))
    rows = [record.data for record in shown["census"]["files"].records]
    assert {"ONS" in row["publisher"] or "Nomis" in row["publisher"] for row in rows} == {True}
    assert {row["edition"] for row in rows} == {"2011"}
    assert shown["lsoa_boundaries"] == {"status": "missing", "n_files": 0}


@pytest.mark.parametrize("asset", ASSETS)
def test_every_declared_check_is_reported(published, asset):
    reported = published.manifest(asset).summary["checks"]
    assert [c["name"] for c in reported] == [spec.name for spec in DECLARED[asset]]
    assert [c["blocking"] for c in reported] == [spec.blocking for spec in DECLARED[asset]]


@pytest.mark.parametrize("name", TABLES)
def test_every_published_table_has_its_schema(published, name):
    asset, fields = TABLES[name]
    table = pq.read_table(published.open(asset).file(f"{name}.parquet"))
    assert [(c.name, c.type) for c in table.schema] == [(c.name, c.type) for c in fields]
    complete = {column.name for column in fields if not column.nullable}
    assert {column for column in complete if table[column].null_count} == set()


def test_every_published_table_is_declared(published):
    files = {name for asset in ASSETS for name in published.manifest(asset).files}
    assert {name for name in files if name.endswith(".parquet")} == {f"{n}.parquet" for n in TABLES}


def test_plots_are_there_for_each_city(published):
    files = published.manifest("lsoa_labels").files
    assert {name for name in files if name.endswith(".png")} == {
        f"{kind}_{city}.png"
        for kind in ("distributions", "correlations", "deciles")
        for city in ("alpha", "beta")
    }


def test_the_metadata_of_a_first_run(first_runs):
    shown = metadata(first_runs[1]["postcode_lsoa"], "postcode_lsoa")
    assert shown["dagster/row_count"] == 4 * len(official.LSOAS) + 3
    assert shown["n_live_small_user"] == 2 * len(official.LSOAS)
    schema = {column.name: column for column in shown["dagster/column_schema"].columns}
    assert "degrees" in schema["lat"].description
    assert schema["usertype"].type == "int8"
    assert metadata(first_runs[1]["lsoa_labels"], "lsoa_labels")["n_lsoas_without_boundary"] == 0


def test_a_second_run_skips(spoilable):
    before = contents(spoilable)
    shown = {asset: metadata(run(spoilable, asset), asset) for asset in ASSETS}
    assert all(shown[asset]["skipped"] is True for asset in ASSETS)
    assert shown["lsoa_labels"]["n_pairs_available"] == 24
    assert contents(spoilable) == before


@pytest.mark.usefixtures("without_plots")
def test_changed_files_are_read_again_and_the_same_numbers_give_the_same_bytes(spoilable):
    """One table in another layout, in another folder; `test_plots` has the same of plots."""
    before = contents(spoilable)
    official.write(spoilable.inputs("census/QS302EW.csv"), official.nomis_bulk("QS302EW"))
    assert metadata(run(spoilable, "postcode_lsoa"), "postcode_lsoa")["skipped"] is True
    assert metadata(run(spoilable, "lsoa_labels"), "lsoa_labels")["skipped"] is False
    tables = {name: raw for name, raw in before.items() if name.endswith(".parquet")}
    assert contents(spoilable) == tables


def test_an_artefact_of_the_earlier_version_is_skipped_under_todays_names_of_checks(spoilable):
    path = spoilable.folder("postcode_lsoa") / "manifest.json"
    content = manifest_content(path)
    summary = content["summary"]
    summary["figures"] = summary.pop("values")
    former = {"cities_present": "cities_found", "postcodes_matched": "postcodes_placed"}
    for check in summary["checks"]:
        check["name"] = former.get(check["name"], check["name"])
        check["figures"] = check.pop("values")
    kept = {name: content[name] for name in content.keys() - {"record", "unavailable"}}
    path.write_text(json.dumps(kept | {"schema_version": 1}))
    result = run(spoilable, "postcode_lsoa")
    assert metadata(result, "postcode_lsoa")["skipped"] is True
    assert set(harness.checks(result)) == {spec.name for spec in postcode_checks.POSTCODE_LSOA}


def test_another_published_number_of_areas_is_compared(spoilable):
    toml = spoilable.study_file.read_text()
    spoilable.study_file.write_text(toml.replace("lsoas = 30", "lsoas = 31"))
    assert harness.failed(run(spoilable, "postcode_lsoa")) == {"areas_as_published"}


@pytest.mark.usefixtures("without_plots")
def test_changed_areas_are_counted_in_the_nations_of_the_carried_file(spoilable):
    """The lookup is of England and Wales, the Indices are of England alone."""
    links = [f"{code},{code},U" for code in [*official.LSOAS, "W01000001", "W01000002"]]
    lookup = "\n".join(["LSOA11CD,LSOA21CD,CHGIND", *links])
    official.write(spoilable.inputs("boundaries/lookup.csv"), lookup)
    official.write(spoilable.inputs("iod/File_7.csv"), file_7_of_2021())
    shown = metadata(run(spoilable, "lsoa_labels"), "lsoa_labels")
    assert shown["n_lsoas_unchanged"] == len(official.LSOAS)
    assert shown["n_lsoas_split"] == 0


def file_7_of_2021():
    """The Indices on the LSOAs of 2021, with rising scores and one population."""
    text = official.file_7("2019", whole=True)
    header, *rows = text.replace("LSOA code (2011)", "LSOA code (2021)").splitlines()
    rows = [row.replace(",0.125,", f",{i / 10},") + ",1500" for i, row in enumerate(rows)]
    return "\n".join([header + ",Total population: mid 2022", *rows])


def test_labels_before_postcodes_name_the_asset_to_run(tmp_path):
    result = run(make_study(tmp_path), "lsoa_labels", fails=True)
    assert "materialise postcode_lsoa" in harness.failure(result)


def test_a_spoilt_file_that_was_not_there_before_is_not_skipped_over(spoilable):
    official.write(spoilable.inputs("census/new.csv"), "<html></html>")
    message = harness.failure(run(spoilable, "lsoa_labels", fails=True))
    assert "new.csv is a web page" in message


# A fault at each stage of the way: recognition, reading, labelling, a blocking check; and in the
# directory before and after DuckDB has written the table. `test_bad_input` has all the faults.
CENSUS, DIRECTORY = "census/QS302EW.csv", "onspd/ONSPD_AUG_2017_UK.csv"
WHOLE = r"\A(?s:.*)\Z"
FAULTS = {
    "a web page": ("lsoa_labels", CENSUS, WHOLE, "<html></html>", "web page"),
    "a negative rank": ("lsoa_labels", "iod/File_7.csv", r",0\.125,", ",0.125,-", "negative"),
    "other areas": ("lsoa_labels", "household_income/income.csv", "E0100", "E0199", "mean_income"),
    "a share of nobody": (
        "lsoa_labels",
        CENSUS,
        r'(?<="E01000001"),.*',
        ",0" * 6,
        "denominators_positive: .*E01000001",
    ),
    "no directory": ("postcode_lsoa", DIRECTORY, WHOLE, "<html></html>", "web page"),
    "a malformed LSOA": ("postcode_lsoa", DIRECTORY, '"E01000003"', '"E01-3"', "E01-3"),
}


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.replace(" ", "-"))
def test_a_fault_is_one_sentence_and_the_published_files_stay(spoilable, fault):
    asset, name, old, new, fact = FAULTS[fault]
    before = contents(spoilable)
    path = spoilable.inputs(name)
    text = path.read_text(encoding="utf-8")
    assert re.search(old, text)
    official.write(path, re.sub(old, new, text))
    message = harness.failure(run(spoilable, asset, fails=True))
    assert re.search(fact, message), message
    assert "Traceback" not in message
    assert "\n" not in message
    assert contents(spoilable) == before


AWAY = {
    CENSUS: "self_reported_health",
    "iod/File_7.csv": "health_deprivation",
    "household_income/income.csv": "mean_income",
    "boundaries": "outlines",
}


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("name", AWAY)
def test_an_official_file_that_is_away_costs_no_labels(spoilable, name):
    before = contents(spoilable)
    away = spoilable.root / "away"
    spoilable.inputs(name).rename(away)
    message = harness.failure(run(spoilable, "lsoa_labels", fails=True))
    assert AWAY[name] in message
    assert "allow_loss" in message
    assert contents(spoilable) == before
    away.rename(spoilable.inputs(name))
    assert metadata(run(spoilable, "lsoa_labels"), "lsoa_labels")["skipped"] is True


@pytest.mark.usefixtures("without_plots")
def test_an_outcome_without_its_file_goes_when_the_study_allows_it(spoilable):
    spoilable.inputs("household_income/income.csv").unlink()
    toml = spoilable.study_file.read_text()
    spoilable.study_file.write_text(f"allow_loss = true\n{toml}")
    shown = metadata(run(spoilable, "lsoa_labels"), "lsoa_labels")
    assert "mean_income" in shown["allowed_losses"]
    assert "mean_income" not in set(spoilable.open("lsoa_labels").table()["outcome"])


def test_half_a_directory_replaces_no_whole_one(spoilable):
    before = contents(spoilable)
    path = spoilable.inputs(DIRECTORY)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    official.write(path, "".join(lines[: len(lines) // 3]))
    message = harness.failure(run(spoilable, "postcode_lsoa", fails=True))
    assert re.search(r"postcodes \(\d+ to \d+\)", message), message
    assert contents(spoilable) == before
