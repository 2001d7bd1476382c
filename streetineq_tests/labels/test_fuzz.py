"""Any bytes in: a table or a `SourceError` out, never another exception."""

import contextlib
import gzip
import io

import duckdb
import openpyxl
import pytest
import xlrd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.errors import SourceError, SourceMissingError
from streetineq_assets.geography import read_boundaries
from streetineq_assets.images.location_list import read_location_list
from streetineq_assets.labels.postcode_directory import find_directory
from streetineq_assets.labels.postcodes import write_postcodes
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.labels.vintages import read_links
from streetineq_assets.spreadsheets.sheets import read_sheets
from streetineq_tests.labels import official

FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def workbook():
    book = openpyxl.Workbook()
    for row in official.file_7_rows()[:4]:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def marked_members(raw, field, mark):
    """A workbook in which one byte of each member's local and central header is changed.

    Args:
        field: offset of the byte within a local header; it stands two bytes later in the central.
    """
    changed = bytearray(raw)
    for signature, offset in ((b"PK\x03\x04", field), (b"PK\x01\x02", field + 2)):
        place = -1
        while (place := raw.find(signature, place + 1)) >= 0:
            changed[place + offset] = mark
    return bytes(changed)


ENCRYPTED, UNKNOWN_PACKING = marked_members(workbook(), 6, 1), marked_members(workbook(), 8, 97)
TABLES = [
    official.nomis_query("QS302EW", lsoas=official.LSOAS[:4]).encode(),
    official.nomis_bulk("KS403EW")[:1500].encode(),
    official.infuse(renamed=False).encode("latin-1"),
    official.file_7(whole=False)[:2000].encode("utf-8-sig"),
    official.income_csv(sign="£")[:600].encode("latin-1"),
    gzip.compress(official.income_csv()[:600].encode()),
    workbook(),
    ENCRYPTED,
    UNKNOWN_PACKING,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
]
DIRECTORIES = [official.directory(edition)[:4000].encode() for edition in official.EDITIONS]
LISTING = b"location_id,postcode,lat,lon,captured_at\n1,AB1 1AA,51.5,-0.1,2016-07\n2,AB2 1AA,,,\n"
GEOJSON = b'{"type":"FeatureCollection","features":[]}'
LINKS = b"LSOA11CD,LSOA11NM,LSOA21CD,LSOA21NM,CHGIND\nE01000001,a,E01000001,a,U\n"


@st.composite
def damaged(draw, originals):
    """One of the originals with pieces cut out, put in, or changed."""
    raw = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        stop = min(len(raw), start + draw(st.integers(0, 30)))
        piece = draw(st.binary(max_size=12) | st.sampled_from([b'"', b",", b"\n", b"-1", b"\x00"]))
        raw[start:stop] = piece
    return bytes(raw)


@FUZZ
@given(st.binary(max_size=400) | damaged(TABLES))
def test_tables(tmp_path, raw):
    path = tmp_path / "census" / "file.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    with contextlib.suppress(SourceError):
        for values in read_sources(find_sources(tmp_path)).values():
            assert values.frame.index.is_unique
            assert not (values.frame["value"] < 0).any()


@pytest.mark.parametrize("raw", [ENCRYPTED, UNKNOWN_PACKING], ids=["encrypted", "packing"])
def test_a_workbook_that_cannot_be_unpacked_is_damaged(tmp_path, raw):
    (tmp_path / "file.xlsx").write_bytes(raw)
    with pytest.raises(SourceError, match=r"file\.xlsx is a damaged workbook"):
        read_sheets(tmp_path / "file.xlsx")


class Book:
    """An XLS workbook that opens and whose sheets, which xlrd parses on demand, have a fault."""

    def __init__(self, *sheets):
        self.sheets = dict(sheets)

    def sheet_names(self):
        return list(self.sheets)

    def sheet_by_name(self, name):
        raise self.sheets[name]


@pytest.mark.parametrize(
    "fault", [xlrd.XLRDError, xlrd.compdoc.CompDocError, xlrd.formula.FormulaError]
)
def test_a_sheet_of_an_xls_workbook_that_cannot_be_parsed_is_damaged(tmp_path, monkeypatch, fault):
    monkeypatch.setattr(xlrd, "open_workbook", lambda **_: Book(("LSOA11", fault("token"))))
    (tmp_path / "file.xls").write_bytes(TABLES[-1])
    with pytest.raises(SourceError, match=r"file\.xls is a damaged workbook \(token\)"):
        read_sheets(tmp_path / "file.xls")


def test_a_workbook_without_sheets_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(xlrd, "open_workbook", lambda **_: Book())
    (tmp_path / "file.xls").write_bytes(TABLES[-1])
    with pytest.raises(SourceError, match=r"file\.xls is a workbook without a sheet of cells"):
        read_sheets(tmp_path / "file.xls")


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


@FUZZ
@given(st.binary(max_size=400) | damaged(DIRECTORIES))
def test_directories(tmp_path, connection, raw):
    path = tmp_path / "onspd" / "file.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    with contextlib.suppress(SourceError, SourceMissingError):
        directory = find_directory(path.parent)
        write_postcodes(connection, directory, official.AUTHORITIES, tmp_path / "table.parquet")


@FUZZ
@given(st.binary(max_size=200) | damaged([LISTING]))
def test_listings(tmp_path, raw):
    path = tmp_path / "city.csv"
    path.write_bytes(raw)
    with contextlib.suppress(SourceError):
        assert read_location_list(path)["location_id"].ne("").all()


@FUZZ
@given(st.binary(max_size=200) | damaged([GEOJSON, gzip.compress(GEOJSON)]))
def test_boundaries(tmp_path, raw):
    path = tmp_path / "areas.geojson"
    path.write_bytes(raw)
    with contextlib.suppress(SourceError):
        read_boundaries(path)


@FUZZ
@given(st.binary(max_size=200) | damaged([LINKS]))
def test_links(tmp_path, raw):
    path = tmp_path / "links.csv"
    path.write_bytes(raw)
    with contextlib.suppress(SourceError):
        read_links(path)


@pytest.mark.parametrize("original", DIRECTORIES)
def test_the_undamaged_originals_are_read(tmp_path, connection, original):
    """Else the fuzzing would fuzz nothing."""
    path = official.write(tmp_path / "onspd" / "file.csv", "")
    path.write_bytes(original[: original.rindex(b"\n") + 1])
    directory = find_directory(path.parent)
    write_postcodes(connection, directory, official.AUTHORITIES, tmp_path / "table.parquet")
