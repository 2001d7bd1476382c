"""What becomes of a file on a bad day, by name."""

import shutil
from collections.abc import Callable
from pathlib import Path


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a flipped bit": _flip,
    "cut": _cut,
    "emptied": _empty,
    "a folder in its place": _replace_by_a_folder,
    "removed": _remove,
}
