"""Damaged archives: what is before the damage is read, and damage is said, not raised."""

import os
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.images.archives import list_members, read_members
from streetineq_tests.images.archived import FILES, KINDS, TARS, add, write_archive
from streetineq_tests.images.pictures import COMPRESSORS


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_cut_in_the_middle_gives_what_is_before_the_cut(tmp_path, kind):
    """Compressed ones up to the last whole block, of up to 900 kB in bz2, 128 kB in zstd."""
    files = {f"{number}_a.png": os.urandom(150_000) for number in range(20)}
    path = write_archive(tmp_path / kind, files)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 75_000])  # within a member's bytes
    listing = list_members(path)
    assert listing.damage
    usable = [member.name for member in listing.members if not member.refused]
    assert 5 <= len(usable) < 20
    assert listing.members[-1].refused == "cut_off"
    found = {name: read for name, read in read_members(path, list(files)) if read is not None}
    assert found == {name: files[name] for name in usable}


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_damaged_in_the_middle_gives_what_is_before_the_damage(tmp_path, kind):
    files = {f"{number}_a.png": os.urandom(100_000) for number in range(20)}
    path = write_archive(tmp_path / kind, files)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200_000] = bytes(200_000)  # a header at least
    path.write_bytes(data)
    assert list_members(path).damage
    found = {name: read for name, read in read_members(path, list(files)) if read is not None}
    assert 3 <= sum(found.get(name) == files[name] for name in files) < 20


def test_a_hole_of_zeros_in_a_tar_is_not_its_end(tmp_path):
    """As a copy that broke off leaves it: zeros where members were, and more behind them."""
    path = write_archive(tmp_path / "x.tar", {f"{n}_a.png": b"x" * 512 for n in range(9)})
    data = path.read_bytes()
    path.write_bytes(data[:3072] + bytes(1024) + data[4096:])
    listing = list_members(path)
    assert len(listing.members) == 3
    assert "behind the end-of-archive mark" in listing.damage


def test_zeros_to_the_end_of_a_file_are_not_an_archives_padding(tmp_path):
    """As a download has them whose room was taken before it came."""
    path = write_archive(tmp_path / "x.tar", FILES)
    data = path.read_bytes()
    path.write_bytes(data[:20480] + bytes(2**22))
    assert list_members(path).damage
    path.write_bytes(data + bytes(2**20))
    assert list_members(path).damage is None, "padded to the largest blocks of a tape"


def test_a_wrong_sum_at_the_end_of_a_gzip_is_noticed(tmp_path):
    path = write_archive(tmp_path / "x.tgz", FILES)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    listing = list_members(path)
    assert listing.damage
    assert not any(member.refused for member in listing.members)


def test_a_zip_without_its_end_is_damaged(tmp_path):
    path = write_archive(tmp_path / "x.zip", FILES)
    path.write_bytes(path.read_bytes()[:-100])
    assert list_members(path).damage
    assert list(read_members(path, FILES)) == []


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_damage_is_an_error(tmp_path, data):
    """Whatever bytes are wrong: members come with their own bytes, with others', or not."""
    path = tmp_path / data.draw(st.sampled_from([*KINDS, "pax.tar", "gnu.tar"]))
    if not path.exists():
        written = {f"deep/é{number}_a.png": os.urandom(700) for number in range(6)}
        write_archive(path, written)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / f"damaged{path.suffix}"
    damaged.write_bytes(with_sums(raw[: data.draw(st.integers(0, len(raw)))]))
    names = {member.name for member in list_members(damaged).members}
    assert {name for name, _ in read_members(damaged, names)} <= names


def with_sums(raw):
    """Headers of a tar with the right sums, or damage to them would hide all other."""
    for start in range(0, len(raw) - 511, 512):
        if raw[start + 257 : start + 262] == b"ustar":
            header = raw[start : start + 512]
            total = 8 * ord(" ") + sum(header[:148]) + sum(header[156:])
            raw[start + 148 : start + 156] = b"%06o\0 " % total
    return raw


def test_a_tar_cut_between_two_members_is_noticed(tmp_path):
    path = write_archive(tmp_path / "x.tar", {"1_a.png": bytes(512), "2_a.png": bytes(512)})
    path.write_bytes(path.read_bytes()[: 2 * 1024])
    listing = list_members(path)
    assert listing.damage == "the end-of-archive mark is missing"
    assert [member.refused for member in listing.members] == [None, None]


def test_a_broken_header_in_a_tar_is_noticed(tmp_path):
    path = write_archive(tmp_path / "x.tar", {"1_a.png": bytes(512), "2_a.png": bytes(512)})
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"\xff" * 76
    path.write_bytes(data)
    assert list_members(path).damage == "bad header"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"<html>not an archive</html>"])
def test_what_is_no_archive_is_damaged_and_empty(tmp_path, kind, data):
    path = tmp_path / kind
    path.write_bytes(data)
    listing = list_members(path)
    assert listing.damage
    assert listing.members == []
    assert list(read_members(path, ["1_a.png"])) == []


@pytest.mark.parametrize("kind", TARS[1:])
@pytest.mark.parametrize("data", [b"", b"<html>not an archive</html>"])
def test_a_compressed_file_that_is_no_tar_is_damaged_and_empty(tmp_path, kind, data):
    path = tmp_path / kind
    with COMPRESSORS[path.suffix](path, "wb") as file:
        file.write(data)
    listing = list_members(path)
    assert listing.damage
    assert listing.members == []
    assert list(read_members(path, ["1_a.png"])) == []


def test_a_member_of_a_zip_with_flipped_bits_comes_as_none(tmp_path):
    path = write_archive(tmp_path / "x.zip", {"1_a.png": b"A" * 2000, "2_a.png": b"B" * 2000})
    data = path.read_bytes().replace(b"A" * 100, b"C" * 100, 1)
    path.write_bytes(data)
    assert dict(read_members(path, ["1_a.png", "2_a.png"])) == {
        "1_a.png": None,
        "2_a.png": b"B" * 2000,
    }


@pytest.mark.parametrize(
    ("field", "value"), [("mtime", "inf"), ("mtime", "1e300"), ("mtime", "-5"), ("size", "9" * 30)]
)
def test_numbers_that_are_none_of_a_file_are_not_taken(tmp_path, field, value):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1_a.png")
        info.pax_headers = {field: value}
        archive.addfile(info)
        add(archive, "1_b.png", b"data")
    (member, *_) = list_members(path).members
    assert member.modified_ns == 0
    assert member.size_bytes < 2**63
    assert not dict(read_members(path, ["1_a.png"])).get("1_a.png")


def test_a_tar_that_points_back_has_an_end(tmp_path):
    """A negative size leads `tarfile` to the same header again, for ever."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "1_a.png", b"data")
    data = bytearray(path.read_bytes())
    data[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512 in base 256
    path.write_bytes(with_sums(data))
    assert list_members(path).damage
    assert not any(data for _, data in read_members(path, ["1_a.png", "2_a.png"]))


def test_a_zip_of_a_later_version_is_damaged(tmp_path):
    path = write_archive(tmp_path / "x.zip", {"1_a.png": b"data"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version needed to extract
    path.write_bytes(data)
    assert "version" in list_members(path).damage
    assert list(read_members(path, ["1_a.png"])) == []


def test_a_damaged_member_comes_as_none_whatever_its_compression(tmp_path):
    for number, method in enumerate((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("1_a.png", os.urandom(3000))
        data = bytearray(path.read_bytes())
        data[40:200] = b"\xff" * 160
        path.write_bytes(data)
        assert dict(read_members(path, ["1_a.png"])) == {"1_a.png": None}
