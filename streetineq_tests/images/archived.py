"""Archives of every kind that tests write, and how one is written."""

import io
import tarfile
from contextlib import contextmanager

from streetineq_tests.images.pictures import COMPRESSORS, write_tar, write_zip

TARS = ("x.tar", "x.tgz", "x.tbz2", "x.tar.xz", "x.tzst")
KINDS = (*TARS, "x.zip")
FILES = {f"deep/er/{number}_a.png": bytes([number]) * 2000 for number in range(20)}


def write_archive(path, files):
    write_zip(path, files) if path.suffix == ".zip" else write_tar(path, files)
    return path


@contextmanager
def opened_for_writing(path):
    with (
        COMPRESSORS.get(path.suffix, open)(path, "wb") as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        yield archive


def add(archive, name, data, *, then=None):
    """Add a file, and behind it a hard link to it."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
    if then:
        link = tarfile.TarInfo(then)
        link.type, link.linkname = tarfile.LNKTYPE, name
        archive.addfile(link)
