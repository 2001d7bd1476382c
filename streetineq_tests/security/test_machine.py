"""What others on the machine, and files that claim to be small, can do."""

import contextlib
import io
import os
import struct
import zipfile
import zlib

import pytest

from streetineq_assets import devices
from streetineq_assets.codes.preprocess import ImageRejectedError, preprocess
from streetineq_assets.errors import DeviceError
from streetineq_assets.findings import Findings
from streetineq_assets.images.archives import MAX_MEMBER_BYTES, list_members
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore


@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_files_are_no_more_open_than_the_umask_says(attempt, tmp_path, umask):
    store, before = DataStore(tmp_path / "study"), os.umask(umask)

    def make(folder):
        for name in ("a.csv", "b.csv"):
            (folder / name).write_text("a\n")
        return Findings()

    try:
        store.publish("table", "london", Recipe(code_version="1"), make)
    finally:
        os.umask(before)
    made = list(store.root.rglob("*"))
    assert len(made) > 4
    for path in made:
        attempt.fails(path.stat().st_mode & umask == 0, path)


def test_nothing_is_written_through_a_link_in_the_place_of_the_leases(attempt, tmp_path):
    """Whoever makes the link first would have others write where they may and he may not."""
    victim, folder = tmp_path / "victim", tmp_path / "leases"
    victim.mkdir()
    folder.symlink_to(victim)
    gpu = devices._Gpu("GPU-1", "Pretended")
    with contextlib.ExitStack() as held, attempt.raises(DeviceError, match=str(folder)):
        devices._lock_free([gpu], devices.DeviceRequest(), held, folder)
    attempt.fails(list(victim.iterdir()) == [], "a lock was written")


def test_a_lock_that_is_a_link_is_not_followed(attempt, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "GPU-1.lock").symlink_to(victim)
    gpu = devices._Gpu("GPU-1", "Pretended")
    with contextlib.ExitStack() as held, attempt.raises(DeviceError, match="GPU-1.lock"):
        devices._lock_free([gpu], devices.DeviceRequest(), held, tmp_path)
    attempt.fails(victim.read_text() == "mine", "it was emptied")


def huge_png(side):
    """A picture of a few hundred bytes that claims `side` squared pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8193, 30_000, 60_000])
def test_a_picture_bomb_is_not_decoded(attempt, side):
    with attempt.raises(ImageRejectedError):
        preprocess(huge_png(side))


def test_an_archive_bomb_is_listed_as_too_large(attempt, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("7_a.png", io.BytesIO(b"\0" * (MAX_MEMBER_BYTES + 1)).getvalue())
    assert (tmp_path / "a.zip").stat().st_size < 2**17
    (member,) = list_members(tmp_path / "a.zip").members
    attempt.fails(member.refused == "too_large", member)
