"""Locations get their areas by postcode, a weight, or a reason why they have none."""

import datetime as dt

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from streetineq_assets.images.location_areas import join_locations
from streetineq_assets.images.location_checks import LOCATIONS as LOCATION_CHECKS
from streetineq_assets.images.tables import LOCATIONS
from streetineq_tests.harness import check_of, failed_checks

DATE = dt.date(2017, 8, 1)
ONE, TWO, THREE = "E01000001", "E01000002", "E01000003"

# postcode, city, LSOA, user type, introduced, terminated, latitude
POSTCODES = [
    ("AA1 1AA", "alpha", ONE, 0, "1980-01-01", None, 51.0),
    ("AA1 1AB", "alpha", ONE, 0, "1980-01-01", None, 51.2),
    ("AA1 1AC", "alpha", ONE, 1, "1980-01-01", None, 51.4),
    ("AA1 1AD", "alpha", ONE, 0, "1980-01-01", "2012-03-01", None),
    ("AA1 1AE", "alpha", ONE, 0, "2017-09-01", None, 51.0),
    ("AA2 1AA", "alpha", TWO, 0, "1980-01-01", None, 52.0),
    ("AA2 1AB", "alpha", TWO, 0, "1980-01-01", None, 52.0),
    ("AA2 1AC", "alpha", TWO, 0, "1980-01-01", None, 52.0),
    ("AA2 1AD", "alpha", TWO, 0, "1980-01-01", "2017-08-01", 52.0),
    ("AA3 1AA", "alpha", THREE, 0, "1980-01-01", "2012-03-01", 53.0),
    ("AA4 1AA", "alpha", None, 0, "1980-01-01", None, None),
    ("BB1 1AA", "beta", "E01000009", 0, "1980-01-01", None, 54.0),
    ("BB9 9AA", "beta", ONE, 0, "1980-01-01", None, 51.0),
    ("CC1 1AA", None, "E01000008", 0, "1980-01-01", None, 55.0),
]


@pytest.fixture(scope="module")
def postcodes(tmp_path_factory):
    """A small `postcode_lsoa.parquet`; output areas alternate within an LSOA."""
    names = ["postcode", "city", "area", "usertype", "introduced", "terminated", "lat"]
    frame = pd.DataFrame(POSTCODES, columns=names)
    for column in ("introduced", "terminated"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
    known = frame["area"].notna()
    frame["oa"] = frame["area"].str.replace("E01", "E00").where(known)
    frame.loc[frame["postcode"] == "AA1 1AC", "oa"] = "E00999999"
    frame["msoa"] = frame["area"].str.replace("E01", "E02").where(known)
    frame["lon"] = frame["lat"] - 51.5
    path = tmp_path_factory.mktemp("postcodes") / "postcode_lsoa.parquet"
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def join(postcodes, tmp_path, connection):
    def joined(*rows, header="location_id,postcode", date=DATE, city="alpha"):
        listing = tmp_path / "alpha.csv"
        listing.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        table, findings = join_locations(connection, listing, postcodes, city=city, date=date)
        assert connection.execute("SHOW TABLES").fetchall() == []
        assert list(table.columns) == LOCATIONS.names
        assert [check.name for check in findings.checks] == [spec.name for spec in LOCATION_CHECKS]
        return table.set_index("location_id"), findings

    return joined


# -- areas and weights -----------------------------------------------------------------------------


def test_a_location_takes_the_areas_of_its_postcode(join):
    table, _ = join("7,AA1 1AA")
    row = table.loc["7"]
    assert [row["oa"], row["area"], row["msoa"]] == ["E00000001", ONE, "E02000001"]
    assert [row["weight"], row["n_postcodes"], row["postcodes"]] == [1, 1, "AA1 1AA"]
    assert [row["lat"], row["lon"]] == [51.0, pytest.approx(-0.5)]
    assert row["status"] == "matched"
    assert pd.isna(row["reason"])


def test_the_weight_counts_live_small_user_postcodes_at_the_studys_date(join):
    # Two live small users; one large user, one terminated and one not yet introduced weigh nothing.
    table, _ = join("7,AA1 1AA", "7,AA1 1AB", "7,AA1 1AC", "7,AA1 1AD", "7,AA1 1AE")
    assert table.loc["7", "weight"] == 2
    assert table.loc["7", "n_postcodes"] == 5
    assert table.loc["7", "postcodes"] == "AA1 1AA;AA1 1AB;AA1 1AC;AA1 1AD;AA1 1AE"
    later, _ = join("7,AA1 1AA", "7,AA1 1AE", date=dt.date(2017, 9, 1))
    assert later.loc["7", "weight"] == 2
    earlier, _ = join("7,AA1 1AD", date=dt.date(2012, 2, 29))
    assert earlier.loc["7", "weight"] == 1


def test_the_majority_of_live_postcodes_decides_between_areas(join):
    # Terminated by the study's date: AA1 1AD. So ONE has two live postcodes and TWO has three.
    rows = ["AA1 1AA", "AA1 1AB", "AA1 1AD", "AA2 1AA", "AA2 1AB", "AA2 1AC"]
    table, findings = join(*[f"7,{postcode}" for postcode in rows])
    assert table.loc["7", "area"] == TWO
    assert table.loc["7", "weight"] == 3
    assert table.loc["7", "lat"] == 52.0
    assert findings.values["n_locations_over_several_lsoas"] == 1


def test_a_tie_between_areas_goes_to_the_lower_code(join):
    table, _ = join("7,AA2 1AA", "7,AA1 1AA")
    assert table.loc["7", "area"] == ONE
    assert table.loc["7", "weight"] == 1


def test_a_large_user_places_a_location_that_then_weighs_nothing(join):
    table, findings = join("7,AA1 1AC")
    assert table.loc["7", "area"] == ONE
    assert table.loc["7", "weight"] == 0
    assert findings.values["n_matched_without_weight"] == 1


def test_the_output_area_is_that_of_most_live_postcodes_in_the_lsoa(join):
    table, _ = join("7,AA1 1AA", "7,AA1 1AB", "7,AA1 1AC")
    assert table.loc["7", "oa"] == "E00000001"


def test_the_city_is_that_of_most_postcodes_of_the_area_as_for_labels(join):
    # BB9 9AA is filed under beta, but its LSOA is one of alpha's, and has its label there.
    here, _ = join("7,BB9 9AA")
    assert here.loc["7", "area"] == ONE
    there, _ = join("7,BB9 9AA", city="beta")
    assert there.loc["7", "reason"] == "outside_city"


@pytest.mark.parametrize("written", ["AA11AA", "aa1 1aa", "AA1\u00a01AA", "AA1-1AA", " AA1  1AA"])
def test_a_postcode_may_be_written_in_any_way(join, written):
    table, _ = join(f"7,{written}")
    assert table.loc["7", "postcodes"] == "AA1 1AA"


def test_a_list_of_postcodes_gives_what_it_gave_before_coordinates_could_place(join):
    """Every kind of row, against the table of the version before, but for its two new columns."""
    header = "location_id,postcode,lat,lon,captured_at,provider,licence"
    table, _ = join(
        "two,AA1 1AA,51.5,-0.1,2016-07-01,Mapillary,CC-BY-SA",
        "two,aa21aa,51.5,-0.1,2016-07-01,Mapillary,CC-BY-SA",
        "large,AA1 1AC,,,,,",
        "empty,,,,,,",
        "some,AA1 1AD,,,,,",
        "some,,,,,,",
        "ended,AA3 1AA,53,1.5,2016-07-01,,",
        "foreign,BB1 1AA,51,-0.5,,,",
        header=header,
    )
    assert table["placed_by"].dropna().to_dict() == dict.fromkeys(
        ["large", "some", "two"], "postcode"
    )
    assert table["creator"].isna().all()
    none = None
    before = {
        "empty": ("", 1, none, none, none, 0, none, none, none, "rejected", "unknown_postcode"),
        "ended": ("AA3 1AA", 1, none, none, none, 0, 53.0, 1.5, "2016-07-01", "rejected",
                  "terminated_before_capture"),
        "foreign": ("BB1 1AA", 1, none, none, none, 0, 51.0, -0.5, none, "rejected",
                    "outside_city"),
        "large": ("AA1 1AC", 1, "E00999999", ONE, "E02000001", 0, 51.4, 51.4 - 51.5, none,
                  "matched", none),
        "some": (";AA1 1AD", 2, "E00000001", ONE, "E02000001", 0, none, none, none, "matched",
                 none),
        "two": ("AA1 1AA;AA2 1AA", 2, "E00000001", ONE, "E02000001", 1, 51.5, -0.1, "2016-07-01",
                "matched", none),
    }  # fmt: skip
    names = LOCATIONS.names
    names = [n for n in names if n not in ("creator", "placed_by", "provider", "licence")][1:]
    expected = pd.DataFrame.from_dict(before, orient="index", columns=names)
    expected["captured_at"] = pd.to_datetime(expected["captured_at"]).astype("datetime64[ms]")
    pd.testing.assert_frame_equal(table[names], expected, check_dtype=False, check_names=False)
    assert table.loc["two", ["provider", "licence"]].to_list() == ["Mapillary", "CC-BY-SA"]


# -- failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("postcode", "reason"),
    [
        ("ZZ9 9ZZ", "unknown_postcode"),
        ("", "unknown_postcode"),
        ("nonsense", "unknown_postcode"),
        ("BB1 1AA", "outside_city"),
        ("CC1 1AA", "outside_city"),
        ("AA4 1AA", "no_lsoa"),
    ],
)
def test_a_location_that_no_postcode_places_is_rejected_with_a_reason(join, postcode, reason):
    table, findings = join(f"7,{postcode}", "8,AA1 1AA")
    row = table.loc["7"]
    assert [row["status"], row["reason"], row["weight"]] == ["rejected", reason, 0]
    assert row[["oa", "area", "msoa", "lat", "lon"]].isna().all()
    assert findings.values[f"n_rejected_{reason}"] == 1
    assert findings.values[f"n_postcodes_{reason}"] == 1
    assert findings.values["n_matched"] == 1


def test_a_postcode_terminated_before_the_capture_does_not_place(join):
    header = "location_id,postcode,captured_at"
    table, findings = join("7,AA3 1AA,2016-07-21", "8,AA3 1AA,2012-03-31", header=header)
    assert table.loc["7", "reason"] == "terminated_before_capture"
    assert table.loc["8", "area"] == THREE  # gone in the month of the capture: it was there
    assert table.loc["8", "weight"] == 0
    assert findings.values["n_rejected_terminated_before_capture"] == 1


def test_without_a_date_of_capture_a_terminated_postcode_places(join):
    table, _ = join("7,AA3 1AA")
    assert table.loc["7", "area"] == THREE


def test_one_good_postcode_is_enough(join):
    table, findings = join("7,ZZ9 9ZZ", "7,BB1 1AA", "7,AA4 1AA", "7,AA1 1AA")
    assert table.loc["7", "status"] == "matched"
    assert table.loc["7", "n_postcodes"] == 4
    assert findings.values["n_postcodes_unknown_postcode"] == 1
    assert findings.values["n_postcodes_outside_city"] == 1
    assert findings.values["n_postcodes_no_lsoa"] == 1


def test_the_reason_is_that_of_the_postcode_that_came_furthest(join):
    table, _ = join("7,ZZ9 9ZZ", "7,BB1 1AA", "8,AA4 1AA", "8,BB1 1AA")
    assert table["reason"].to_dict() == {"7": "outside_city", "8": "no_lsoa"}


def test_listed_is_matched_plus_rejected(join):
    rows = [f"{i},{p[0]}" for i, p in enumerate(POSTCODES)] + ["99,ZZ9 9ZZ"]
    table, findings = join(*rows)
    rejected = sum(n for name, n in findings.values.items() if name.startswith("n_rejected_"))
    assert findings.values["n_listed"] == len(rows) == findings.values["n_matched"] + rejected
    assert table.index.is_unique
    accounted = check_of(findings, "locations_accounted")
    assert accounted.blocking
    assert accounted.passed


def test_many_failures_are_a_warning(join):
    _, findings = join("1,AA1 1AA", "2,ZZ9 9ZZ")
    assert failed_checks(findings) == {"locations_matched"}
    assert "1 unknown_postcode" in check_of(findings, "locations_matched").description


# -- the list of locations -----------------------------------------------------------------------


def test_rows_come_in_the_order_of_ids_as_text(join):
    table, _ = join("b,AA1 1AA", "10,AA1 1AA", "9,AA1 1AA", "é,AA1 1AA", "A,AA1 1AA")
    assert list(table.index) == ["10", "9", "A", "b", "é"]


def test_ids_stay_text_and_postcodes_match_whatever_their_spaces_and_case(join):
    table, _ = join("007,aa11aa", "1.0,AA1  1AB", " 8 , AA2 1AA ")
    assert list(table.index) == ["007", "1.0", "8"]
    assert table["area"].to_list() == [ONE, ONE, TWO]


def test_repeated_rows_count_once_and_shared_postcodes_are_counted(join):
    table, findings = join("7,AA1 1AA", "7,AA1 1AA", "8,AA1 1AA")
    assert table.loc["7", "weight"] == 1
    assert findings.values["n_rows_repeated"] == 1
    assert findings.values["n_postcodes_of_several_locations"] == 1


def test_listed_coordinates_and_origin_are_kept(join):
    header = "postcode,location_id,licence,lon,lat,provider,captured_at,notes"
    table, _ = join(
        "AA1 1AA,7,CC-BY-SA,-0.125,51.5,Mapillary,2016-07-21T10:30:00Z,x", header=header
    )
    row = table.loc["7"]
    assert [row["lat"], row["lon"]] == [51.5, -0.125]
    assert [row["provider"], row["licence"]] == ["Mapillary", "CC-BY-SA"]
    assert row["captured_at"] == pd.Timestamp(2016, 7, 21)


def test_a_month_of_capture_is_its_first_day(join):
    table, _ = join("7,AA1 1AA,2016-07", header="location_id,postcode,captured_at")
    assert table.loc["7", "captured_at"] == pd.Timestamp(2016, 7, 1)


def test_a_list_without_rows_lists_nothing(join):
    table, findings = join()
    assert len(table) == 0
    assert findings.values["n_listed"] == 0
    assert findings.unavailable.wanted.endswith("alpha.csv")
    assert not failed_checks(findings)


# -- contradictions --------------------------------------------------------------------------------
# The coordinates of AA1 1AA are 51.0, -0.5 and those of AA2 1AA 52.0, 0.5; 0.0089 degrees of
# latitude are 990 metres, and 0.0091 are 1,012.

LOCATED = "location_id,postcode,lat,lon"


def test_coordinates_within_a_kilometre_of_the_postcode_agree(join):
    _, findings = join("7,AA1 1AA,51.0089,-0.5", "8,AA2 1AA,52,0.5", header=LOCATED)
    assert not failed_checks(findings)
    assert findings.values["metres_from_postcodes_median"] == pytest.approx(495, abs=1)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(["7,AA1 1AA,51.0091,-0.5"], id="north"),
        pytest.param(["7,AA1 1AA,51,-0.4855"], id="east: 1,015 m at that latitude"),
        pytest.param(["7,AA1 1AA,51,0.5"], id="the sign of the longitude is lost"),
        pytest.param(["7,AA2 1AA,51,-0.5", "8,AA1 1AA,52,0.5"], id="postcodes changed places"),
    ],
)
def test_coordinates_far_from_the_postcode_that_places_them_are_counted(join, rows):
    table, findings = join(*rows, header=LOCATED)
    assert failed_checks(findings) == {"locations_consistent"}
    check = check_of(findings, "locations_consistent")
    assert check.values["n_coordinates_over_1_km_away"] == len(rows)
    named = findings.tables["contradicted_locations"]
    assert [row["location_id"] for row in named] == list(table.index)
    assert "coordinates" in named[0]["contradiction"]


def test_of_two_postcodes_the_one_that_places_must_be_near(join):
    """The vote goes to the far one, by code; the coordinates are those of the other."""
    _, findings = join("7,AA1 1AA,52,0.5", "7,AA2 1AA,52,0.5", header=LOCATED)
    values = check_of(findings, "locations_consistent").values
    assert values["n_coordinates_over_1_km_away"] == 1
    assert values["n_postcodes_over_1_km_apart"] == 1


@given(order=st.permutations(range(8)))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_column_in_another_order_is_counted_by_the_distances(join, order):
    """Coordinates are those of eight postcodes; the distances are pyproj's, on the ellipsoid."""
    placed = [row for row in POSTCODES if row[1] == "alpha" and row[2] and row[6]][:8]
    lat = [row[6] for row in placed]
    rows = [f"{n},{placed[order[n]][0]},{lat[n]},{lat[n] - 51.5}" for n in range(8)]
    _, findings = join(*rows, header=LOCATED)
    metres = Geod(ellps="WGS84").inv(
        [each - 51.5 for each in lat],
        lat,
        [lat[to] - 51.5 for to in order],
        [lat[to] for to in order],
    )[2]
    far = sum(each > 1000 for each in metres)
    check = check_of(findings, "locations_consistent")
    assert (check.values["n_coordinates_over_1_km_away"], check.passed) == (far, far == 0)


def test_postcodes_of_one_location_that_lie_far_apart_are_counted(join):
    _, findings = join("7,AA1 1AA", "7,AA1 1AB", "8,AA2 1AC", "8,BB1 1AA")  # 7's share an LSOA
    check = check_of(findings, "locations_consistent")
    assert (check.passed, check.values["n_postcodes_over_1_km_apart"]) == (False, 1)
    assert [row["location_id"] for row in findings.tables["contradicted_locations"]] == ["8"]


def test_a_stated_lsoa_is_compared_with_the_postcodes(join):
    header = "location_id,postcode,area"
    _, right = join(f"7,AA1 1AA,{ONE}", f"7,AA2 1AA,{ONE}", f"8,AA2 1AA,{TWO}", header=header)
    assert check_of(right, "locations_consistent").values["n_other_lsoa_stated"] == 0
    _, wrong = join(f"7,AA1 1AA,{TWO}", f"8,AA2 1AA,{ONE}", header=header)
    assert failed_checks(wrong) == {"locations_consistent"}
    assert check_of(wrong, "locations_consistent").values["n_other_lsoa_stated"] == 2


def test_a_stated_city_is_compared_where_it_is_one_of_the_study(join):
    header = "location_id,postcode,city"
    _, right = join("7,AA1 1AA,Alpha", "8,AA2 1AA,Some district", header=header)
    assert not failed_checks(right)
    _, wrong = join("7,AA1 1AA,beta", header=header)
    assert check_of(wrong, "locations_consistent").values["n_other_city_stated"] == 1


def test_a_list_with_nothing_to_compare_says_so(join):
    _, findings = join("7,AA1 1AA", "8,AA2 1AA")
    check = check_of(findings, "locations_consistent")
    assert check.result == "not tested"
    assert "to compare" in check.description


def test_headings_that_mean_nothing_here_are_reported(join):
    _, findings = join("7,AA1 1AA,x", header="location_id,postcode,Easting")
    assert findings.values["columns_not_read"] == "Easting"
