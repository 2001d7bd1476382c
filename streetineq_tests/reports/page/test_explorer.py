"""What finds an area: every postcode leads to its own area, and nothing else is in the data."""

import re

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.reports.page.explorer import postcodes_by_sector

LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # of units


def looked_up(sectors: dict[str, str], postcode: str) -> list[int]:
    """As the page's script does."""
    sector, unit = postcode[:-2], postcode[-2:]
    found = []
    for part in sectors.get(sector, "").split():
        area, units = re.fullmatch(r"(\d+)([A-Z]+)", part).groups()
        found += [int(area)] * [units[i : i + 2] for i in range(0, len(units), 2)].count(unit)
    return found


postcode = st.builds(
    "{}{} {}{}{}".format,
    st.sampled_from(["N", "SW", "EC"]),
    st.sampled_from(["1", "12", "1A"]),
    st.integers(0, 9),
    st.sampled_from(LETTERS),
    st.sampled_from(LETTERS),
)


@given(st.dictionaries(postcode, st.integers(0, 30), max_size=80))
def test_each_postcode_leads_to_its_area_alone(areas):
    codes = [f"E01{n:06d}" for n in range(25)]  # the others lie outside
    frame = pd.DataFrame(
        {"postcode": list(areas), "area": [f"E01{n:06d}" for n in areas.values()]}, dtype="str"
    )
    sectors = postcodes_by_sector(frame, {code: n for n, code in enumerate(codes)})
    for written, area in areas.items():
        assert looked_up(sectors, written) == ([area] if area < len(codes) else [])
    assert sum(len(re.sub(r"[\d ]", "", units)) for units in sectors.values()) // 2 == sum(
        area < len(codes) for area in areas.values()
    )
