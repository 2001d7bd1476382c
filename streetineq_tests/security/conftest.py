"""Attempts on a study, counted; `streetineq_tests/conftest.py` prints how many were refused."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Attempts:
    """What was tried in a test, and how much of it came to nothing."""

    def __init__(self) -> None:
        self.made = self.refused = 0

    def fails(self, refused: object, what: object) -> None:
        """Count an attempt that must have been refused, or survived."""
        self.made += 1
        assert refused, f"succeeded: {what!r}"
        self.refused += 1

    @contextmanager
    def raises(
        self, error: type[Exception] | tuple[type[Exception], ...], match: str | None = None
    ):
        """Count an attempt that must raise an error."""
        self.made += 1
        with pytest.raises(error, match=match):
            yield
        self.refused += 1


@pytest.fixture
def attempt(record_property) -> Iterator[Attempts]:
    """Counts the attempts of a test."""
    attempts = Attempts()
    yield attempts
    record_property("attempts", attempts.made)
    record_property("refused", attempts.refused)
