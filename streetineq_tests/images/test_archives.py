"""Archives: only safe members are read, and damage is said, not raised."""

import io
import os
import tarfile
import zipfile
from contextlib import contextmanager

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.images import archives
from streetineq_assets.images.archives import folder_of, is_archive, list_members, read_members
from streetineq_tests.images.pictures import COMPRESSORS, write_tar, write_zip

TARS = ("x.tar", "x.tgz", "x.tbz2", "x.tar.xz", "x.tzst")
KINDS = (*TARS, "x.zip")
FILES = {f"deep/er/{number}_a.png": bytes([number]) * 2000 for number in range(20)}


def write_archive(path, files):
    write_zip(path, files) if path.suffix == ".zip" else write_tar(path, files)
    return path


@pytest.fixture(params=KINDS)
def archive(request, tmp_path):
    return write_archive(tmp_path / request.param, FILES)


def test_names_of_archives():
    named = ["1.tar", "a/1.tgz", "1.TAR.GZ", "1.tar.xz", "1.txz", "1.tar.bz2", "1.tbz2", "1.zip"]
    assert all(map(is_archive, [*named, "1.tar.zst", "1.tzst"]))
    others = ["1.png", "tar", "1.tgz.part", "1.7z", "1.rar", "1.gz", "1.xz", "1.zst"]
    assert not any(map(is_archive, others))


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a/17.zip", "a/17"), ("17.TAR.GZ", "17"), ("17.tar.zst", "17"), ("1.7.tgz", "1.7")],
)
def test_the_folder_that_an_archive_stands_for(name, folder):
    assert folder_of(name) == folder


@pytest.mark.parametrize("made", KINDS)
@pytest.mark.parametrize("called", ["y.tar", "y.tgz", "y.tar.zst", "y.zip"])
def test_an_archive_is_read_by_what_it_is_and_not_by_its_name(tmp_path, made, called):
    if (made, called) == ("x.tar", "y.zip"):
        pytest.skip("a plain tar has no first bytes of its own: it is a damaged ZIP")
    path = write_archive(tmp_path / made, FILES).rename(tmp_path / called)
    assert [member.name for member in list_members(path).members] == list(FILES)
    assert dict(read_members(path, list(FILES)[3:5])) == dict(list(FILES.items())[3:5])


@pytest.mark.parametrize("kind", TARS)
def test_a_hard_link_is_the_file_that_it_stands_for(tmp_path, kind):
    path = tmp_path / kind
    with opened_for_writing(path) as archive:
        add(archive, "1_a.png", b"one")
        add(archive, "1_b.png", b"two", then="1_c.png")
        add(archive, "1_d.png", b"four")
    listed = list_members(path).members
    assert [(m.name[2], m.size_bytes, m.refused) for m in listed] == [
        ("a", 3, None), ("b", 3, None), ("c", 3, None), ("d", 4, None),
    ]  # fmt: skip
    read = dict(read_members(path, ["1_c.png", "1_d.png"]))
    assert read == {"1_c.png": b"two", "1_d.png": b"four"}


@pytest.mark.parametrize("kind", TARS)
def test_a_hard_link_far_behind_its_file_is_read(tmp_path, kind):
    """Further than what is buffered, so that decompression starts anew."""
    path, far = tmp_path / kind, {f"{n}_b.png": os.urandom(300_000) for n in range(8)}
    with opened_for_writing(path) as archive:
        add(archive, "1_a.png", b"one")
        for name, data in far.items():
            add(archive, name, data)
        add(archive, "8_b.png", b"last", then="8_c.png")
        link = tarfile.TarInfo("9_a.png")
        link.type, link.linkname = tarfile.LNKTYPE, "1_a.png"
        archive.addfile(link)
        add(archive, "9_b.png", b"behind it")
    read = dict(read_members(path, ["9_a.png", "7_b.png", "9_b.png"]))
    assert read == {"7_b.png": far["7_b.png"], "9_a.png": b"one", "9_b.png": b"behind it"}


@contextmanager
def opened_for_writing(path):
    with (
        COMPRESSORS.get(path.suffix, open)(path, "wb") as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        yield archive


def test_a_hard_link_to_what_is_refused_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "../1_a.png", b"evil", then="1_b.png")
    assert [m.refused for m in list_members(path).members] == ["unsafe_path", "link"]
    assert dict(read_members(path, ["1_b.png"])) == {"1_b.png": None}


def add(archive, name, data, *, then=None):
    """Add a file, and behind it a hard link to it."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
    if then:
        link = tarfile.TarInfo(then)
        link.type, link.linkname = tarfile.LNKTYPE, name
        archive.addfile(link)


def test_members_are_listed_in_archive_order(archive):
    listing = list_members(archive)
    assert listing.damage is None
    assert [member.name for member in listing.members] == list(FILES)
    assert {member.size_bytes for member in listing.members} == {2000}
    assert not any(member.refused for member in listing.members)


def test_wanted_members_are_read_in_one_pass(archive):
    wanted = list(FILES)[15:3:-4]
    assert dict(read_members(archive, wanted)) == {name: FILES[name] for name in wanted}


def test_a_member_that_is_not_there_does_not_come(archive):
    assert dict(read_members(archive, ["nowhere_a.png"])) == {}


def test_modification_time_is_the_members_own(tmp_path):
    path = write_archive(tmp_path / "x.tar", {"1_a.png": b"x"})
    assert list_members(path).members[0].modified_ns == 1_500_000_000 * 10**9


@pytest.mark.parametrize("name", ["/etc/1_a.png", "../1_a.png", "a/../../1_a.png", "C:\\1_a.png"])
@pytest.mark.parametrize("kind", ["x.tar", "x.zip"])
def test_members_that_leave_the_folder_are_refused(tmp_path, name, kind):
    path = write_archive(tmp_path / kind, {name: b"data"})
    (member,) = list_members(path).members
    assert member.refused == "unsafe_path"
    assert dict(read_members(path, [member.name])) == {member.name: None}


def test_links_and_devices_in_tars_are_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in [("1_a.png", tarfile.SYMTYPE), ("2_a.png", tarfile.LNKTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("3_a.png")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
    assert [m.refused for m in list_members(path).members] == ["link", "link", "special_file"]
    assert all(data is None for _, data in read_members(path, ["1_a.png", "2_a.png", "3_a.png"]))


def test_a_link_in_a_zip_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("1_a.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert list_members(path).members[0].refused == "link"


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_beyond_the_size_limit_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 1000)
    path = write_archive(tmp_path / kind, {"1_a.png": bytes(1001), "1_b.png": bytes(1000)})
    assert [m.refused for m in list_members(path).members] == ["too_large", None]
    assert dict(read_members(path, ["1_a.png", "1_b.png"])) == {
        "1_a.png": None,
        "1_b.png": bytes(1000),
    }


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


def test_frames_of_zstd_in_sequence_are_one_archive(tmp_path):
    """As pzstd writes them, beginning with one that decoders skip, and as files are appended."""
    write_tar(tmp_path / "x.tar", FILES)
    data = (tmp_path / "x.tar").read_bytes()
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00" + b"size"
    frames = [skipped + zstd.compress(data[n : n + 10_000]) for n in range(0, len(data), 10_000)]
    (tmp_path / "y.tar.zst").write_bytes(b"".join(frames))
    assert dict(read_members(tmp_path / "y.tar.zst", FILES)) == FILES


def test_reading_may_stop_after_any_member(archive):
    """The file is closed then: pytest makes an error of one that is not."""
    reading = read_members(archive, FILES)
    assert next(reading) == next(iter(FILES.items()))
    reading.close()


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


def test_an_encrypted_member_is_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("1_a.png", b"data")
    data = bytearray(file.getvalue())
    data[6] |= 1  # the local header's flag
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the central directory's
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    assert list_members(path).members[0].refused == "encrypted"
    assert dict(read_members(path, ["1_a.png"])) == {"1_a.png": None}


def test_a_compression_that_python_does_not_know_is_refused(tmp_path):
    path = write_archive(tmp_path / "x.zip", {"1_a.png": b"data", "1_b.png": b"more"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 9  # Deflate64, as Windows has for large files
    path.write_bytes(data)
    assert [m.refused for m in list_members(path).members] == ["other_compression", None]
    assert dict(read_members(path, ["1_a.png", "1_b.png"])) == {"1_a.png": None, "1_b.png": b"more"}


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


def test_a_name_that_is_no_utf_8_is_refused_and_told(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("caf\udce9/1_a.png")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"data"))
    (member,) = list_members(path).members
    assert (member.name, member.refused) == (r"caf\xe9/1_a.png", "odd_name")
