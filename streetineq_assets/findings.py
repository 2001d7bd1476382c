"""What a step reports beside its files: values, checks, small tables, notes; and its record.

Plain dataclasses that domain code fills and that survive in a manifest as JSON, so that a skipped
step can report them again. How the UI shows them: `metadata`.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel

Scalar = int | float | str | bool | None


HOLDS, DOES_NOT_HOLD, NOT_TESTED = "holds", "does not hold", "not tested"


@dataclass(frozen=True)
class Check:
    """The result of one check. A failed check that blocks keeps the output from being published.

    Attributes:
        passed: whether nothing is to be looked at. What was not tested is to be, unless another
            check says why (an input is absent), or it only guards against what could be published.
        tested: whether there was anything to examine.
    """

    name: str
    passed: bool
    description: str
    blocking: bool = False
    values: dict[str, Scalar] = field(default_factory=dict)
    tested: bool = True

    @property
    def result(self) -> str:
        """One of three: it holds, it does not hold, it was not tested."""
        if not self.tested:
            return NOT_TESTED
        return HOLDS if self.passed else DOES_NOT_HOLD


def blocking_failures(checks: Iterable[Check]) -> list[Check]:
    """The failed checks that keep the output from being published."""
    return [check for check in checks if check.blocking and not check.passed]


@dataclass(frozen=True)
class CheckSpec:
    """A check that an asset declares: what holds when it passes, and whether a failure blocks."""

    name: str
    description: str
    blocking: bool = False

    def result(self, passed: bool, text: str, *, of: Scalar = None, **values: Scalar) -> Check:
        """What came of it. A check does not pass on what is undefined, nor a warning on nothing.

        A check that blocks lets nothing pass, and says so: whether there should have been something
        is asked by others, and an empty table of something unavailable is to be published.

        Args:
            text: one sentence; of a failure the value, the limit, the consequence and the remedy.
            of: how many things were examined, where there may be none.
            values: single numbers behind it; NaN is undefined.
        """
        undefined = [name for name, value in values.items() if _is_nan(value)]
        if _is_nan(passed) or undefined:
            passed, text = False, f"{text}; undefined: {', '.join(undefined) or self.name}"
        if of == 0:
            return self.not_tested(text, passed=bool(passed) and self.blocking, **values)
        return Check(self.name, bool(passed), text, self.blocking, values)

    def not_tested(self, text: str, *, passed: bool = False, **values: Scalar) -> Check:
        """That there was nothing to examine, which is neither a success nor a failure.

        Args:
            text: why, and what would change it.
            passed: whether nobody needs to look at it.
        """
        said = f"{NOT_TESTED}: {text}"
        return Check(self.name, passed, said, self.blocking, values, tested=False)


def _is_nan(value: Scalar) -> bool:
    return isinstance(value, float) and math.isnan(value)


@dataclass(frozen=True)
class Unavailable:
    """Why something cannot be made, and which file, setting or asset would change that.

    Attributes:
        by_settings: the study does not ask for it, so that what was there is given up on purpose.
    """

    wanted: str
    reason: str
    by_settings: bool = False

    def __str__(self) -> str:
        return f"{self.reason}; wanted: {self.wanted}"


@dataclass
class Findings:
    """What a step reports beside its files.

    Attributes:
        values: single values; numbers become time series in the UI.
        checks: one entry for every check that the asset declares.
        tables: small tables, each a list of rows with the same keys.
        notes: Markdown texts.
        unavailable: set where the artefact's tables are empty for want of an input.
        record: what later steps need to know, typed by the step that makes it; the UI's labels
            are nobody's interface.
        n_rows: of the main table, where that is not a Parquet file.
        holdings: what the artefact holds of all that the study wants of it, as counts by name, 0
            for what it lacks; by default the rows of its main table. See `holdings`.
        digest: the content's digest, for files whose bytes carry the time of day; else None.
    """

    values: dict[str, Scalar] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    tables: dict[str, list[dict[str, Scalar]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unavailable: Unavailable | None = None
    record: BaseModel | None = None
    n_rows: int | None = None
    holdings: dict[str, int] = field(default_factory=dict)
    digest: str | None = None

    def replace_checks(self, checks: Iterable[Check]) -> None:
        """Put results in the place of those of the same names; new ones come last."""
        asked = {check.name: check for check in checks}
        kept = [asked.pop(check.name, check) for check in self.checks]
        self.checks = [*kept, *asked.values()]

    def summary(self) -> dict[str, Any]:
        """What the UI shows, as JSON-able values."""
        shown = ("values", "checks", "tables", "notes", "n_rows")
        return {name: value for name, value in asdict(self).items() if name in shown}

    @classmethod
    def from_summary(
        cls, summary: dict[str, Any], unavailable: Unavailable | None = None
    ) -> "Findings":
        """The findings that a manifest kept, without the record."""
        kept: dict[str, Any] = summary | {
            "checks": [Check(**check) for check in summary.get("checks", [])]
        }
        return cls(**kept, unavailable=unavailable)


AVAILABLE = CheckSpec("available", "All inputs are there.")


def unavailable_findings(why: Unavailable, specs: Iterable[CheckSpec]) -> Findings:
    """Of an artefact with empty tables: nothing fails but the check `available`, a warning.

    That does not fail either where the study does not ask for it.

    Args:
        specs: the checks that the asset declares.
    """
    text = f"unavailable: {why}; the tables are empty"
    checks = [
        AVAILABLE.result(why.by_settings, text)
        if spec.name == AVAILABLE.name
        else spec.not_tested(text, passed=True)
        for spec in specs
    ]
    return Findings(checks=checks, unavailable=why)
