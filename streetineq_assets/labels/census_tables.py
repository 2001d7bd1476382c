"""The tables of the 2011 Census and of Census 2021 that hold an outcome, and in which columns.

The id tells the census: those of Census 2021 begin with TS.
"""

from dataclasses import dataclass

from streetineq_assets.labels.published import Table


@dataclass(frozen=True)
class CensusTable:
    """How a table of the census holds one outcome as a share of counts.

    Attributes:
        published: the table.
        outcome: key of the outcome.
        population: of whom the table is, in any of the publisher's wordings.
        dimension: the variable's name, which Nomis' bulk files write before each category.
        numerator: the categories to add up.
        denominator: headings under which the total may stand.
    """

    published: Table
    outcome: str
    population: tuple[str, ...]
    dimension: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]

    @property
    def year(self) -> str:
        """Of the census."""
        return self.published.edition

    @property
    def units(self) -> tuple[str, ...]:
        """What it counts, in any of the publisher's wordings."""
        households = self.population is _HOUSEHOLDS
        return ("Households", "Household spaces") if households else ("Persons",)


_CENSUS = {"2011": "2011 Census, ONS, by Nomis", "2021": "Census 2021, ONS, by Nomis"}
_RESIDENTS = ("All usual residents",)
_RESIDENTS_16_TO_74 = ("All usual residents aged 16 to 74",)
_RESIDENTS_FROM_16 = (
    "All usual residents aged 16 and over",
    "All usual residents aged 16 years and over",
)
_HOUSEHOLDS = (
    "All households",
    "All household spaces with at least one usual resident",
    "All occupied household spaces",
)


def _census(
    table_id: str,
    title: str,
    outcome: str,
    dimension: str,
    population: tuple[str, ...],
    *,
    numerator: tuple[str, ...],
    denominator: tuple[str, ...],
) -> CensusTable:
    year = "2021" if table_id.startswith("TS") else "2011"
    published = Table(table_id, title, _CENSUS[year], "census", year)
    return CensusTable(published, outcome, population, dimension, numerator, denominator)


CENSUS_TABLES: tuple[CensusTable, ...] = (
    _census(
        "QS302EW",
        "General health",
        "self_reported_health",
        "General Health",
        _RESIDENTS,
        numerator=("Bad health", "Very bad health"),
        denominator=("All categories: General health",),
    ),
    _census(
        "QS408EW",
        "Occupancy rating (rooms)",
        "occupancy_rating",
        "Occupancy Rating",
        _HOUSEHOLDS,
        numerator=("Occupancy rating (rooms) of -1", "Occupancy rating (rooms) of -2 or less"),
        denominator=(
            "All categories: Occupancy rating (rooms)",
            "All categories: Occupancy rating",
            "Total: Occupancy rating (rooms)",
            "All households",
        ),
    ),
    _census(
        "KS403EW",
        "Rooms, bedrooms and central heating",
        "occupancy_rating",
        "Central Heating",
        _HOUSEHOLDS,
        numerator=("Occupancy rating (rooms) of -1 or less",),
        denominator=("All categories: Type of central heating in household", "All households"),
    ),
    _census(
        "QS601EW",
        "Economic activity",
        "unemployment",
        "Economic Activity",
        _RESIDENTS_16_TO_74,
        numerator=("Economically active: Unemployed",),
        denominator=("All categories: Economic activity",),
    ),
    _census(
        "KS601EW",
        "Economic activity",
        "unemployment",
        "Economic Activity",
        _RESIDENTS_16_TO_74,
        numerator=("Economically active: Unemployed",),
        denominator=("All usual residents aged 16 to 74",),
    ),
    _census(
        "QS501EW",
        "Highest level of qualification",
        "education",
        "Qualification",
        _RESIDENTS_FROM_16,
        numerator=("No qualifications", "Level 1 qualifications"),
        denominator=(
            "All categories: Highest level of qualification",
            "All usual residents aged 16 and over",
        ),
    ),
    _census(
        "KS501EW",
        "Qualifications and students",
        "education",
        "Qualifications",
        _RESIDENTS_FROM_16,
        numerator=("No qualifications", "Highest level of qualification: Level 1 qualifications"),
        denominator=(
            "All categories: Highest level of qualification",
            "All usual residents aged 16 and over",
        ),
    ),
    _census(
        "TS037",
        "General health",
        "self_reported_health",
        "General health",
        _RESIDENTS,
        numerator=("Bad health", "Very bad health"),
        denominator=("Total: All usual residents",),
    ),
    _census(
        "TS053",
        "Occupancy rating for rooms",
        "occupancy_rating",
        "Occupancy rating for rooms",
        _HOUSEHOLDS,
        numerator=("Occupancy rating of rooms: -1", "Occupancy rating of rooms: -2 or less"),
        denominator=("Total: All households",),
    ),
    _census(
        "TS066",
        "Economic activity status",
        "unemployment",
        "Economic activity status",
        _RESIDENTS_FROM_16,
        numerator=("Economically active (excluding full-time students): Unemployed",),
        denominator=("Total: All usual residents aged 16 years and over",),
    ),
    _census(
        "TS067",
        "Highest level of qualification",
        "education",
        "Highest level of qualification",
        _RESIDENTS_FROM_16,
        numerator=("No qualifications", "Level 1 and entry level qualifications"),
        denominator=("Total: All usual residents aged 16 years and over",),
    ),
)

INFUSE_COLUMNS: dict[str, tuple[tuple[str, ...], str]] = {
    "self_reported_health": (("F1777", "F1782"), "F1778"),
    "occupancy_rating": (("F2375",), "F2376"),
    "unemployment": (("F1399",), "F1391"),
    "education": (("F187", "F188"), "F186"),
}
"""InFuse codes per outcome: those to add up, and the total."""
