"""What official files say of the same areas, compared with each other.

What belongs here: contradictions between two files, each of which reads well alone. What does not:
contradictions within a file, which its format knows.
"""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.formats.base import OutcomeValues

# In every area the first is a part of the second, or cannot be more: residents of 16 to 74 and from
# 16 on, all residents, households.
_WITHIN = (
    ("unemployment", "education"),
    ("unemployment", "self_reported_health"),
    ("education", "self_reported_health"),
    ("occupancy_rating", "self_reported_health"),
)


def refuse_contradictions(values: Mapping[str, OutcomeValues]) -> None:
    """Stop at two files that cannot both be right.

    Args:
        values: outcome to its values, as `sources.read_sources` returns them.

    Raises:
        SourceError: an area of one name has two codes, or a part of the residents, or the
            households, outnumber those whose part they are.
    """
    _refuse_moved_codes(values)
    for part, whole in _WITHIN:
        if part in values and whole in values:
            _refuse_other_population(values[part], values[whole])


def _refuse_moved_codes(values: Mapping[str, OutcomeValues]) -> None:
    """Where codes were sorted without their rows, every value would go to another area."""
    files = {each.path: each.frame["name"] for each in values.values()}
    by_path = {path: names.dropna() for path, names in files.items()}
    longest = max(by_path.values(), key=len, default=pd.Series())
    if all(names.equals(longest.reindex(names.index)) for names in by_path.values()):
        return  # nearly always, and in a fraction of the time
    unique = {path: names[~names.duplicated(keep=False)] for path, names in by_path.items()}
    named = pd.concat(unique, names=["path", "area"]).rename("name").reset_index()
    shared = named[named["area"].duplicated(keep=False)]  # areas of one file alone are no matter
    codes = shared.drop_duplicates(["name", "area"])
    twice = codes[codes["name"].duplicated(keep=False)]
    if len(twice):
        one, other = twice[twice["name"] == twice["name"].iloc[0]].head(2).itertuples()
        raise SourceError(
            f'{one.path} gives "{one.name}" the code {one.area}, {other.path} the code '
            f"{other.area} (two codes for {twice['name'].nunique():,} names): in one of them the "
            "codes or the names were moved or sorted without their rows: download both again"
        )


def _refuse_other_population(part: OutcomeValues, whole: OutcomeValues) -> None:
    """Tables of the workday and others have the same headings; in a bulk file only totals tell."""
    bases = {"part": part.frame["denominator"], "whole": whole.frame["denominator"]}
    both = pd.DataFrame(bases).dropna()
    above = both[(both["part"] > both["whole"]) & (both["whole"] > 0)]  # of nobody is a check's
    if len(above):
        first = above.iloc[0]
        raise SourceError(
            f"{part.path} counts {first['part']:,.0f} in {above.index[0]} in all, and {whole.path} "
            f"{first['whole']:,.0f}, though the first are a part of the second (so in "
            f"{len(above):,} of {len(both):,} areas): one of the two tables is of another "
            "population, such as that of the workday: download both of all usual residents"
        )
