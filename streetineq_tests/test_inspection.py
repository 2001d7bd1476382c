"""The doctor's lines on inputs: found is what a run would read, and as much of it as matches."""

import csv
import gzip
import io
import shutil

import pytest

from streetineq_assets.inspection import inspect_inputs
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.codes.importing.brought import CODES, WIDTH, write_hdf5
from streetineq_tests.images.pictures import write_files
from streetineq_tests.labels import official
from streetineq_tests.labels.official_study import STUDY, make_study, write_boundaries
from streetineq_tests.studies import new_study

CODES_ARE_BROUGHT = f"""
[encoder]
family = "imported"
name = "CLIP"
layer = "pooled"
preprocessing = "its own"
width = {WIDTH}
"""
LISTED = "location_id,postcode\n7,AB1 1AA\n8,AB2 1AA\n"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two cities with every official file, and two locations with their images in one."""
    store = make_study(tmp_path_factory.mktemp("sound"))
    write_boundaries(store)
    official.write(store.inputs("locations", "alpha.csv"), LISTED)
    write_files(
        store.inputs("images", "alpha"), {f"{i}_{v}.png": b"x" for i in ("7", "8") for v in "abcd"}
    )
    return store


@pytest.fixture
def store(sound, tmp_path):
    """A copy that a test may spoil."""
    return DataStore(shutil.copytree(sound.root, tmp_path / "study"))


def inspect(store):
    """Status and text of every line, by what it is about."""
    found = inspect_inputs(store, load_study(store.study_file))
    lines = {row["what"]: (row["status"], row["where"]) for row in found["sources"]}
    for row in found["outcomes"]:
        lines[f"{row['city']}/{row['outcome']}"] = (row["status"], row["where"])
    for row in found["cities"]:
        for what in {"locations", "images", "codes"} & row.keys():
            lines[f"{row['city']} {what}"] = (row[f"{what}_status"], row[what])
    return lines


def test_what_is_sound_is_found_and_counted(sound):
    lines = inspect(sound)
    expected = {
        "postcode directory": "areas of the study: 42",
        "boundaries": "42 of 42 areas have a boundary",
        "alpha/crime": "30 of 30 areas have a value",
        "beta/self_reported_health": "12 of 12 areas have a value",
        "alpha locations": "2 of 2 locations have an area",
        "alpha images": "2 of 2 listed locations have all four images",
    }
    for what, text in expected.items():
        assert lines[what][0] == "found"
        assert text in lines[what][1]
    assert lines["beta locations"][0] == lines["beta images"][0] == "missing"
    assert not {status for status, _ in lines.values()} & {"wrong", "doubtful", "ignored"}


def test_images_are_known_by_the_names_of_the_study(store):
    called_by_heading(store)
    settings("[cities.alpha]", '[images]\nnames = "{id}_{heading}"\n\n[cities.alpha]')(store)
    assert inspect(store)["alpha images"][0] == "found"


def test_nothing_is_written_into_the_study(store):
    before = sorted(store.root.rglob("*"))
    inspect(store)
    assert sorted(store.root.rglob("*")) == before


def cut_gzip(store):
    path = store.inputs("onspd", "ONSPD_AUG_2017_UK.csv")
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])


def cut_in_a_row(store):
    path = store.inputs("census", "QS302EW.csv")
    text = path.read_text()
    path.write_text(text[: text.index("E01000020") + 12])


def of_another_population(store):
    """More residents in all than the health table counts, as in a table of the workday."""
    path = store.inputs("census", "QS302EW.csv")
    lines = list(csv.reader(io.StringIO(path.read_text())))
    fewer = [
        [*line[:2], *(str(int(cell) // 9) for cell in line[2:])]
        if line[1:] and line[1].startswith("E010")
        else line
        for line in lines
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(fewer)
    path.write_text(text.getvalue())


def lists(city, text):
    return lambda store: official.write(store.inputs("locations", f"{city}.csv"), text)


def two_views(store):
    for path in store.inputs("images", "alpha").glob("*_[cd].png"):
        path.unlink()


def one_view_less(store):
    store.inputs("images", "alpha", "7_a.png").unlink()


def called_by_heading(store):
    for view, heading in zip("abcd", ("000", "090", "180", "270"), strict=True):
        for path in store.inputs("images", "alpha").glob(f"*_{view}.png"):
            path.rename(path.with_stem(f"{path.stem[0]}_{heading}"))


def settings(old, new):
    return lambda store: store.study_file.write_text(STUDY.replace(old, new, 1))


def boundaries_of_elsewhere(store):
    path = store.inputs("boundaries", "LSOA_2011.geojson")
    path.write_text(path.read_text().replace("E01", "W01"))


AUTHORITY = '["E09000001", "E09000099"]'
# What is spoilt together, and the lines that must say so.
SPOILT = {
    "files cut short": (
        [cut_in_a_row, cut_gzip, lists("alpha", "location_id\n7\n")],
        {
            "postcode directory": ("wrong", "truncated"),
            "self_reported_health": ("wrong", "line "),
            "alpha/self_reported_health": ("wrong", "QS302EW.csv"),
            "alpha locations": ("wrong", '"postcode"'),
        },
    ),
    "two files that contradict each other": (
        [of_another_population],
        {
            "self_reported_health": ("wrong", "of another population"),
            "alpha/self_reported_health": ("wrong", "see above"),
        },
    ),
    "lists and boundaries that are unusable": (
        [
            lists("alpha", "location_id;postcode\n7;AB1 1AA\n"),
            lists("beta", "location_id,postcode\n"),
            boundaries_of_elsewhere,
            settings("lsoas = 30", "lsoas = 150"),
        ],
        {
            "alpha locations": ("wrong", "semicolons"),
            "beta locations": ("wrong", "0 of 0"),
            "boundaries": ("wrong", "0 of 42 areas"),
            "postcode directory": ("doubtful", "are 150"),
        },
    ),
    "nothing matches": (
        [lists("alpha", LISTED.replace("AB", "ZZ")), two_views],
        {
            "alpha locations": ("wrong", "0 of 2 locations"),
            "alpha images": ("wrong", "0 of 2 listed locations have all four"),
        },
    ),
    "images called otherwise": (
        [
            called_by_heading,
            settings("[cities.alpha]", '[images]\nnames = "{id}/{view}"\n\n[cities.alpha]'),
        ],
        {"alpha images": ("wrong", 'names = ["{id}_{heading}"] under [images]')},
    ),
    "some of it does not match": (
        [
            lists("alpha", LISTED + "9,AB3 9ZZ\n"),
            one_view_less,
            settings('["E09000001"]', AUTHORITY),
        ],
        {
            "alpha locations": ("doubtful", "2 of 3 locations have an area"),
            "alpha images": ("doubtful", "1 of 3 listed locations have all four"),
            "postcode directory": ("doubtful", "E09000099 of alpha"),
        },
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_a_run_refuses_or_warns_of_is_not_called_found(store, case):
    spoils, expected = SPOILT[case]
    for spoil in spoils:
        spoil(store)
    lines = inspect(store)
    assert {what: lines[what][0] for what in expected} == {
        what: status for what, (status, _) in expected.items()
    }
    for what, (_, told) in expected.items():
        assert told in lines[what][1]


def test_lists_and_folders_of_no_city_are_named_with_the_city_that_may_be_meant(tmp_path):
    store = new_study(tmp_path, STUDY)
    official.write(store.inputs("locations", "alpa.csv"), LISTED)
    official.write(store.inputs("captures", "bets.csv"), CAPTURES)
    store.inputs("images", "gamma").mkdir(parents=True)
    lines = inspect(store)
    assert lines["no city of the study is called alpa; did you mean alpha?"][0] == "ignored"
    assert lines["no city of the study is called bets; did you mean beta?"][0] == "ignored"
    assert lines["no city of the study is called gamma"][0] == "ignored"


POSITIONS = "location_id,lat,lon\n7,51.0003,-0.1\n8,51.0103,-0.1\n"  # 33 m from AB1 1AA and AB2 1AA
BY_BOUNDARIES = settings("[cities.alpha]", '[places]\nby = "boundaries"\n\n[cities.alpha]')


def test_locations_without_postcodes_are_placed_as_a_run_would_place_them(store):
    lists("alpha", POSITIONS)(store)
    status, text = inspect(store)["alpha locations"]
    assert (status, "2 of 2 locations have an area" in text) == ("found", True)
    lists("alpha", POSITIONS.replace("51.01", "51.02"))(store)
    settings("[cities.alpha]", "[places]\nwithin_m = 30\n\n[cities.alpha]")(store)
    status, text = inspect(store)["alpha locations"]
    assert (status, "0 of 2 locations have an area" in text) == ("wrong", True)
    assert "2 no_postcode_near" in text


def test_boundaries_that_place_locations_are_wanted_and_judged(store):
    """The rectangles are not where the postcodes lie."""
    BY_BOUNDARIES(store)
    lists("alpha", "location_id,lat,lon\n7,51.5,-0.495\n8,51.5,-0.485\n")(store)
    status, text = inspect(store)["alpha locations"]
    assert (status, "2 of 2 locations have an area" in text) == ("doubtful", True)
    assert "live postcodes" in text
    shutil.rmtree(store.inputs("boundaries"))
    lines = inspect(store)
    assert lines["alpha locations"][0] == "wrong"
    assert "inputs/boundaries" in lines["alpha locations"][1]
    assert lines["boundaries"][0] == "missing"
    assert "to place locations" in lines["boundaries"][1]
    lists("alpha", LISTED)(store)
    assert inspect(store)["alpha locations"][0] == "found"


def test_a_workbook_in_the_place_of_a_list_is_wrong(tmp_path):
    store = new_study(tmp_path, STUDY)
    official.write(store.inputs("locations", "alpha.xlsx"), "PK")
    status, text = inspect(store)["alpha locations"]
    assert status == "wrong"
    assert "alpha.xlsx lies in the place of alpha.csv" in text


def test_files_of_other_layouts_are_ignored_with_the_reason(tmp_path):
    store = new_study(tmp_path, STUDY)
    official.write(store.inputs("census", "notes.csv"), "a,b\n1,2\n")
    official.write(store.inputs("onspd", "names.csv"), "LAD11CD,LAD11NM\nE09000001,A\n")
    lines = inspect(store)
    assert "ignored" in {status for status, where in lines.values() if "notes.csv" in where}
    status, text = lines["postcode directory"]
    assert status == "missing"
    assert "names.csv: it has no column of postcodes" in text


@pytest.mark.parametrize(("there", "status"), [(True, "found"), (False, "missing")])
def test_the_bundle_that_networks_come_from_is_looked_for(tmp_path, there, status):
    name = "inputs/models/other.streetineq"
    store = new_study(tmp_path, f'{STUDY}\n[transfer]\nsource = "{name}"\n')
    if there:
        official.write(store.input_file(name), "bundle")
    assert inspect(store)["source of transfer"][0] == status


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("area,ward\nE01000001,a\nE01000002,b\n", "found", "2 of 42 areas (ward)"),
        ("area,ward\nW01000001,a\n", "wrong", "0 of 42 areas"),
        ("area,ward\nE01,a\n", "wrong", "line 2"),
    ],
)
def test_groups_of_areas_are_counted_where_there_are_any(store, text, status, told):
    assert "groups of areas" not in inspect(store)
    official.write(store.inputs("groups", "mine.csv"), text)
    found = inspect(store)["groups of areas"]
    assert found[0] == status
    assert told in found[1]


def test_rights_that_a_run_would_refuse_are_wrong_and_unknown_ones_are_left_to_the_audit(store):
    file = store.inputs("locations", "alpha.csv")
    official.write(file, "location_id,postcode,provider\n7,AB1 1AA,Google\n8,AB2 1AA,own\n")
    status, text = inspect(store)["alpha locations"]
    assert status == "wrong"
    assert "google_street_view" in text
    official.write(file, "location_id,postcode,provider\n7,AB1 1AA,own\n8,AB2 1AA,\n")
    assert inspect(store)["alpha locations"][0] == "found"


CAPTURES = "capture_id,compass_deg,projection,location_id,provider\np,12,pano,7,{}\nq,,pano,8,\n"


@pytest.mark.parametrize(
    ("text", "files", "status", "told"),
    [
        (CAPTURES.format("own"), ["p"], "doubtful", "1 of 2 listed locations have all four"),
        (CAPTURES.format("own"), ["p", "q"], "doubtful", "1 no_compass"),
        (CAPTURES.format("Google"), ["p"], "wrong", "google_street_view"),
        (CAPTURES.format("own"), ["other"], "wrong", "none of the"),
        ("capture_id,compass_deg\np,0\n", ["p"], "wrong", '"projection"'),
    ],
)
def test_captures_are_looked_at_with_the_images(store, text, files, status, told):
    official.write(store.inputs("captures", "alpha.csv"), text)
    shutil.rmtree(store.inputs("images", "alpha"))
    write_files(store.inputs("images", "alpha"), {f"{name}.jpg": b"x" for name in files})
    found = inspect(store)["alpha images"]
    assert found[0] == status
    assert told in found[1]


def test_of_a_study_that_brings_codes_these_are_examined_and_no_images(store):
    with store.study_file.open("a") as file:
        file.write(CODES_ARE_BROUGHT)
    write_hdf5(store.inputs("codes", "alpha.h5"), CODES[:2], location_id=["7", "8"])
    write_hdf5(store.inputs("codes", "gamma.h5"), CODES[:1], location_id=["7"])
    lines = inspect(store)
    path = store.inputs("codes", "alpha.h5")
    assert lines["alpha codes"] == ("found", f"{path}: 2 of 2 listed locations have codes")
    assert lines["beta codes"][0] == "missing"
    assert "alpha images" not in lines
    assert "no city of the study is called gamma" in lines
