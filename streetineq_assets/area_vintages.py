"""Which statistical areas a study is of: the LSOAs of the 2011 Census, or those of Census 2021.

Their codes have one form, and nine in ten areas kept theirs, so that no code says of which it is:
`[areas] vintage` of a study does, and the manifest of every artefact that has areas.
"""

from dataclasses import dataclass
from typing import Literal

AREA_VINTAGE = "area_vintage"
"""Its name in recipes and manifests."""

EARLIER_NAMES = {"area": "lsoa11", "msoa": "msoa11", "oa": "oa11"}
"""What columns are called in files of versions that knew areas of 2011 alone."""

Vintage = Literal["lsoa11", "lsoa21"]


@dataclass(frozen=True)
class AreaVintage:
    """One set of areas.

    Attributes:
        key: as study.toml and manifests name it.
        year: of the census that it was made for.
        n_areas: in England and Wales.
        n_areas_of_england: which the Indices of Deprivation rank.
    """

    key: Vintage
    year: str
    n_areas: int
    n_areas_of_england: int

    def __str__(self) -> str:
        return f"LSOAs of {self.year}"

    @property
    def suffix(self) -> str:
        """Of the names of its columns in official files, as in `lsoa21cd`."""
        return self.year[2:]


VINTAGES: dict[str, AreaVintage] = {
    "lsoa11": AreaVintage("lsoa11", "2011", 34_753, 32_844),
    "lsoa21": AreaVintage("lsoa21", "2021", 35_672, 33_755),
}
"""Counts: Office for National Statistics; English Indices of Deprivation of 2015 and 2025."""

LSOA11 = VINTAGES["lsoa11"]
"""The default, and what all studies were of before there was a choice."""
