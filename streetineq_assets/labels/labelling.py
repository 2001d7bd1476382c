"""From readings and cities to the tables of `lsoa_labels`: values, deciles, edges, availability.

What belongs here: which areas get a label, deciles within each city, and what is unavailable and
why.
What does not: reading files (`sources`), checks of the result (`checks`) and pictures (`figures`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from streetineq_assets.errors import SourceError
from streetineq_assets.labels.deciles import decile_table, deciles
from streetineq_assets.labels.formats.base import Reading
from streetineq_assets.labels.outcomes import OUTCOMES, Outcome
from streetineq_assets.labels.postcodes import DIRECTORY
from streetineq_assets.study import Study

COLUMNS = {
    "city": "key of the city in study.toml",
    "outcome": "key of the outcome",
    "lsoa11": "lower layer super output area of 2011",
    "value": "in the outcome's unit: a share from 0 to 1, a national rank, or pounds per year",
    "national_rank": "rank among England's LSOAs, 1 = most deprived; null where none is published",
    "decile": "within the city, 1 = worst-off, 10 = best-off; null where the value is missing",
}


@dataclass(frozen=True)
class LabelTables:
    """The three tables of the artefact, each in a fixed order.

    Attributes:
        labels: one row per city, available outcome and LSOA; columns as `COLUMNS`.
        edges: one row per city, available outcome and decile; see `deciles.decile_table`.
        availability: one row per city and outcome of all 13: `status` ("available", "unavailable"),
            `wanted` (the official table that it wants, null when available) and `reason`.
        denominators: `outcome, lsoa11, denominator` of the shares, for the checks.
    """

    labels: pd.DataFrame
    edges: pd.DataFrame
    availability: pd.DataFrame
    denominators: pd.DataFrame

    def write(self, folder: Path) -> None:
        """The three tables as Parquet files."""
        self.labels.to_parquet(folder / "lsoa_labels.parquet", index=False)
        self.edges.to_parquet(folder / "decile_edges.parquet", index=False)
        self.availability.to_parquet(folder / "availability.parquet", index=False)


@dataclass(frozen=True)
class _Unavailable:
    wanted: str
    reason: str


def build_tables(readings: Mapping[str, Reading], areas: pd.DataFrame, study: Study) -> LabelTables:
    """Label every area of every city with every outcome that has a source.

    Args:
        readings: outcome to what its file says; an outcome without a file is not a key.
        areas: `city, lsoa11`, each LSOA in one city, in order, as `postcodes.city_areas` gives
            them.

    Raises:
        SourceError: a file holds no area of any city for which its outcome is published.
    """
    lsoas = {city: group["lsoa11"] for city, group in areas.groupby("city")}
    found = {
        (city, key): result
        for key, outcome in OUTCOMES.items()
        for city, result in _by_city(key, outcome, readings.get(key), lsoas, study).items()
    }
    # By city, and then in the paper's order of outcomes: sorting is stable.
    ordered = dict(sorted(found.items(), key=lambda item: item[0][0]))
    held = {pair: values for pair, values in ordered.items() if isinstance(values, pd.DataFrame)}
    worst = {(city, key): OUTCOMES[key].worst for city, key in held}
    labels = {
        pair: values.assign(decile=deciles(values["value"], worst=worst[pair]))
        for pair, values in held.items()
    }
    edges = {
        pair: decile_table(values["value"], worst=worst[pair]) for pair, values in held.items()
    }
    availability = [_availability(city, key, result) for (city, key), result in ordered.items()]
    shares = _stacked(held, ["city", "outcome", "lsoa11", "denominator"])
    return LabelTables(
        labels=_stacked(labels, list(COLUMNS)),
        edges=_stacked(edges, ["city", "outcome", "decile", "lower", "upper", "n_lsoas", "n_ties"]),
        availability=pd.DataFrame(availability).astype("str"),
        denominators=shares.dropna().reset_index(drop=True),
    )


def _by_city(
    key: str,
    outcome: Outcome,
    reading: Reading | None,
    lsoas: Mapping[str, pd.Series],
    study: Study,
) -> dict[str, pd.DataFrame | _Unavailable]:
    """For every city the values of its areas, or why there are none."""
    found: dict[str, pd.DataFrame | _Unavailable] = {}
    held_anywhere, asked = False, []
    for city in study.cities:
        if not _covered(outcome, study, city):
            found[city] = _Unavailable(outcome.wanted, f"published for {outcome.coverage} alone")
        elif reading is None:
            folder = outcome.tables[0].folder
            found[city] = _Unavailable(outcome.wanted, f"no file in inputs/{folder} holds it")
        elif city not in lsoas:
            found[city] = _Unavailable(DIRECTORY, "the postcode directory has no area of the city")
        else:
            asked.append(city)
            values = reading.frame.reindex(lsoas[city]).reset_index()
            if values["value"].notna().any():
                held_anywhere = True
                found[city] = values
            else:
                reason = f"{reading.path.name} has no value for any area of the city"
                found[city] = _Unavailable(outcome.wanted, reason)
    if asked and not held_anywhere:
        raise SourceError(
            f"{reading.path if reading else key} has no value of {key} for any area of "
            f"{', '.join(asked)}: it covers another place, or other areas than the LSOAs of 2011"
        )
    return found


def _covered(outcome: Outcome, study: Study, city: str) -> bool:
    return any(code.startswith(outcome.authorities) for code in study.cities[city].authorities)


def _availability(
    city: str, key: str, result: pd.DataFrame | _Unavailable
) -> dict[str, str | None]:
    row: dict[str, str | None] = {"city": city, "outcome": key, "status": "available"}
    if isinstance(result, _Unavailable):
        return row | {"status": "unavailable", "wanted": result.wanted, "reason": result.reason}
    return row | {"wanted": None, "reason": None}


def _stacked(frames: Mapping[tuple[str, str], pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """One table below the other, with their city and outcome."""
    if not frames:
        return pd.DataFrame({name: pd.Series(dtype=_DTYPES[name]) for name in columns})
    stacked = pd.concat(frames, names=["city", "outcome"]).reset_index(["city", "outcome"])
    return stacked[columns].reset_index(drop=True).astype({name: _DTYPES[name] for name in columns})


_DTYPES = {
    "city": "str",
    "outcome": "str",
    "lsoa11": "str",
    "value": "float64",
    "national_rank": "Int32",
    "decile": "Int8",
    "lower": "float64",
    "upper": "float64",
    "n_lsoas": "int64",
    "n_ties": "int64",
    "denominator": "float64",
}
