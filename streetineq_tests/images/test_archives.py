"""Archives: only safe members are read, and damage is said, not raised."""

import io
import os
import tarfile
import zipfile

import pytest

from streetineq_assets.images import archives
from streetineq_assets.images.archives import is_archive, list_members, read_members
from streetineq_tests.images.pictures import write_tar, write_zip

FILES = {f"deep/er/{number}_a.png": bytes([number]) * 2000 for number in range(20)}


def write_archive(path, files):
    write_zip(path, files) if path.suffix == ".zip" else write_tar(path, files)
    return path


@pytest.fixture(params=["x.tar", "x.tgz", "x.tbz2", "x.tar.xz", "x.zip"])
def archive(request, tmp_path):
    return write_archive(tmp_path / request.param, FILES)


def test_names_of_archives():
    named = ["1.tar", "a/1.tgz", "1.TAR.GZ", "1.tar.xz", "1.txz", "1.tar.bz2", "1.tbz2", "1.zip"]
    assert all(map(is_archive, named))
    assert not any(map(is_archive, ["1.png", "tar", "1.tgz.part", "1.7z", "1.gz", "1.xz"]))


@pytest.mark.parametrize("made", ["x.tar", "x.tgz", "x.tbz2", "x.tar.xz", "x.zip"])
@pytest.mark.parametrize("called", ["y.tar", "y.tgz", "y.zip"])
def test_an_archive_is_read_by_what_it_is_and_not_by_its_name(tmp_path, made, called):
    if (made, called) == ("x.tar", "y.zip"):
        pytest.skip("a plain tar has no first bytes of its own: it is a damaged ZIP")
    path = write_archive(tmp_path / made, FILES).rename(tmp_path / called)
    assert [member.name for member in list_members(path).members] == list(FILES)
    assert dict(read_members(path, list(FILES)[3:5])) == dict(list(FILES.items())[3:5])


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_hard_link_is_the_file_that_it_stands_for(tmp_path, mode):
    path = tmp_path / "x.tar"
    with tarfile.open(path, mode) as archive:
        add(archive, "1_a.png", b"one")
        add(archive, "1_b.png", b"two", then="1_c.png")
        add(archive, "1_d.png", b"four")
    listed = list_members(path).members
    assert [(m.name[2], m.size_bytes, m.refused) for m in listed] == [
        ("a", 3, None), ("b", 3, None), ("c", 3, None), ("d", 4, None),
    ]  # fmt: skip
    read = dict(read_members(path, ["1_c.png", "1_d.png"]))
    assert read == {"1_c.png": b"two", "1_d.png": b"four"}


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


@pytest.mark.parametrize("kind", ["x.tar", "x.tgz", "x.zip"])
def test_a_member_beyond_the_size_limit_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 1000)
    path = write_archive(tmp_path / kind, {"1_a.png": bytes(1001), "1_b.png": bytes(1000)})
    assert [m.refused for m in list_members(path).members] == ["too_large", None]
    assert dict(read_members(path, ["1_a.png", "1_b.png"])) == {
        "1_a.png": None,
        "1_b.png": bytes(1000),
    }


@pytest.mark.parametrize("kind", ["x.tar", "x.tgz", "x.tar.xz"])
def test_a_tar_cut_in_the_middle_gives_what_is_before_the_cut(tmp_path, kind):
    files = {f"{number}_a.png": os.urandom(2000) for number in range(20)}
    path = write_archive(tmp_path / kind, files)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 700])  # within a member's bytes
    listing = list_members(path)
    assert listing.damage
    usable = [member.name for member in listing.members if not member.refused]
    assert 5 <= len(usable) < 20
    assert listing.members[-1].refused == "cut_off"
    found = {name: read for name, read in read_members(path, list(files)) if read is not None}
    assert found == {name: files[name] for name in usable}


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


@pytest.mark.parametrize("kind", ["x.tar", "x.tgz", "x.zip"])
@pytest.mark.parametrize("data", [b"", b"<html>not an archive</html>"])
def test_what_is_no_archive_is_damaged_and_empty(tmp_path, kind, data):
    path = tmp_path / kind
    path.write_bytes(data)
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
