"""The 13 outcomes as data: where each is published, how it is computed, which end is worst-off.

After Suel et al. 2019, section "outcomes": four shares of the census, seven domains of the
English Indices of Deprivation, and two household incomes that the Greater London Authority
modelled.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from streetineq_assets.labels.census_tables import CENSUS_TABLES
from streetineq_assets.labels.deciles import WorstEnd
from streetineq_assets.labels.published import Table

INDEX_OF_DEPRIVATION = "index_of_multiple_deprivation"
"""Key of the overall rank: no outcome, but the outcomes' directions are checked against it."""

INCOME_YEAR = "2012/13"


@dataclass(frozen=True)
class Period:
    """The time that published values describe, first and last day, and who says so."""

    first: dt.date
    last: dt.date
    source: str

    @property
    def middle(self) -> dt.date:
        """The day from which distances in time are counted."""
        return self.first + (self.last - self.first) / 2

    def __str__(self) -> str:
        days = dict.fromkeys(f"{day.day} {day:%B %Y}" for day in (self.first, self.last))
        return " to ".join(days)


@dataclass(frozen=True)
class Outcome:
    """One outcome of one area.

    Attributes:
        title: as in the paper's figures.
        tables: the published tables that hold it; any one of them will do.
        formula: how a value is computed, in words.
        unit: of a value.
        worst: the end of the values that is worst-off.
        modelling: how its publisher estimated it by a model of its own, so that predicting it is
            predicting a prediction; empty where it was counted.
        periods: the time that it describes, by edition, or under "" where there is one edition; an
            edition without a single one is no key.
        differences: what is not as in the paper, by edition, in a sentence.
        coverage: the nations or regions for which it is published.
        authorities: how the codes of their local authorities begin.
        direction: expected sign, in any city, of its rank correlation with the overall deprivation
            rank (1 = most deprived); 0 where neither sign is expected.
    """

    title: str
    tables: tuple[Table, ...]
    formula: str
    unit: str
    worst: WorstEnd
    modelling: str
    periods: Mapping[str, Period]
    coverage: str
    authorities: tuple[str, ...]
    direction: Literal[-1, 0, 1]
    differences: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, editions: Iterable[str]) -> str:
        """The official titles of the tables that would do, of the editions that a study reads."""
        own = ("", *editions)
        return " or ".join(str(table) for table in self.tables if table.edition in own)

    @property
    def modelled(self) -> bool:
        """Whether its values are a model's, not a count's."""
        return bool(self.modelling)

    @property
    def caution(self) -> str:
        """How its publisher modelled it, and why that matters; empty where it was counted."""
        if not self.modelling:
            return ""
        return f"Modelled: {self.modelling}. {_WHY_MODELLED_MATTERS}"

    def period(self, editions: Iterable[str]) -> Period | None:
        """The time that its values describe, in these editions of the census and the indices."""
        return next((self.periods[each] for each in (*editions, "") if each in self.periods), None)

    def difference(self, editions: Iterable[str]) -> str:
        """What is not as in the paper in these editions; empty where all is."""
        return " ".join(text for each, text in self.differences.items() if each in editions)

    def covers(self, authorities: Iterable[str]) -> bool:
        """Whether it is published for all of these local authorities, given by code."""
        return all(code.startswith(self.authorities) for code in authorities)


_SHRUNK = "rates of small areas are drawn towards their district's (shrinkage estimation)"
_TECHNICAL_REPORT = "English Indices of Deprivation, technical report"
_FINANCIAL_2012_13 = (dt.date(2012, 4, 1), dt.date(2013, 3, 31))
_CENSUS_DAY = {
    "2011": Period(dt.date(2011, 3, 27), dt.date(2011, 3, 27), "2011 Census, ONS"),
    "2021": Period(dt.date(2021, 3, 21), dt.date(2021, 3, 21), "Census 2021, ONS"),
}
_INCOME_YEAR = {"": Period(*_FINANCIAL_2012_13, "Household Income Estimates, GLA")}
# Most indicators; some are of other years. The edition of 2025 has no single time.
_INDICES = {
    "2015": Period(*_FINANCIAL_2012_13, "English Indices of Deprivation 2015, statistical release"),
    "2019": Period(
        dt.date(2015, 4, 1), dt.date(2016, 3, 31), f"{_TECHNICAL_REPORT} of 2019, chapter 3"
    ),
}

_WHY_MODELLED_MATTERS = (
    "A model predicts a model here: agreement may be with the publisher's own pattern, which "
    "smooths single areas, and the publisher's errors count as the network's."
)

FILE_7 = Table(
    "File 7",
    "All ranks, deciles and scores for the Indices of Deprivation, and population denominators",
    "English Indices of Deprivation, MHCLG",
    "iod",
)

DOMAINS: dict[str, str] = {
    "health_deprivation": "Health Deprivation and Disability",
    "barriers_to_housing": "Barriers to Housing and Services",
    "employment_deprivation": "Employment",
    "education_deprivation": "Education, Skills and Training",
    "income_deprivation": "Income",
    "crime": "Crime",
    "living_environment": "Living Environment",
    INDEX_OF_DEPRIVATION: "Index of Multiple Deprivation (IMD)",
}
"""Outcome to the domain's name in the headings of the Indices of Deprivation."""

GLA_INCOME = Table(
    "Household Income Estimates for Small Areas",
    "modelled household income estimates, LSOA",
    "Greater London Authority, London Datastore",
    "household_income",
)


def _share(outcome: str, title: str, formula: str, *, of_2021: str = "") -> Outcome:
    return Outcome(
        title=title,
        tables=tuple(table.published for table in CENSUS_TABLES if table.outcome == outcome),
        formula=formula,
        unit="share, 0 to 1",
        worst="high",
        modelling="",
        periods=_CENSUS_DAY,
        coverage="England and Wales",
        authorities=("E", "W"),
        direction=-1,
        differences={"2021": of_2021} if of_2021 else {},
    )


def _domain(
    outcome: str, title: str, *, further: str = "", direction: Literal[0, 1] = 1
) -> Outcome:
    return Outcome(
        title=title,
        tables=(FILE_7,),
        formula=f"{DOMAINS[outcome]} Rank (where 1 is most deprived)",
        unit="rank among the LSOAs of England, 1 = most deprived",
        worst="low",
        modelling=f"{_SHRUNK}{further}",
        periods=_INDICES,
        coverage="England",
        authorities=("E",),
        direction=direction,
    )


def _income(title: str, statistic: str) -> Outcome:
    return Outcome(
        title=title,
        tables=(GLA_INCOME,),
        formula=f"{statistic} annual household income {INCOME_YEAR}",
        unit="pounds per year",
        worst="low",
        modelling="its publisher estimated it by a model of its own; nobody counted it",
        periods=_INCOME_YEAR,
        coverage="Greater London",
        authorities=("E09",),
        direction=1,
    )


# All domains are modelled: shrinkage estimation is a stage of their making (technical reports of
# 2015 and 2019, chapter 3). Two rest on further models, and within London they correlate with
# overall deprivation by about zero or less, so no direction is expected of them.
OUTCOMES: dict[str, Outcome] = {
    "self_reported_health": _share(
        "self_reported_health",
        "Self-reported health",
        "(bad health + very bad health) / all usual residents",
    ),
    "occupancy_rating": _share(
        "occupancy_rating",
        "Occupancy rating",
        "households with an occupancy rating (rooms) of -1 or less / all households",
        of_2021="In 2021 nobody was asked for rooms: their numbers are the Valuation Office "
        "Agency's, which counts others.",
    ),
    "unemployment": _share(
        "unemployment",
        "Unemployment",
        "economically active and unemployed / all usual residents aged 16 to 74",
        of_2021="In 2021 the share is of all residents from 16 on, of any age, and full-time "
        "students are not among the unemployed; the census was taken in a lockdown.",
    ),
    "education": _share(
        "education",
        "Education",
        "(no qualifications + level 1 qualifications) / all usual residents aged 16 and over",
        of_2021="In 2021 entry level qualifications are counted with those of level 1.",
    ),
    "health_deprivation": _domain("health_deprivation", "Health deprivation and disability"),
    "barriers_to_housing": _domain(
        "barriers_to_housing",
        "Barriers to housing and services",
        further="; affordability of housing is modelled",
        direction=0,
    ),
    "employment_deprivation": _domain("employment_deprivation", "Employment deprivation"),
    "education_deprivation": _domain("education_deprivation", "Education deprivation"),
    "income_deprivation": _domain("income_deprivation", "Income deprivation"),
    "crime": _domain("crime", "Crime deprivation"),
    "living_environment": _domain(
        "living_environment",
        "Living environment deprivation",
        further="; condition of housing and air quality are modelled",
        direction=0,
    ),
    "mean_income": _income("Mean income", "mean"),
    "median_income": _income("Median income", "median"),
}
