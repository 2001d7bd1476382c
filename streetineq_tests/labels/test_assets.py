"""The two assets: what they publish, report, skip and make again."""

import json

import dagster as dg
import pyarrow.parquet as pq
import pytest

from streetineq_assets.labels import checks, tables
from streetineq_assets.labels.assets import build_assets
from streetineq_assets.partitions import Partitions
from streetineq_assets.store import DataStore
from streetineq_tests.labels import official
from streetineq_tests.labels.study import (
    STUDY,
    contents,
    failure_of,
    make_study,
    run,
    study_of,
)


def metadata_of(result, asset):
    (event,) = result.asset_materializations_for_node(asset)
    return event.metadata


def test_the_official_files_stand_in_the_lineage_before_the_assets():
    assets = build_assets(Partitions(study_of(STUDY)))
    specs = {spec.key.to_user_string(): spec for asset in assets for spec in specs_of(asset)}
    external = {"census_2011", "iod_2015", "household_income", "onspd", "lsoa_boundaries"}
    assert set(specs) == external | {"postcode_lsoa", "lsoa_labels"}
    deps = {dep.asset_key.to_user_string() for dep in specs["lsoa_labels"].deps}
    assert deps == external - {"onspd"} | {"postcode_lsoa"}
    assert {spec.group_name for spec in specs.values()} == {"labels"}


def test_both_are_published_with_every_declared_column_and_check(published):
    store = DataStore(published)
    declared_checks = {"postcode_lsoa": checks.POSTCODE_LSOA, "lsoa_labels": checks.LSOA_LABELS}
    for asset, declared in declared_checks.items():
        reported = store.manifest(asset).summary["checks"]
        assert [c["name"] for c in reported] == [spec.name for spec in declared]
        assert [c["blocking"] for c in reported] == [spec.blocking for spec in declared]


@pytest.mark.parametrize(
    ("asset", "file", "fields"),
    [
        ("postcode_lsoa", "postcode_lsoa", tables.POSTCODE_LSOA),
        ("lsoa_labels", "lsoa_labels", tables.LSOA_LABELS),
        ("lsoa_labels", "decile_edges", tables.DECILE_EDGES),
        ("lsoa_labels", "availability", tables.AVAILABILITY),
    ],
)
def test_every_published_table_has_its_schema(published, asset, file, fields):
    table = pq.read_table(DataStore(published).open(asset).file(f"{file}.parquet"))
    assert [(c.name, c.type) for c in table.schema] == [(c.name, c.type) for c in fields]
    never_missing = [column.name for column in fields if not column.nullable]
    assert {name: table[name].null_count for name in never_missing} == dict.fromkeys(
        never_missing, 0
    )


def test_plots_are_there_for_each_city(published):
    files = DataStore(published).manifest("lsoa_labels").files
    assert {name for name in files if name.endswith(".png")} == {
        f"{kind}_{city}.png"
        for kind in ("distributions", "correlations")
        for city in ("alpha", "beta")
    }


def test_a_second_run_skips_and_a_third_on_new_files_does_not(spoilable):
    before = contents(spoilable)
    again = run(spoilable)
    assert again.success
    assert metadata_of(again, "postcode_lsoa")["skipped"].value is True
    labels = metadata_of(again, "lsoa_labels")
    assert labels["skipped"].value is True
    assert labels["n_pairs_available"].value == 24
    assert contents(spoilable) == before
    # Another edition of one table: the labels are made again, the postcodes are not.
    official.write(spoilable / "inputs/census_2011/QS302EW.csv", official.nomis_bulk("QS302EW"))
    changed = run(spoilable)
    assert metadata_of(changed, "postcode_lsoa")["skipped"].value is True
    assert metadata_of(changed, "lsoa_labels")["skipped"].value is False
    assert contents(spoilable) == before  # the layout differs and the numbers do not


def test_changed_areas_are_counted_in_the_nations_of_the_carried_file(spoilable):
    """The lookup is of England and Wales, the Indices are of England alone."""
    links = [f"{code},{code},U" for code in [*official.LSOAS, "W01000001", "W01000002"]]
    lookup = "\n".join(["LSOA11CD,LSOA21CD,CHGIND", *links])
    official.write(spoilable / "inputs/boundaries/lookup.csv", lookup)
    official.write(spoilable / "inputs/iod_2015/File_7.csv", file_7_of_2021())
    shown = metadata_of(run(spoilable, "lsoa_labels"), "lsoa_labels")
    assert shown["n_lsoas_unchanged"].value == len(official.LSOAS)
    assert shown["n_lsoas_split"].value == 0


def file_7_of_2021():
    """The Indices on the LSOAs of 2021, with rising scores and one population."""
    text = official.file_7("2019", whole=True)
    header, *rows = text.replace("LSOA code (2011)", "LSOA code (2021)").splitlines()
    rows = [row.replace(",0.125,", f",{i / 10},") + ",1500" for i, row in enumerate(rows)]
    return "\n".join([header + ",Total population: mid 2022", *rows])


def test_boundaries_bring_maps(spoilable):
    write_boundaries(spoilable / "inputs/boundaries/LSOA_2011.geojson")
    result = run(spoilable, "lsoa_labels")
    assert result.success
    files = DataStore(spoilable).manifest("lsoa_labels").files
    assert {"deciles_alpha.png", "deciles_beta.png"} <= set(files)


def test_labels_before_postcodes_name_the_asset_to_run(tmp_path):
    result = run(make_study(tmp_path), "lsoa_labels")
    assert not result.success
    assert "materialise postcode_lsoa first" in failure_of(result)


def test_the_metadata_of_a_first_run(tmp_path):
    result = run(make_study(tmp_path), "postcode_lsoa")
    shown = metadata_of(result, "postcode_lsoa")
    assert shown["dagster/row_count"].value == 4 * len(official.LSOAS) + 3
    assert shown["n_live_small_user"].value == 2 * len(official.LSOAS)
    schema = {column.name: column for column in shown["dagster/column_schema"].schema.columns}
    assert "degrees" in schema["lat"].description
    assert schema["usertype"].type == "int8"


def specs_of(asset):
    return [asset] if isinstance(asset, dg.AssetSpec) else asset.specs


def write_boundaries(path):
    features = [
        {
            "type": "Feature",
            "properties": {"LSOA11CD": code},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[i, 51], [i + 1, 51], [i + 1, 52], [i, 52], [i, 51]]],
            },
        }
        for i, code in enumerate(official.LSOAS)
    ]
    for feature in features:
        ring = feature["geometry"]["coordinates"][0]
        feature["geometry"]["coordinates"] = [[[x / 100 - 0.5, y] for x, y in ring]]
    official.write(path, json.dumps({"type": "FeatureCollection", "features": features}))


def test_a_study_made_anew_publishes_the_same_bytes(published, tmp_path):
    root = make_study(tmp_path / "anew")
    assert run(root).success
    assert contents(root) == contents(published)
