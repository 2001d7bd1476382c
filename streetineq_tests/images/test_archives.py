"""Archives: members are listed and read, those that are safe alone."""

import io
import os
import tarfile
import zipfile

import pytest
from backports import zstd

from streetineq_assets.images import archives
from streetineq_assets.images.archives import folder_of, is_archive, list_members, read_members
from streetineq_tests.images.archived import (
    FILES,
    KINDS,
    TARS,
    add,
    opened_for_writing,
    write_archive,
)
from streetineq_tests.images.pictures import write_tar


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


def test_a_hard_link_to_what_is_refused_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "../1_a.png", b"evil", then="1_b.png")
    assert [m.refused for m in list_members(path).members] == ["unsafe_path", "link"]
    assert dict(read_members(path, ["1_b.png"])) == {"1_b.png": None}


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


def test_a_name_that_is_no_utf_8_is_refused_and_told(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("caf\udce9/1_a.png")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"data"))
    (member,) = list_members(path).members
    assert (member.name, member.refused) == (r"caf\xe9/1_a.png", "odd_name")
