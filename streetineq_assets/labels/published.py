"""A published table, by the names that its publisher gives it."""

from dataclasses import dataclass
from typing import Literal

Folder = Literal["census", "iod", "household_income"]


@dataclass(frozen=True)
class Table:
    """One published table, as its publisher names it."""

    id: str
    title: str
    publisher: str
    folder: Folder

    def __str__(self) -> str:
        return f'{self.id} "{self.title}" ({self.publisher})'
