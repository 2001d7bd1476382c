"""Disks and rights as a child sees them: mounts of its own, and no more than a plain user may.

Mounts lie in a namespace that ends with the child. They need root, as most of CI has it.
"""

import ctypes
import os
import shutil
import struct
import subprocess
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CAPABILITIES_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def own_mounts() -> None:
    """Let what is mounted from here on be seen by this process alone.

    Raises:
        OSError: it may not mount.
    """
    if _libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    mount("--make-rprivate", "/")


def may_mount(root: Path) -> str:
    """Why this process may not mount; empty where it may."""
    try:
        own_mounts()
        mount("-t", "tmpfs", "none", root)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"mounts are not allowed here: {error}"
    return ""


def become_a_plain_user() -> None:
    """Files of others are theirs from here on, though this process may be root."""
    header = struct.pack("Ii", _CAPABILITIES_3, 0)
    if _libc.capset(header, struct.pack("6I", *[0] * 6)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class SmallDisk:
    """A folder's content on a disk of its own, with hardly any space left."""

    def __init__(self, folder: Path, *, left_bytes: int) -> None:
        own_mounts()
        aside = folder.with_name(f"{folder.name}.aside")
        shutil.copytree(folder, aside)
        mount("-t", "tmpfs", "-o", "size=256m", "none", folder)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
        self._filler = folder / ".filler"
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free - left_bytes))

    def free(self) -> None:
        """Somebody makes space."""
        self._filler.unlink()
