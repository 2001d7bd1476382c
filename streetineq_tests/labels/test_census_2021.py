"""Tables of Census 2021 by Nomis: by query and as bulk files, on the areas of 2021 and of 2011."""

import numpy as np
import pandas as pd
import pytest

from streetineq_assets.area_vintages import LSOA11, VINTAGES
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_tests.harness import failed, metadata, run
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import STUDY, make_study

LSOA21 = VINTAGES["lsoa21"]
AREAS = official.LSOAS
_rng = np.random.default_rng(21)
COUNTS = _rng.integers(5, 300, (len(AREAS), 8))
# Title, population, the dimension of bulk files, and the columns, the total first. Each column is
# the sum of some of COUNTS, so that a part that is none of the outcome's is in the total alone.
TABLES = {
    "TS037": (
        "General health",
        "All usual residents",
        "General health",
        {
            "Total: All usual residents": range(8),
            "Very good health": [0, 1, 2],
            "Good health": [3, 4],
            "Fair health": [5],
            "Bad health": [6],
            "Very bad health": [7],
        },
    ),
    "TS053": (
        "Occupancy rating for rooms",
        "All households",
        "Occupancy rating for rooms",
        {
            "Total: All households": range(8),
            "Occupancy rating of rooms: +2 or more": [0, 1, 2],
            "Occupancy rating of rooms: +1": [3, 4],
            "Occupancy rating of rooms: 0": [5],
            "Occupancy rating of rooms: -1": [6],
            "Occupancy rating of rooms: -2 or less": [7],
        },
    ),
    "TS066": (
        "Economic activity status",
        "All usual residents aged 16 years and over",
        "Economic activity status",
        {
            "Total: All usual residents aged 16 years and over": range(8),
            "Economically active (excluding full-time students)": [0, 1, 6, 7],
            "Economically active (excluding full-time students):In employment": [0, 1],
            "Economically active (excluding full-time students): Unemployed": [6, 7],
            "Economically active and a full-time student: Unemployed": [2],
            "Economically inactive": [3, 4, 5],
        },
    ),
    "TS067": (
        "Highest level of qualification",
        "All usual residents aged 16 years and over",
        "Highest level of qualification",
        {
            "Total: All usual residents aged 16 years and over": range(8),
            "No qualifications": [6],
            "Level 1 and entry level qualifications": [7],
            "Level 2 qualifications": [0, 1],
            "Apprenticeship": [2],
            "Level 4 qualifications and above": [3, 4, 5],
        },
    ),
}
OUTCOME = {
    "TS037": "self_reported_health",
    "TS053": "occupancy_rating",
    "TS066": "unemployment",
    "TS067": "education",
}
SHARE = pd.Series(COUNTS[:, 6:].sum(axis=1) / COUNTS.sum(axis=1), index=AREAS)


def counts(parts):
    return COUNTS[:, list(parts)].sum(axis=1)


def bulk(table):
    """`census2021-tsNNN-lsoa.csv`."""
    _, _, dimension, columns = TABLES[table]
    frame = {"date": "2021", "geography": [f"Place {code}" for code in AREAS]}
    frame |= {"geography code": AREAS}
    frame |= {f"{dimension}: {name}": counts(parts) for name, parts in columns.items()}
    return pd.DataFrame(frame).to_csv(index=False)


def query(table):
    title, population, _, columns = TABLES[table]
    units = "Households" if population == "All households" else "Persons"
    above = [f"{table} - {title}", "ONS Crown Copyright Reserved [from Nomis on 3 March 2026]", ""]
    above += [f"Population,{population}", f"Units,{units}", "Date,2021", ""]
    frame = {"2021 super output area - lower layer": [f"Place {code}" for code in AREAS]}
    frame |= {"mnemonic": AREAS} | {name: counts(parts) for name, parts in columns.items()}
    return "\n".join([*above, pd.DataFrame(frame).to_csv(index=False)])


@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize("layout", [bulk, query])
def test_a_table_gives_its_outcome_on_its_own_areas(tmp_path, table, layout):
    path = official.write(tmp_path / "census" / f"census2021-{table}-lsoa.csv", layout(table))
    sources = find_sources(tmp_path, LSOA21)
    (file,) = sources.recognised
    assert (file.path, file.outcomes, file.edition) == (path, (OUTCOME[table],), "2021")
    assert sources.carried == []
    values = read_sources(sources)[OUTCOME[table]].frame
    pd.testing.assert_series_equal(
        values["value"], SHARE, check_names=False, check_index_type=False, check_dtype=False
    )
    assert values["denominator"].to_list() == COUNTS.sum(axis=1).tolist()


def test_for_areas_of_2011_counts_are_added_before_they_are_divided(tmp_path):
    """The first two areas of 2021 are halves of one of 2011, the next was one of two."""
    one, other, merged = AREAS[:3]
    also = "E01034999"
    links = [(one, one, "S"), (one, other, "S"), (merged, merged, "M"), (also, merged, "M")]
    links += [(code, code, "U") for code in AREAS[3:]]
    lines = ["LSOA11CD,LSOA21CD,CHGIND", *map(",".join, links)]
    official.write(tmp_path / "boundaries" / "lookup.csv", "\n".join(lines))
    official.write(tmp_path / "census" / "ts037.csv", bulk("TS037"))
    values = read_sources(find_sources(tmp_path, LSOA11))["self_reported_health"].frame["value"]
    halves = COUNTS[:2]
    assert values[one] == halves[:, 6:].sum() / halves.sum()
    assert other not in values
    assert values[merged] == values[also] == pytest.approx(SHARE[merged])
    np.testing.assert_allclose(values[AREAS[3:]], SHARE[AREAS[3:]])


def test_a_table_without_its_lookup_says_what_it_wants(tmp_path):
    official.write(tmp_path / "census" / "ts037.csv", bulk("TS037"))
    with pytest.raises(SourceError, match=r"ts037\.csv.*edition 2021.*LSOAs of 2021.*Exact Fit"):
        read_sources(find_sources(tmp_path, LSOA11))


def test_another_table_of_the_census_is_left_alone(tmp_path):
    text = bulk("TS037").replace("General health:", "Tenure of household:")
    official.write(tmp_path / "census" / "ts054.csv", text)
    sources = find_sources(tmp_path, LSOA21)
    assert not sources.recognised
    assert "holds no outcome" in sources.ignored[0][1]


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("asked", "fails"), [("2021", False), ("2011", True)])
def test_a_study_says_of_which_census_it_is(tmp_path, asked, fails):
    store = make_study(tmp_path)
    for path in store.inputs("census").iterdir():
        path.unlink()
    for table in TABLES:
        official.write(store.inputs("census", f"{table}.csv"), bulk(table))
    links = [f"{code},{code},U" for code in AREAS]
    text = "\n".join(["LSOA11CD,LSOA21CD,CHGIND", *links])
    official.write(store.inputs("boundaries", "lookup.csv"), text)
    store.study_file.write_text(f'census_edition = "{asked}"\n{STUDY}')
    run(store, "postcode_lsoa")
    result = run(store, "lsoa_labels")
    assert ("editions_as_studied" in failed(result)) == fails
    labels = store.open("lsoa_labels").table()
    health = labels[labels["outcome"] == "self_reported_health"].set_index("area")["value"]
    np.testing.assert_allclose(health[AREAS], SHARE)
    shown = metadata(result, "lsoa_labels")["availability"].records
    (row,) = [
        row.data
        for row in shown
        if (row.data["city"], row.data["outcome"]) == ("alpha", "self_reported_health")
    ]
    assert row["described_from"] == {"2021": "2021-03-21", "2011": "2011-03-27"}[asked]


@pytest.mark.parametrize("outcome", ["occupancy_rating", "unemployment", "education"])
def test_what_is_not_as_in_2011_is_said(outcome):
    assert "2021" in OUTCOMES[outcome].difference(("2021", "2025"))
    assert not OUTCOMES[outcome].difference(("2011", "2015"))


def test_health_is_as_in_2011():
    assert not OUTCOMES["self_reported_health"].difference(("2021", "2025"))
