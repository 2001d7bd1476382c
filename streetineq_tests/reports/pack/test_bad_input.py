"""Poor material gives a whole pack that says what is wanting, never a broken one."""

import dataclasses
import json
import sqlite3
from contextlib import closing

import geopandas as gpd
import pandas as pd
import pytest

from streetineq_assets.reports.exports import as_written
from streetineq_assets.reports.pack.material import markdown
from streetineq_assets.reports.pack.writing import write_pack
from streetineq_tests.reports.pack.conftest import (
    cells,
    with_areas,
    with_pairs,
    without_networks,
    without_results,
)

TITLE = '=HYPERLINK("https://x.org") <b>"O\'Neil"</b> & | *Co* $x_{$'


def without_boundaries(material):
    return dataclasses.replace(material, boundaries=None)


def with_boundaries_of_others(material):
    """Of another vintage: no code of the study is among them."""
    codes = material.boundaries["area"].str.replace("E010", "E019")
    return dataclasses.replace(material, boundaries=material.boundaries.assign(area=codes))


def with_boundaries_of_another_crs(material):
    return dataclasses.replace(material, boundaries=material.boundaries.to_crs("EPSG:3857"))


def without_any_place(material):
    results = dataclasses.replace(material.results, centroids=material.results.centroids.head(0))
    return dataclasses.replace(without_boundaries(material), results=results)


def of_one_area(material):
    return with_areas(material, lambda areas: areas.head(1))


def without_deciles(material):
    missing = {"actual_decile": pd.NA, "lower": pd.NA, "upper": pd.NA}
    return with_areas(material, lambda areas: areas.assign(**missing))


def titled(material):
    study = material.study.model_copy(update={"title": TITLE})
    told = material.provenance.model_copy(update={"title": TITLE})
    return dataclasses.replace(material, study=study, provenance=told)


CASES = {
    "no boundaries": without_boundaries,
    "boundaries of others": with_boundaries_of_others,
    "boundaries of another CRS": with_boundaries_of_another_crs,
    "no place at all": without_any_place,
    "one area": of_one_area,
    "no actual decile": without_deciles,
    "baselines alone": without_networks,
    "no results": without_results,
    "a title of markup": titled,
}


@pytest.fixture(scope="module")
def packs(material, tmp_path_factory):
    """Case to the folder of its pack, made when it is first asked for."""
    made = {}

    def pack_of(case):
        if case not in made:
            made[case] = tmp_path_factory.mktemp("bad")
            write_pack(CASES[case](material), [], made[case])
        return made[case]

    return pack_of


@pytest.mark.parametrize("case", CASES)
def test_every_file_is_there_and_opens(packs, pack, case):
    found = packs(case)
    assert {f.name for f in found.iterdir()} == {f.name for f in pack.iterdir()}
    for name in ("lsoa_predictions", "metrics"):
        assert len(pd.read_csv(found / f"{name}.csv")) == len(
            pd.read_parquet(found / f"{name}.parquet")
        )
    shapes = gpd.read_parquet(found / "lsoa_map.parquet")
    same = gpd.read_file(found / "lsoa_map.gpkg", layer="lsoa_map")
    assert shapes["area"].tolist() == same["area"].tolist()
    json.loads((found / "ro-crate-metadata.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_the_dictionary_still_covers_every_column(packs, case):
    dictionary = cells(packs(case), "data_dictionary.csv")
    columns = pd.read_csv(packs(case) / "lsoa_predictions.csv", nrows=0).columns.tolist()
    listed = dictionary.loc[dictionary["file"] == "lsoa_predictions.csv", "column"]
    assert listed.tolist() == columns
    with closing(sqlite3.connect(packs(case) / "lsoa_map.gpkg")) as database:
        in_package = [row[1] for row in database.execute("PRAGMA table_info(lsoa_map)")]
    assert dictionary.loc[dictionary["file"] == "lsoa_map.gpkg", "column"].tolist() == in_package


@pytest.mark.parametrize("case", CASES)
def test_no_metric_is_called_nan(packs, case):
    for name in ("README.md", "model_card.md", "reforms.md", "tripod_ai.md"):
        words = (packs(case) / name).read_text().replace(",", " ").split()
        assert not {"nan", "NaN", "<NA>", "None"} & set(words), name


@pytest.mark.parametrize("case", ["no boundaries", "boundaries of others"])
def test_areas_without_a_boundary_are_points(packs, case):
    shapes = gpd.read_parquet(packs(case) / "lsoa_map.parquet")
    assert set(shapes.geom_type) == {"Point"}
    with closing(sqlite3.connect(packs(case) / "lsoa_map.gpkg")) as database:
        ((style,),) = database.execute("SELECT styleQML FROM layer_styles").fetchall()
    assert 'type="marker"' in style


def test_boundaries_lie_where_those_of_the_national_grid_lie(packs, pack):
    found = gpd.read_parquet(packs("boundaries of another CRS") / "lsoa_map.parquet")
    expected = gpd.read_parquet(pack / "lsoa_map.parquet")
    assert found.geometry.geom_equals_exact(expected.geometry, tolerance=1e-6).all()


def test_areas_of_no_known_place_keep_their_rows(packs):
    found = packs("no place at all")
    assert gpd.read_parquet(found / "lsoa_map.parquet").geometry.isna().all()
    assert len(gpd.read_file(found / "lsoa_map.gpkg", layer="lsoa_map")) == 72


def test_one_area_is_one_row(packs):
    assert len(pd.read_csv(packs("one area") / "lsoa_predictions.csv")) == 2  # of two cities


def test_missing_deciles_are_empty_cells_and_counted(packs):
    found = packs("no actual decile")
    assert set(cells(found, "lsoa_predictions.csv")["actual_decile"]) == {""}
    assert pd.read_parquet(found / "lsoa_predictions.parquet")["actual_decile"].isna().all()
    table = cells(found, "reforms.csv").set_index("number")
    assert "60 predicted areas have no label (alpha/crime)" in table.loc["3f", "answer"]


def test_baselines_alone_have_metrics_and_no_networks(packs):
    found = packs("baselines alone")
    assert set(pd.read_csv(found / "metrics.csv")["model"]) == {"ridge", "map_knn", "constant"}
    assert "No networks are published" in (found / "model_card.md").read_text()
    table = cells(found, "tripod_ai.csv").set_index("number")
    assert table.loc["22", "status"] == "not in this study"


def test_a_study_without_results_says_so(packs):
    found = packs("no results")
    readme = (found / "README.md").read_text()
    assert "No pair of city and outcome has results" in readme
    assert "`alpha/crime`: not made yet" in readme
    assert pd.read_csv(found / "lsoa_predictions.csv").empty
    assert set(cells(found, "reforms.csv")["status"]) == {
        "filled",
        "not in this study",
        "author to answer",
    }


def test_a_pair_that_does_not_fit_what_stands_is_left_out_and_named(material, tmp_path):
    first, *others = material.results.pairs
    stale = dataclasses.replace(first, disagreements=("labels were made again",))
    why = {"alpha/crime": "made of something else than stands now: labels were made again"}
    findings = write_pack(with_pairs(material, [stale, *others], absent=why), [], tmp_path)
    assert set(pd.read_csv(tmp_path / "lsoa_predictions.csv")["city"]) == {"beta"}
    assert set(gpd.read_parquet(tmp_path / "lsoa_map.parquet")["city"]) == {"beta"}
    assert "`alpha/crime`: made of something else" in (tmp_path / "README.md").read_text()
    assert "alpha/crime" in findings.notes["left_out"]


def test_a_title_is_text_wherever_it_stands(packs):
    found = packs("a title of markup")
    for name in ("README.md", "model_card.md", "reforms.md", "tripod_ai.md"):
        text = (found / name).read_text()
        assert "<b>" not in text
        assert "*Co*" not in text.replace("\\*Co\\*", "")
    crate = json.loads((found / "ro-crate-metadata.json").read_text())["@graph"]
    (root,) = [each for each in crate if each["@id"] == "./"]
    assert root["name"] == f"{TITLE}: evidence pack"
    assert json.loads((found / "provenance.json").read_text())["title"] == TITLE


@pytest.mark.parametrize("case", ["a title of markup", "no results"])
def test_no_cell_of_a_csv_is_a_formula(packs, case):
    for file in packs(case).glob("*.csv"):
        table = cells(packs(case), file.name)
        texts = [*table.columns, *(cell for _, column in table.items() for cell in column)]
        risky = [text for text in texts if text.lstrip().startswith(("=", "+", "@"))]
        assert not risky, file.name


def test_a_city_called_like_a_formula_is_text_in_the_checklists(material, tmp_path):
    told = material.provenance
    cities = {key: city.model_copy(update={"title": "=1+1"}) for key, city in told.cities.items()}
    given = dataclasses.replace(material, provenance=told.model_copy(update={"cities": cities}))
    write_pack(given, [], tmp_path)
    answers = cells(tmp_path, "tripod_ai.csv")["answer"]
    assert any(as_written(cell).startswith("=1+1") for cell in answers)
    assert not any(cell.startswith("=") for cell in answers)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n# b", "a # b"),
        ("# a", "\\# a"),
        ("= a", "\\= a"),
        ("- a", "\\- a"),
        ("1. a", "1\\. a"),
        ("a*b_c[d](e)", "a\\*b\\_c\\[d\\](e)"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("a | b", "a \\| b"),
    ],
)
def test_a_text_is_shown_as_it_is(text, shown):
    assert markdown(text) == shown
