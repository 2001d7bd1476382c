"""What a step found out about its own output: figures, checks, tables, notes.

What belongs here: plain dataclasses that domain code fills and that survive in a manifest as JSON,
so that a skipped step can report them again. What does not: how the UI shows them (`resources`).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

Scalar = int | float | str | bool | None


@dataclass(frozen=True)
class Check:
    """The result of one check. A failed check that blocks keeps the output from being published."""

    name: str
    passed: bool
    description: str
    blocking: bool = False
    figures: dict[str, Scalar] = field(default_factory=dict)


@dataclass
class Findings:
    """What a step reports beside its files.

    Attributes:
        figures: single values; numbers become time series in the UI.
        checks: one entry for every check that the asset declares.
        tables: small tables, each a list of rows with the same keys.
        notes: Markdown texts.
        digest: the content's digest, for files whose bytes carry the time of day; else None.
    """

    figures: dict[str, Scalar] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    tables: dict[str, list[dict[str, Scalar]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    digest: str | None = None

    def summary(self) -> dict[str, Any]:
        """The findings as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_summary(cls, summary: dict[str, Any]) -> "Findings":
        """The findings that a manifest kept."""
        return cls(**{**summary, "checks": [Check(**check) for check in summary["checks"]]})
