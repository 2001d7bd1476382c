"""From a file as it was downloaded to rows of text, whatever it is wrapped in.

What belongs here: gzip, encodings, CSV, XLS and XLSX, and the errors of files that are none of
these. What does not: what the rows mean, and how cells become numbers (`columns`).

The first bytes decide the kind and never the name, so `table.xls` that is really CSV text is read
as CSV. All cells are text: a workbook's 70480.0 and a CSV's 70480 read alike.
"""

import codecs
import contextlib
import csv
import datetime as dt
import functools
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

from streetineq_assets.errors import SourceError

HEAD_ROWS = 60
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_HEAD_BYTES = 1 << 18  # room for the header of a census extract with all its counts
_GZIP, _ZIP, _OLE = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A byte order mark, and what becomes of it when it is read in another encoding and saved again.
_MISREAD_AS = ("latin-1", "cp437", "cp850", "cp1250", "cp1251", "mac_roman")
_MARKS = ("\ufeff", *(codecs.BOM_UTF8.decode(encoding) for encoding in _MISREAD_AS))
# What publishers pack beside their tables.
_DOCUMENTS = {".md", ".txt", ".pdf", ".doc", ".docx", ".htm", ".html"}
_HTML = ("<!doctype html", "<html")
# A damaged workbook makes openpyxl and xlrd fail anywhere in their parsers: neither has one error
# for it, so these are the errors of parsing, listed; a bug elsewhere still shows as itself.
_WORKBOOK_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

Row = tuple[int, list[str]]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Sheet:
    """One table as it lies in a file: its rows with their numbers, counted from 1.

    Attributes:
        name: of the worksheet; None in a text file.
        head: the first rows, in which a header may stand.
        rows: reads the file, and yields all rows as (line number, cells), blank lines among them,
            from the first on each call. It raises `SourceError` at a row that cannot be read.
    """

    path: Path
    name: str | None
    head: list[Row]
    rows: Callable[[], Iterator[Row]]

    def at(self, line: int | None = None) -> str:
        """File, sheet and line in words, for messages."""
        sheet = f", sheet {self.name}" if self.name else ""
        return f"{self.path}{sheet}{f', line {line}' if line else ''}"


def data_files(folder: Path) -> Iterator[Path]:
    """The files below a folder in the order of their paths, but for documents and hidden ones."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix.lower() not in _DOCUMENTS:
            yield path


def read_sheets(path: Path) -> list[Sheet]:
    """Every sheet of a file, of which no more is read than its head; a text file has one sheet.

    Raises:
        SourceError: the file is empty, damaged, a web page, or neither text nor a workbook.
    """
    raw = read_bytes(path, limit=_HEAD_BYTES)
    if not raw.startswith((_ZIP, _OLE)):
        head = _csv_head(decode(path, raw, partial=True))
        return [Sheet(path, None, head, lambda: _csv_rows(path))]
    open_book = _xlsx_sheets if raw.startswith(_ZIP) else _xls_sheets
    sheets = list(_parsed(path, open_book(path, read_bytes(path))))
    if not sheets:
        raise SourceError(f"{path} is a workbook without a sheet of cells: download it again")
    return sheets


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The file's bytes, unpacked if it is gzip; at most `limit` of them.

    Raises:
        SourceError: the file is empty, or is gzip and damaged.
    """
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            raw = file.read(limit if limit is not None else -1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{path} is a truncated or damaged gzip file ({error}): download it again"
        ) from error
    if not raw.strip():
        raise SourceError(f"{path} is empty: download it again")
    return raw


def is_gzip(path: Path) -> bool:
    """Whether the file's first bytes are those of gzip, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def decode(path: Path, raw: bytes, *, partial: bool = False) -> str:
    """UTF-8 or else Latin-1, which older downloads are, without the byte order marks before it.

    Args:
        partial: the bytes may end within a character.

    Raises:
        SourceError: the bytes are a web page, UTF-16, or not text.
    """
    if b"\x00" in raw[:_HEAD_BYTES]:
        raise SourceError(f"{path} is not a text file in UTF-8 or Latin-1: save it as CSV (UTF-8)")
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw, final=not partial)
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    while mark := next(filter(text.startswith, _MARKS), None):  # misread twice, they come nested
        text = text.removeprefix(mark)
    start = text[:1024].lstrip().lower()
    if start.startswith("<") or any(mark in start for mark in _HTML):
        raise SourceError(
            f"{path} is a web page and not a table: the link led to a page about the file (or to a "
            "log-in). Open it in a browser and save the file that it offers"
        )
    return text


def other_separator(path: Path) -> str | None:
    """The name of the separator of a text file, by how often it occurs; None where it is commas.

    Raises:
        SourceError: as `read_bytes` and `decode`.
    """
    raw = read_bytes(path, limit=_HEAD_BYTES)
    if raw.startswith((_ZIP, _OLE)):
        return None
    lines = decode(path, raw, partial=True).splitlines()
    for mark, name in OTHER_SEPARATORS.items():
        if 2 * sum(line.count(mark) > max(1, line.count(",")) for line in lines) > len(lines):
            return name
    return None


def is_blank(cells: list[str]) -> bool:
    """Whether a row holds no text at all."""
    return not "".join(cells).strip()


def _csv_rows(path: Path) -> Iterator[Row]:
    text = decode(path, read_bytes(path))
    # strict: a stray quotation mark would silently swallow the rows up to the next one.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from error


def _csv_head(text: str) -> list[Row]:
    """The first rows, up to a fault, which is reported when all rows are read."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    with contextlib.suppress(csv.Error):
        rows.extend((reader.line_num, cells) for cells in islice(reader, HEAD_ROWS))
    return rows


def _xlsx_sheets(path: Path, raw: bytes) -> Iterator[Sheet]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            raise SourceError(f"{path} is {_other_archive(archive)}")
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    for sheet in book.worksheets:
        yield _workbook_sheet(
            path, sheet.title, functools.partial(sheet.iter_rows, values_only=True)
        )


def _other_archive(archive: zipfile.ZipFile) -> str:
    """What an archive is that is no XLSX workbook, and what to do with it."""
    names = set(archive.namelist())
    if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
        return "an OpenDocument spreadsheet: save it as XLSX, or as CSV (UTF-8)"
    if "xl/workbook.bin" in names:
        return "a binary workbook (XLSB): save it as XLSX, or as CSV (UTF-8)"
    return "a ZIP archive: unpack it here and remove the archive"


def _xls_sheets(path: Path, raw: bytes) -> Iterator[Sheet]:
    import xlrd

    try:
        # xlrd writes its warnings to standard output unless it is given a file.
        book = xlrd.open_workbook(file_contents=raw, on_demand=True, logfile=io.StringIO())
        sheets = [book.sheet_by_name(name) for name in book.sheet_names()]
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError, xlrd.formula.FormulaError) as error:
        raise _damaged(path, error) from error
    for sheet in sheets:
        read = functools.partial(map, sheet.row_values, range(sheet.nrows))
        yield _workbook_sheet(path, sheet.name, read)


def _workbook_sheet(path: Path, name: str, read: Callable[[], Iterator[Sequence[Any]]]) -> Sheet:
    """A sheet of a book that stays open, so that its rows are read without unpacking it again.

    Args:
        read: goes through all rows of values, from the first on each call.
    """
    first = list(islice(read(), HEAD_ROWS))
    # Empty cells at a row's end are not stored. What stands to the right of the head is no column.
    width = max(map(len, first), default=0)

    def row(number: int, values: Sequence[Any]) -> Row:
        cells = [_text(value) for value in values[:width]]
        return number, cells + [""] * (width - len(cells))

    return Sheet(
        path,
        name,
        [row(number, values) for number, values in enumerate(first, 1)],
        lambda: (row(n, values) for n, values in enumerate(_parsed(path, read()), 1)),
    )


def _parsed(path: Path, parts: Iterable[Part]) -> Iterator[Part]:
    """The same parts of a workbook, with the libraries' errors of parsing in one form."""
    try:
        yield from parts
    except _WORKBOOK_ERRORS as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path} is a damaged workbook ({error}): download it again")


def _text(value: object) -> str:
    """A workbook's cell as the text that a CSV would hold."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)
