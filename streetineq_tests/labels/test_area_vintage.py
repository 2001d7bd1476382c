"""A study of the LSOAs of 2021: which columns, ranks and boundaries it reads, what it refuses."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.area_vintages import LSOA11, VINTAGES
from streetineq_assets.errors import SourceError, StoreError
from streetineq_assets.geography import read_boundaries
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.resources import StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.tables import read
from streetineq_tests import studies
from streetineq_tests.harness import metadata, run
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import STUDY, make_study

LSOA21 = VINTAGES["lsoa21"]
OF_2021 = "\n[areas]\nvintage = 'lsoa21'\n"
# The first area of 2011 was split: its second half has a code of its own in 2021.
SPLIT, NEW = official.LSOAS[0], "E01035001"
NEWER = [*official.LSOAS, NEW]


def rows_of_both():
    """The directory's rows with the areas of 2021 beside those of 2011."""
    rows = official.postcodes()
    halves = [row for row in rows if row["area"] == SPLIT]
    for row in rows:
        row["area21"] = NEW if row in halves[::2] else row["area"]
        row["oa21"], row["msoa21"] = row["oa"], row["msoa"]
    return rows


def write_lookup(folder):
    links = [f"{code},{code},{'S' if code == SPLIT else 'U'}" for code in official.LSOAS]
    text = "\n".join(["LSOA11CD,LSOA21CD,CHGIND", *links, f"{SPLIT},{NEW},S"])
    return official.write(folder / "lookup.csv", text)


def file_7_of_2025():
    """Ranks among England's 33,755, in the order of the areas."""
    header, *rows = official.file_7_rows("2019", whole=False)
    header = [name.replace("(2011)", "(2021)").replace("(2019)", "(2024)") for name in header]
    ranks = np.linspace(100, 33_700, len(NEWER)).round().astype(int)
    like = [*rows, [NEW, *rows[0][1:]]]
    table = [[code, *row[1:4], *[rank] * (len(header) - 4)]
             for code, row, rank in zip(NEWER, like, ranks, strict=True)]  # fmt: skip
    return "\n".join(",".join(f'"{cell}"' for cell in row) for row in [header, *table]), ranks


@pytest.fixture
def of_2021(tmp_path):
    """A study of the areas of 2021, with a directory of both and the Indices of 2025."""
    store = make_study(tmp_path / "study")
    toml = STUDY.replace("lsoas = 30", "lsoas = 31") + OF_2021
    toml = f'iod_edition = "2025"\n{toml}'
    store.study_file.write_text(toml)
    for path in (*store.inputs("onspd").iterdir(), *store.inputs("iod").iterdir()):
        path.unlink()
    official.write(store.inputs("onspd", "ONSPD.csv"), official.directory("2025", rows_of_both()))
    official.write(store.inputs("iod", "File_7.csv"), file_7_of_2025()[0])
    write_lookup(store.inputs("boundaries"))
    return store


@pytest.mark.parametrize(("vintage", "n_areas"), [(LSOA11, 42), (LSOA21, 43)])
def test_a_directory_of_both_is_read_by_the_vintage_of_the_study(tmp_path, vintage, n_areas):
    text = official.directory("2025", rows_of_both())
    official.write(tmp_path / "onspd" / "ONSPD.csv", text)
    directory, target = find_directory(tmp_path / "onspd", vintage), tmp_path / "p.parquet"
    assert directory.headings["area"] == f"{vintage.key}cd"
    with duckdb.connect() as connection:
        write_postcodes(connection, directory, official.AUTHORITIES, target)
    table = read(target)
    of_cities = table[table["city"].notna()]
    assert of_cities["area"].nunique() == n_areas
    assert (NEW in set(of_cities["area"])) == (vintage == LSOA21)


def test_a_directory_of_2011_alone_is_refused_by_name(tmp_path):
    official.write(tmp_path / "onspd" / "ONSPD.csv", official.directory("2017"))
    with pytest.raises(SourceError, match=r"LSOAs of 2011 and not the LSOAs of 2021 \(lsoa21\)"):
        find_directory(tmp_path / "onspd", LSOA21)


@pytest.mark.parametrize(("vintage", "heading"), [(LSOA11, "LSOA21CD"), (LSOA21, "LSOA11CD")])
def test_boundaries_of_the_other_vintage_are_refused_by_name(tmp_path, vintage, heading):
    store = DataStore(tmp_path)
    ring = [(-0.1, 51), (0, 51), (0, 52), (-0.1, 52), (-0.1, 51)]
    path = studies.write_boundaries(store, {SPLIT: ring})
    path.write_text(path.read_text().replace("LSOA11CD", heading))
    with pytest.raises(SourceError, match=rf"{heading}.*{vintage} \(\[areas\] vintage\)"):
        read_boundaries(path, vintage)
    other = LSOA21 if vintage == LSOA11 else LSOA11
    assert read_boundaries(path, other)["area"].to_list() == [SPLIT]


def test_the_indices_of_2025_keep_their_ranks_on_their_own_areas(of_2021):
    sources = find_sources(of_2021.inputs(), LSOA21)
    assert "crime" not in sources.carried
    crime = read_sources(sources)["crime"].frame
    ranks = pd.Series(file_7_of_2025()[1], index=NEWER)
    assert crime["national_rank"].astype(int).to_dict() == ranks.to_dict()


def test_counts_of_2011_go_to_the_parts_in_equal_shares(of_2021):
    sources = find_sources(of_2021.inputs(), LSOA21)
    assert set(sources.carried) >= {"self_reported_health", "mean_income"}
    values = read_sources(sources)
    (file,) = (
        each
        for each in find_sources(of_2021.inputs(), LSOA11).recognised
        if "self_reported_health" in each.outcomes
    )
    (old,) = file.read()
    share, before = values["self_reported_health"].frame, old.frame
    assert share.loc[NEW, "value"] == share.loc[SPLIT, "value"] == before.loc[SPLIT, "value"]
    halves = share.loc[[SPLIT, NEW], "denominator"]
    assert halves.to_list() == [before.loc[SPLIT, "denominator"] / 2] * 2
    rest = before.index.difference([SPLIT])
    pd.testing.assert_series_equal(share.loc[rest, "value"], before.loc[rest, "value"])
    income = values["mean_income"].frame["value"]
    assert income[NEW] == income[SPLIT]


@pytest.mark.usefixtures("without_plots")
def test_labels_are_of_the_areas_of_2021_and_say_so(of_2021):
    run(of_2021, "postcode_lsoa")
    shown = metadata(run(of_2021, "lsoa_labels"), "lsoa_labels")
    labels = of_2021.open("lsoa_labels").table()
    of_alpha = labels[(labels["city"] == "alpha") & (labels["outcome"] == "crime")]
    assert len(of_alpha) == 31
    assert NEW in set(of_alpha["area"])
    assert of_2021.manifest("lsoa_labels").area_vintage == "lsoa21"
    assert shown["n_lsoas_split"] == 2


@pytest.mark.usefixtures("without_plots")
def test_tables_of_two_vintages_are_never_joined(of_2021):
    """Nine in ten codes are of both, so that a join would hold and be wrong."""
    toml = of_2021.study_file.read_text()
    run(of_2021, "postcode_lsoa")
    of_2021.study_file.write_text(toml.replace("lsoa21", "lsoa11"))
    run(of_2021, "postcode_lsoa")
    assert of_2021.manifest("postcode_lsoa").area_vintage == "lsoa11"
    of_2021.study_file.write_text(toml)
    with pytest.raises(StoreError, match=r"postcode_lsoa is of the LSOAs of 2011, and the study"):
        StudyResource(root=str(of_2021.root)).store.open("postcode_lsoa")
    assert StudyResource(root=str(of_2021.root)).store.manifest("postcode_lsoa")
