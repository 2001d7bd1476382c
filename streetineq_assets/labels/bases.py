"""Of whom shares are, compared between the files of the census.

Tables of another population, such as that of the workday, come under the same headings. Bulk files
do not say of whom they are; their totals do.
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


def refuse_other_populations(values: Mapping[str, OutcomeValues]) -> None:
    """Stop at two tables one of which cannot be of the residents of the same areas.

    Args:
        values: outcome to its values, as `sources.read_sources` returns them.

    Raises:
        SourceError: a part of the residents, or the households, outnumber those whose part they
            are.
    """
    for part, whole in _WITHIN:
        if part not in values or whole not in values:
            continue
        bases = {key: values[key].frame["denominator"] for key in (part, whole)}
        both = pd.DataFrame(bases).dropna()
        above = both[(both[part] > both[whole]) & (both[whole] > 0)]  # a check has areas of nobody
        if len(above):
            first = above.iloc[0]
            raise SourceError(
                f"{values[part].path} counts {first[part]:,.0f} in {above.index[0]} in all, and "
                f"{values[whole].path} {first[whole]:,.0f}, though the first are a part of the "
                f"second (so in {len(above):,} of {len(both):,} areas): one of the two tables is "
                "of another population, such as that of the workday: download both of all usual "
                "residents"
            )
