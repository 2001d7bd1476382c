"""A published table, by the names that its publisher gives it."""

from dataclasses import dataclass
from typing import Literal

Folder = Literal["census", "iod", "household_income"]


@dataclass(frozen=True)
class Table:
    """One published table, as its publisher names it.

    Attributes:
        edition: the one in which it is published; empty where it is in several.
    """

    id: str
    title: str
    publisher: str
    folder: Folder
    edition: str = ""

    def __str__(self) -> str:
        return f'{self.id} "{self.title}" ({self.publisher})'
