"""Locations without postcodes: placed by the nearest postcode, or by boundaries."""

import datetime as dt

import duckdb
import pandas as pd
import pytest
import shapely

from streetineq_assets.errors import SourceError
from streetineq_assets.image_settings import Places
from streetineq_assets.images.location_areas import join_locations, placing_boundaries
from streetineq_assets.images.tables import LOCATIONS
from streetineq_assets.store import DataStore
from streetineq_tests.harness import check_of, failed_checks
from streetineq_tests.studies import write_boundaries

DATE = dt.date(2017, 8, 1)
ONE, TWO, OF_BETA, OF_NOBODY = "E01000001", "E01000002", "E01000003", "E01000004"
UNKNOWN, OVERLAPPING = "E01000008", "E01000009"
# A thousandth of a degree is 111 metres northwards and 69 eastwards.
# postcode, city, LSOA, user type, introduced, terminated, lat, lon
POSTCODES = [
    ("AA1 1AA", "alpha", ONE, 0, "1980-01-01", None, 51.500, -0.105),
    ("AA1 1AB", "alpha", ONE, 1, "1980-01-01", None, 51.503, -0.105),
    ("AA2 1AA", "alpha", TWO, 0, "1980-01-01", None, 51.500, -0.095),
    ("AA2 1AB", "alpha", TWO, 0, "1980-01-01", "2012-03-01", 51.503, -0.096),
    ("AA2 1AC", "alpha", TWO, 0, "2017-09-01", None, 51.503, -0.094),
    ("AA4 1AA", "alpha", None, 0, "1980-01-01", None, 51.506, -0.105),
    ("AA5 1AA", "alpha", ONE, 0, "1980-01-01", None, None, None),
    ("BB1 1AA", "beta", OF_BETA, 0, "1980-01-01", None, 51.515, -0.105),
    ("CC1 1AA", None, OF_NOBODY, 0, "1980-01-01", None, 51.515, -0.095),
]
# A hundredth of a degree each: ONE in the south-west, TWO east of it, the others in the north; and
# in the far north two of which the directory has no postcode, which overlap.
RINGS = {
    code: shapely.box(lon, lat, lon + 0.01, lat + 0.01).exterior.coords
    for code, (lat, lon) in {
        ONE: (51.495, -0.11),
        TWO: (51.495, -0.1),
        OF_BETA: (51.51, -0.11),
        OF_NOBODY: (51.51, -0.1),
        UNKNOWN: (51.53, -0.11),
        OVERLAPPING: (51.53, -0.105),
    }.items()
}
BOUNDARIES = Places(by="boundaries")
HEADER = "location_id,lat,lon"


def parquet(path, rows):
    names = ["postcode", "city", "area", "usertype", "introduced", "terminated", "lat", "lon"]
    frame = pd.DataFrame(rows, columns=names)
    for column in ("introduced", "terminated"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
    frame["oa"] = frame["area"].str.replace("E01", "E00")
    frame["msoa"] = frame["area"].str.replace("E01", "E02")
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A study's folder with boundaries, and a small `postcode_lsoa.parquet` beside its inputs."""
    store = DataStore(tmp_path_factory.mktemp("study"))
    write_boundaries(store, RINGS)
    parquet(store.root / "postcode_lsoa.parquet", POSTCODES)
    return store


@pytest.fixture
def join(store, tmp_path):
    def joined(*rows, header=HEADER, places=None, city="alpha", date=DATE, postcodes=None):
        listing = tmp_path / f"{city}.csv"
        listing.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        places = places or Places()
        with duckdb.connect() as connection:
            table, findings = join_locations(
                connection,
                listing,
                postcodes or store.root / "postcode_lsoa.parquet",
                city=city,
                date=date,
                places=places,
                boundaries=placing_boundaries(store, places),
            )
            assert connection.execute("SHOW TABLES").fetchall() == []
        assert list(table.columns) == LOCATIONS.names
        assert check_of(findings, "locations_accounted").passed
        return table.set_index("location_id"), findings

    return joined


def reasons(table):
    return table["reason"].fillna("").to_dict()


# -- the nearest postcode --------------------------------------------------------------------------


def test_a_location_serves_the_nearest_postcode_as_if_it_were_listed(join):
    table, findings = join("7,51.5004,-0.105")
    row = table.loc["7"]
    assert [row["oa"], row["area"], row["msoa"]] == ["E00000001", ONE, "E02000001"]
    assert [row["postcodes"], row["n_postcodes"], row["weight"]] == ["AA1 1AA", 1, 1]
    assert [row["lat"], row["lon"]] == [51.5004, -0.105]
    assert [row["status"], row["placed_by"]] == ["matched", "nearest_postcode"]
    assert findings.values["metres_to_nearest_postcode_median"] == 44
    assert findings.values["metres_from_postcodes_median"] is None


def test_every_location_weighs_one_where_several_are_near_one_postcode(join):
    table, findings = join("7,51.5004,-0.105", "8,51.4996,-0.105")
    assert table["weight"].to_list() == [1, 1]
    assert findings.values["n_placed_by_nearest_postcode"] == 2


def test_a_large_user_places_a_location_which_weighs_one_as_any_other(join):
    table, _ = join("7,51.503,-0.105")
    assert [table.loc["7", "postcodes"], table.loc["7", "weight"]] == ["AA1 1AB", 1]


@pytest.mark.parametrize(
    ("date", "nearest"),
    [
        (dt.date(2011, 1, 1), "AA2 1AB"),
        (dt.date(2012, 3, 1), "AA2 1AA"),  # that one has ended, 69 m away, and this is 333 m away
        (dt.date(2017, 9, 1), "AA2 1AC"),
    ],
)
def test_the_nearest_postcode_is_one_that_lives_at_the_studys_date(join, date, nearest):
    table, _ = join("7,51.503,-0.095", places=Places(within_m=400), date=date)
    assert table.loc["7", "postcodes"] == nearest


def test_images_of_after_the_end_of_the_nearest_postcode_are_placed(join):
    """Where it lay is known, and nobody says that the images were taken for it."""
    header = f"{HEADER},captured_at"
    table, _ = join("7,51.503,-0.096,2016-07-01", header=header, date=dt.date(2011, 1, 1))
    assert [table.loc["7", "postcodes"], table.loc["7", "status"]] == ["AA2 1AB", "matched"]


def test_a_postcode_without_an_lsoa_places_nothing(join):
    table, _ = join("7,51.506,-0.105", places=Places(within_m=400))
    assert table.loc["7", "postcodes"] == "AA1 1AB"  # 333 m away


@pytest.mark.parametrize(("within_m", "reason"), [(100, "no_postcode_near"), (120, "")])
def test_no_postcode_within_the_studys_limit_is_a_reason(join, within_m, reason):
    table, findings = join("7,51.501,-0.105", "8,51.5,-0.105", places=Places(within_m=within_m))
    row = table.loc["7"]
    assert reasons(table) == {"7": reason, "8": ""}
    if reason:
        assert [row["postcodes"], row["n_postcodes"], row["weight"]] == ["", 0, 0]
        assert row[["oa", "area", "msoa", "placed_by"]].isna().all()
        assert [row["lat"], row["lon"]] == [51.501, -0.105]
        assert findings.values["n_rejected_no_postcode_near"] == 1
        assert "within_m" in check_of(findings, "locations_matched").description


def test_a_location_beyond_the_citys_border_is_outside_of_it(join):
    table, _ = join("7,51.515,-0.105", "8,51.515,-0.095", "9,51.5,-0.105")
    assert reasons(table) == {"7": "outside_city", "8": "outside_city", "9": ""}
    beta, _ = join("7,51.515,-0.105", city="beta")
    assert beta.loc["7", "area"] == OF_BETA


# -- lists of both kinds ---------------------------------------------------------------------------


def test_postcodes_that_are_listed_decide_whatever_the_coordinates(join):
    table, findings = join(
        "7,AA2 1AA,51.5,-0.105", "8,,51.5,-0.105", header="location_id,postcode,lat,lon"
    )
    assert table["area"].to_dict() == {"7": TWO, "8": ONE}
    assert table["placed_by"].to_dict() == {"7": "postcode", "8": "nearest_postcode"}
    counted = [findings.values[f"n_placed_by_{way}"] for way in ("postcode", "nearest_postcode")]
    assert counted == [1, 1]
    assert findings.values["metres_from_postcodes_median"] == 692  # of the first alone


def test_an_unknown_postcode_is_not_replaced_by_coordinates(join):
    table, _ = join("7,ZZ9 9ZZ,51.5,-0.105", header="location_id,postcode,lat,lon")
    assert reasons(table) == {"7": "unknown_postcode"}


def test_one_postcode_of_a_location_is_enough_to_decide(join):
    rows = ["7,,51.5,-0.105", "7,AA2 1AA,51.5,-0.105"]
    table, _ = join(*rows, header="location_id,postcode,lat,lon")
    assert [table.loc["7", "area"], table.loc["7", "placed_by"]] == [TWO, "postcode"]


@pytest.mark.parametrize("places", [Places(), BOUNDARIES], ids=["nearest", "boundaries"])
def test_with_neither_postcode_nor_coordinates_there_is_no_position(join, places):
    table, _ = join("7,,", "8,51.5,-0.105", places=places)
    assert reasons(table) == {"7": "no_position", "8": ""}
    alone, _ = join("7,,", places=places)
    assert reasons(alone) == {"7": "no_position"}


def test_in_a_list_of_postcodes_an_empty_one_is_unknown(join):
    table, _ = join("7,,,", "8,AA1 1AA,,", header="location_id,postcode,lat,lon")
    assert reasons(table) == {"7": "unknown_postcode", "8": ""}


def test_a_repeated_row_counts_once(join):
    table, findings = join("7,51.5,-0.105", "7,51.5,-0.105")
    assert [table.loc["7", "weight"], table.loc["7", "n_postcodes"]] == [1, 1]
    assert findings.values["n_rows_repeated"] == 1
    assert findings.values["n_postcodes"] == 0


def test_who_took_the_images_is_kept(join):
    table, _ = join("7,51.5,-0.105,Ann", "8,51.5,-0.105,", header=f"{HEADER},creator")
    assert table["creator"].fillna("").to_dict() == {"7": "Ann", "8": ""}


# -- boundaries ------------------------------------------------------------------------------------


def test_a_location_lies_in_the_lsoa_around_it(join):
    """Nearer to a postcode of TWO, and on ONE's side of the border; the directory has its MSOA."""
    table, findings = join("7,51.5,-0.1001", places=BOUNDARIES)
    row = table.loc["7"]
    assert [row["area"], row["msoa"], row["weight"]] == [ONE, "E02000001", 1]
    assert pd.isna(row["oa"])
    assert [row["postcodes"], row["n_postcodes"], row["placed_by"]] == ["", 0, "boundaries"]
    assert findings.values["n_placed_by_boundaries"] == 1


def test_where_no_boundary_or_another_citys_is_around_a_location_there_is_a_reason(join):
    positions = {
        "sea": "51.6,-0.105",
        "overlap": "51.535,-0.104",
        "beta": "51.515,-0.105",
        "nobody": "51.515,-0.095",
        "new": "51.535,-0.108",  # in an area of which the directory has no postcode
        "good": "51.5,-0.105",
    }
    table, findings = join(*(f"{name},{at}" for name, at in positions.items()), places=BOUNDARIES)
    assert reasons(table) == {
        "sea": "outside_all_areas",
        "overlap": "in_several_areas",
        "beta": "outside_city",
        "nobody": "outside_city",
        "new": "outside_city",
        "good": "",
    }
    assert table.drop("good")[["area", "placed_by"]].isna().all(axis=None)
    assert findings.values["n_rejected_outside_city"] == 3
    assert findings.values["n_rejected_in_several_areas"] == 1


def test_postcodes_decide_where_there_are_any_and_boundaries_where_not(join):
    rows = ["7,AA2 1AA,51.5,-0.105", "8,,51.5,-0.105"]
    table, _ = join(*rows, header="location_id,postcode,lat,lon", places=BOUNDARIES)
    assert table["placed_by"].to_dict() == {"7": "postcode", "8": "boundaries"}
    assert table["area"].to_dict() == {"7": TWO, "8": ONE}


def test_boundaries_that_are_needed_and_absent_are_one_error(store, tmp_path):
    listing = tmp_path / "alpha.csv"
    assert placing_boundaries(DataStore(tmp_path), BOUNDARIES) is None

    def join(text):
        listing.write_text(text)
        directory = store.root / "postcode_lsoa.parquet"
        given = {"city": "alpha", "date": DATE, "places": BOUNDARIES, "boundaries": None}
        with duckdb.connect() as connection:
            return join_locations(connection, listing, directory, **given)[0]

    with pytest.raises(SourceError, match=r'alpha.csv has 1 .*inputs/boundaries .*by = "postcode"'):
        join(f"{HEADER}\n7,51.5,-0.105\n")
    assert join("location_id,postcode\n7,AA1 1AA\n")["placed_by"].to_list() == ["postcode"]


# -- checks ----------------------------------------------------------------------------------------


def test_nothing_compares_coordinates_with_the_postcode_that_they_chose(join):
    for places in (Places(), BOUNDARIES):
        _, findings = join("7,51.5004,-0.105", places=places)
        assert check_of(findings, "locations_consistent").result == "not tested"
        assert failed_checks(findings) == set()


@pytest.mark.parametrize("places", [Places(), BOUNDARIES], ids=["nearest", "boundaries"])
def test_a_stated_lsoa_may_differ_near_borders_but_not_in_most_of_the_list(join, places):
    header = f"{HEADER},area"
    at = {ONE: "51.5,-0.105", TWO: "51.5,-0.095"}
    half = [f"7,{at[ONE]},{ONE}", f"8,{at[TWO]},{ONE}"]
    _, findings = join(*half, header=header, places=places)
    name = "n_coordinates_in_another_lsoa_than_stated"
    assert check_of(findings, "locations_consistent").values[name] == 1
    assert failed_checks(findings) == set()
    _, sorted_apart = join(*half, f"9,{at[ONE]},{TWO}", header=header, places=places)
    assert failed_checks(sorted_apart) == {"locations_consistent"}
    assert sorted_apart.tables["contradicted_locations"][0]["location_id"] == "8"


def test_coordinates_of_two_decimals_are_counted(join):
    wide = Places(within_m=1000)
    _, coarse = join("7,51.5,-0.10", "8,51.5,-0.105", places=wide)
    assert coarse.values["n_coarse_positions"] == 1
    assert failed_checks(coarse) == {"positions_precise"}
    _, fine = join("7,51.5,-0.101", "8,51.501,-0.10", places=wide)
    assert fine.values["n_coarse_positions"] == 0
    _, listed = join("7,AA1 1AA,51.5,-0.1", header="location_id,postcode,lat,lon")
    assert check_of(listed, "positions_precise").result == "not tested"  # its postcode places it


def around(n, n_right):
    """Postcodes of TWO, of which the first so many lie within its boundary."""
    right = [51.5 + k / 100_000 for k in range(n_right)]
    wrong = [51.52 + k / 100_000 for k in range(n - n_right)]
    rows = [(f"AA2 {k:03d}", lat, -0.095) for k, lat in enumerate([*right, *wrong])]
    return [(code, "alpha", TWO, 0, "1980-01-01", None, lat, lon) for code, lat, lon in rows]


@pytest.mark.parametrize(
    ("rows", "result", "share"),
    [
        pytest.param(around(100, 97), "holds", 0.97, id="97 of 100 agree"),
        pytest.param(around(100, 96), "does not hold", 0.96, id="96 of 100 agree"),
        pytest.param(
            [(*row[:5], "2010-01-01", *row[6:]) for row in around(50, 0)] + around(10, 10),
            "holds",
            1.0,
            id="terminated ones do not count",
        ),
        pytest.param(
            [(row[0].replace("AA", "BB"), "beta", OF_BETA, *row[3:]) for row in around(50, 0)]
            + around(10, 10),
            "holds",
            1.0,
            id="nor do those of other cities",
        ),
        pytest.param(
            [(*row[:6], None, None) for row in around(10, 10)],
            "not tested",
            None,
            id="a directory without coordinates",
        ),
    ],
)
def test_boundaries_are_judged_by_the_postcodes_of_the_city(join, tmp_path, rows, result, share):
    directory = parquet(tmp_path / "postcodes.parquet", rows)
    _, findings = join("7,51.5,-0.095", places=BOUNDARIES, postcodes=directory)
    check = check_of(findings, "boundaries_precise")
    assert check.result == result
    assert check.values.get("share_agreeing") == share
    if result == "does not hold":
        assert "96 of the city's 100" in check.description
        assert "BFC" in check.description


def test_boundaries_that_place_nothing_are_not_judged(join):
    _, findings = join("7,51.5,-0.095")
    check = check_of(findings, "boundaries_precise")
    assert (check.result, check.passed) == ("not tested", True)
