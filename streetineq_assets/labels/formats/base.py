"""What every reader returns: an outcome's values by area, and what the file was taken for.

What belongs here: the two records that readers and their callers share, and the share of two counts
with its checks. What does not: any format (a module each), and deciles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.outcomes import Table
from streetineq_assets.spreadsheets.columns import Columns


@dataclass(frozen=True)
class Recognised:
    """What a file was recognised as, from its first rows.

    Attributes:
        layout: the format in words, such as "Nomis query download".
        table: the published table; None for a file of a known layout that holds no outcome.
        edition: of the publication, such as "2015".
        outcomes: keys of the outcomes that it holds.
        vintage: of its areas; a file on the LSOAs of 2021 is carried to those of 2011.
    """

    path: Path
    layout: str
    table: Table | None
    edition: str
    outcomes: tuple[str, ...]
    vintage: Literal["2011", "2021"] = "2011"


@dataclass(frozen=True)
class Reading:
    """One outcome as one file gives it.

    Attributes:
        outcome: key in `outcomes.OUTCOMES`, or `outcomes.INDEX_OF_DEPRIVATION`.
        path: the file.
        frame: by LSOA of the file (index `lsoa11`, text): `value` (float in the outcome's unit, NaN
            where missing), `national_rank` (Int32, NA where the source has none) and `denominator`
            (float, persons or households; NaN where the value is no share).
    """

    outcome: str
    path: Path
    frame: pd.DataFrame


def reading(
    outcome: str,
    path: Path,
    lsoas: pd.Index,
    value: np.ndarray,
    *,
    national_rank: np.ndarray | None = None,
    denominator: np.ndarray | None = None,
) -> Reading:
    """A reading with all columns, of which two may be empty.

    Raises:
        SourceError: not one value is there.
    """
    nothing = np.full(len(lsoas), np.nan)
    if np.isnan(value).all():
        raise SourceError(f"{path}: {outcome} is empty in every row: download the table again")
    rank = nothing if national_rank is None else national_rank
    frame = pd.DataFrame(
        {
            "value": value,
            "national_rank": pd.array(rank, dtype="Float64").astype("Int32"),
            "denominator": nothing if denominator is None else denominator,
        },
        index=lsoas.rename("lsoa11"),
    )
    return Reading(outcome, path, frame)


def read_share(
    columns: Columns, *, outcome: str, code: int, numerator: Sequence[int], denominator: int
) -> Reading:
    """Counts added up and divided by their total.

    Args:
        columns: the table's columns; `code`, `numerator` and `denominator` are positions in it.

    Raises:
        SourceError: a cell is wrong, or the parts exceed their total.
    """
    lsoas = columns.lsoas(code)
    parts = sum(columns.counts(i) for i in numerator)
    total = columns.counts(denominator)
    above = np.flatnonzero(parts > total)
    if above.size:
        i = above[0]
        named = ", ".join(f'"{columns.headings[k]}"' for k in (*numerator, denominator))
        raise SourceError(
            f"{columns.sheet.at(columns.lines[i])}: {parts[i]:g} of {total[i]:g} is a share above "
            f"1 (columns {named}): the file is damaged, download it again"
        )
    with np.errstate(invalid="ignore"):
        share = np.where(total > 0, parts / total, np.nan)
    return reading(outcome, columns.sheet.path, lsoas, share, denominator=total)
