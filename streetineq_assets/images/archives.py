"""Archives of images: tars, compressed or not, and ZIPs, listed and read without unpacking.

By its name a file is an archive, by its first bytes of which kind: a gzipped tar is often called
`.tar`. Only members that are safe to touch are read, in archive order, and nothing is ever written
to disk. A damaged archive is not an error: it has the members before the damage, and `damage` says
what is wrong with it. 7z and RAR are not read: what reads them holds archives whole in memory, or
is a program of its own.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backports import zstd

ZIP_SUFFIX = ".zip"
SUFFIXES = (
    ".tar",
    *(".tgz", ".tar.gz"),
    *(".tbz", ".tbz2", ".tar.bz2"),
    *(".txz", ".tar.xz"),
    *(".tzst", ".tar.zst"),
    ZIP_SUFFIX,
)
MAX_MEMBER_BYTES = 2**26

_BUFFER_BYTES = 2**20
_MOST_PADDING = 2**21  # zeros at a tar's end; the largest blocks of tapes have half as many
_MOST_BYTES = 2**62  # a size beyond what a table holds is told as this
_YEAR_2200 = 7_258_118_400
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_DECOMPRESSORS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
    b"\x50\x2a\x4d\x18": zstd.open,  # as pzstd begins
}
_ZERO_BLOCK = bytes(tarfile.BLOCKSIZE)
# `NotImplementedError` is a method or a version of ZIP that Python does not know. What is no number
# or no name comes as one of the last two.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1
_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


@dataclass(frozen=True)
class Member:
    """One file in an archive.

    Attributes:
        modified_ns: by the member's own header; 0 when the header does not say.
        refused: None, or why its bytes are never read: `unsafe_path`, `link`, `special_file`,
            `encrypted`, `other_compression` (of ZIP, that Python does not know), `too_large`,
            `cut_off`, `odd_name` (no UTF-8).
    """

    name: str
    size_bytes: int
    modified_ns: int
    refused: str | None = None


@dataclass
class Listing:
    """An archive's members in its own order, and what is wrong with it, or None."""

    members: list[Member] = field(default_factory=list)
    damage: str | None = None


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as an archive."""
    return name.lower().endswith(SUFFIXES)


def folder_of(name: str) -> str:
    """What an archive of this name would be called as a folder."""
    suffix = max((each for each in SUFFIXES if name.lower().endswith(each)), key=len, default="")
    return name[: len(name) - len(suffix)]


def printable(name: str) -> str:
    r"""A name as text; bytes of it that are no UTF-8 are written as `\xe9`."""
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def list_members(path: Path) -> Listing:
    """All files in an archive, safe or refused; folders are left out."""
    listing = Listing()
    try:
        if _is_zip(path):
            with zipfile.ZipFile(path) as archive:
                infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
                listing.members = [_zip_member(info) for info in infos if _is_file(info)]
        else:
            with _open_tar(path) as archive:
                _list_tar(archive, listing)
    except _DAMAGE as error:
        listing.damage = _in_words(error)
    return listing


def read_members(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
    """The bytes of the wanted members, in archive order, in one pass.

    A damaged member comes as None. Where the archive breaks off, the iteration ends, and members
    behind the break do not come. At most one member is in memory.
    """
    missing = set(wanted)
    try:
        if _is_zip(path):
            with zipfile.ZipFile(path) as archive:
                infos = [info for info in archive.infolist() if info.filename in missing]
                for info in sorted(infos, key=lambda info: info.header_offset):
                    yield info.filename, _read_zip_member(archive, info)
        else:
            with _open_tar(path) as archive:
                files: dict[str, tarfile.TarInfo] = {}  # for which a hard link may stand
                for info in _headers(archive):
                    if info.isreg():
                        files[info.name] = info
                    if info.name in missing:
                        missing.remove(info.name)
                        file = files.get(info.linkname, info) if info.islnk() else info
                        yield info.name, _read_tar_member(archive, file)
                    if not missing:
                        return
    except _DAMAGE:
        return


# -- tar -----------------------------------------------------------------------------------------


@contextmanager
def _open_tar(path: Path) -> Generator[tarfile.TarFile]:
    head = _head(path)
    decompressor = next((d for magic, d in _DECOMPRESSORS.items() if head.startswith(magic)), None)
    if decompressor is None:
        with tarfile.open(path, "r:") as archive:
            yield archive
        return
    with decompressor(path) as file:
        # Seeking back within this buffer does not start decompression anew.
        buffered = io.BufferedReader(_Decompressed(file), _BUFFER_BYTES)
        with tarfile.open(fileobj=buffered, mode="r:") as archive:
            yield archive


class _Decompressed(io.RawIOBase):
    """A compressed file that gives all bytes before a cut; `read` drops those read last."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _headers(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The headers of all members in the archive's order.

    Raises:
        tarfile.ReadError: one points back, by a negative size, so that there would be no end.
    """
    before = 0
    while info := archive.next():
        if archive.offset <= before:
            raise tarfile.ReadError("bad header")
        before = archive.offset
        yield info


def _list_tar(archive: tarfile.TarFile, listing: Listing) -> None:
    links: dict[int, str] = {}
    try:
        for info in _headers(archive):
            if info.islnk() and not _unsafe(info.name, info.size):
                links[len(listing.members)] = info.linkname
            if not info.isdir():
                listing.members.append(_tar_member(info))
            vars(archive)["members"] = []  # else every header stays in memory
    except _DAMAGE as error:
        listing.damage = _in_words(error)
        if listing.members:  # the last one's header was whole, its bytes are not
            last = listing.members[-1]
            listing.members[-1] = replace(last, refused="cut_off")
    else:
        listing.damage = _fault_of_end(archive)
    _resolve_hard_links(listing.members, links)


def _resolve_hard_links(members: list[Member], links: dict[int, str]) -> None:
    """A second name of a file that the archive holds stands for its bytes.

    Args:
        links: place among the members to the name that it stands for.
    """
    whole = {member.name: member for member in members if not member.refused} if links else {}
    for place, target in links.items():
        if target in whole:
            size = whole[target].size_bytes
            members[place] = replace(members[place], size_bytes=size, refused=None)


def _fault_of_end(archive: tarfile.TarFile) -> str | None:
    """What is wrong behind the last member, where `tarfile` sees the archive's end.

    It takes a broken header and the file's end for that, and zeros within the file, such as a copy
    that was broken off leaves. What was compressed is read to its end, where its sum stands.
    """
    try:
        archive.fileobj.seek(archive.offset)
        block = archive.fileobj.read(tarfile.BLOCKSIZE)
        if block != _ZERO_BLOCK:
            cut = len(block) < len(_ZERO_BLOCK)
            return "the end-of-archive mark is missing" if cut else "bad header"
        n_zeros = 0
        while data := archive.fileobj.read(_BUFFER_BYTES):
            n_zeros += len(data)
            if data.strip(b"\0") or n_zeros > _MOST_PADDING:
                return "there is more behind the end-of-archive mark: a hole, or another archive"
    except _DAMAGE as error:
        return _in_words(error)
    return None


def _tar_member(info: tarfile.TarInfo) -> Member:
    refused = _unsafe(info.name, info.size)
    if info.issym() or info.islnk():
        refused = "link"
    elif not info.isreg():
        refused = "special_file"
    return Member(
        printable(info.name), min(info.size, _MOST_BYTES), _nanoseconds(info.mtime), refused
    )


def _read_tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | None:
    if _tar_member(info).refused:
        return None
    file = archive.extractfile(info)
    data = file.read() if file else b""
    return data if len(data) == info.size else None


# -- zip -----------------------------------------------------------------------------------------


def _is_file(info: zipfile.ZipInfo) -> bool:
    return not info.filename.endswith("/")  # `is_dir` fails on an empty name


def _zip_member(info: zipfile.ZipInfo) -> Member:
    refused = _unsafe(info.filename, info.file_size)
    if stat.S_ISLNK(info.external_attr >> 16):
        refused = "link"
    elif info.flag_bits & _ENCRYPTED:
        refused = "encrypted"
    elif info.compress_type not in _ZIP_METHODS:
        refused = "other_compression"
    modified_ns = 0
    if info.date_time > _ZIP_EPOCH:
        try:
            modified_ns = _nanoseconds(datetime(*info.date_time, tzinfo=UTC).timestamp())
        except ValueError:  # a date such as month 0: as good as none
            modified_ns = 0
    return Member(info.filename, min(info.file_size, _MOST_BYTES), modified_ns, refused)


def _read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    if _zip_member(info).refused:
        return None
    try:
        with archive.open(info) as file:
            data = file.read(MAX_MEMBER_BYTES + 1)
    except _DAMAGE:
        return None
    return data if len(data) == info.file_size else None


# -- both ----------------------------------------------------------------------------------------


def _is_zip(path: Path) -> bool:
    head = _head(path)
    compressed = head.startswith(tuple(_DECOMPRESSORS))
    return head.startswith(_ZIP_HEADS) or (
        path.name.lower().endswith(ZIP_SUFFIX) and not compressed
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(6)


def _unsafe(name: str, size_bytes: int) -> str | None:
    path = name.replace("\\", "/")
    windows_drive = len(name) > 1 and name[1] == ":"
    if path.startswith("/") or windows_drive or ".." in path.split("/"):
        return "unsafe_path"
    if printable(name) != name:
        return "odd_name"
    return "too_large" if size_bytes > MAX_MEMBER_BYTES else None


def _nanoseconds(seconds: float) -> int:
    """A time since 1970; 0 where it is none of an image: before it, after 2200, no number."""
    return int(seconds * 1e9) if 0 < seconds < _YEAR_2200 else 0


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
