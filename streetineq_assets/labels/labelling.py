"""From outcomes' values and cities' areas to labels: deciles, their edges, and what is unavailable.

What belongs here: which areas get a label, deciles within each city, and why an outcome has none.
What does not: reading files (`sources`) and checking the result (`checks`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from streetineq_assets.area_vintages import AreaVintage
from streetineq_assets.errors import SourceError
from streetineq_assets.findings import Unavailable
from streetineq_assets.labels.deciles import decile_table, deciles
from streetineq_assets.labels.formats.base import OutcomeValues
from streetineq_assets.labels.outcomes import OUTCOMES, Outcome
from streetineq_assets.labels.postcode_directory import DIRECTORY
from streetineq_assets.labels.tables import AVAILABILITY, DECILE_EDGES, DENOMINATORS, LSOA_LABELS
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty, write


@dataclass(frozen=True)
class LabelTables:
    """The tables of the artefact, each in a fixed order; schemas in `labels.tables`.

    Attributes:
        labels: one row per city, available outcome and LSOA.
        edges: one row per city, available outcome and decile.
        availability: one row per city and outcome of all 13.
        denominators: of the shares, for the checks; not published.
    """

    labels: pd.DataFrame
    edges: pd.DataFrame
    availability: pd.DataFrame
    denominators: pd.DataFrame

    @property
    def n_available(self) -> int:
        """Pairs of city and outcome that have labels."""
        return int((self.availability["status"] == "available").sum())

    def holdings(self) -> dict[str, int]:
        """How many areas of every pair have a decile; 0 where a pair is unavailable."""
        labelled = self.labels[self.labels["decile"].notna()].value_counts(["city", "outcome"])
        pairs = self.availability[["city", "outcome"]].itertuples(index=False)
        return {f"areas of {c}/{o}": int(labelled.get((c, o), 0)) for c, o in pairs}

    def write(self, folder: Path) -> None:
        """The three published tables as Parquet files."""
        write(self.labels, LSOA_LABELS, folder / "lsoa_labels.parquet")
        write(self.edges, DECILE_EDGES, folder / "decile_edges.parquet")
        write(self.availability, AVAILABILITY, folder / "availability.parquet")


def build_tables(
    values: Mapping[str, OutcomeValues], areas: pd.DataFrame, study: Study
) -> LabelTables:
    """Label every area of every city with every outcome that has a source.

    Args:
        values: outcome to its values, as `sources.read_sources` returns them; an outcome without a
            file is not a key.
        areas: `city, area`, each LSOA in one city, in order, as `postcodes.city_areas` returns
            them.

    Raises:
        SourceError: a file holds no area of any city for which its outcome is published, or it was
            cut off: it holds some areas of a city and not all, or is of the whole country without
            a city.
    """
    lsoas = {str(city): group["area"] for city, group in areas.groupby("city")}
    results = {
        Pair(city, key): result
        for key, outcome in OUTCOMES.items()
        for city, result in _by_city(key, outcome, values.get(key), lsoas, study).items()
    }
    # By city, and then in the paper's order of outcomes: sorting is stable.
    ordered = dict(sorted(results.items(), key=lambda item: item[0].city))
    held = {pair: frame for pair, frame in ordered.items() if isinstance(frame, pd.DataFrame)}
    labels, edges = {}, {}
    for pair, frame in held.items():
        worst = OUTCOMES[pair.outcome].worst
        labels[pair] = frame.assign(decile=deciles(frame["value"], worst=worst))
        edges[pair] = decile_table(frame["value"], worst=worst)
    shares = {pair: frame.dropna(subset="denominator") for pair, frame in held.items()}
    availability = [
        _availability(pair, result) | _about(OUTCOMES[pair.outcome], study.editions)
        for pair, result in ordered.items()
    ]
    return LabelTables(
        labels=_stacked(labels, LSOA_LABELS),
        edges=_stacked(edges, DECILE_EDGES),
        availability=conform(pd.DataFrame(availability), AVAILABILITY),
        denominators=_stacked(shares, DENOMINATORS),
    )


def _by_city(
    key: str,
    outcome: Outcome,
    values: OutcomeValues | None,
    lsoas: Mapping[str, pd.Series],
    study: Study,
) -> dict[str, pd.DataFrame | Unavailable]:
    """For every city the values of its areas, or why there are none."""
    results: dict[str, pd.DataFrame | Unavailable] = {}
    wanted, held_anywhere, asked = outcome.wanted(study.editions), False, []
    for city in study.cities:
        if not outcome.covers(study.cities[city].authorities):
            results[city] = Unavailable(wanted, f"published for {outcome.coverage} alone")
        elif values is None:
            folder = outcome.tables[0].folder
            results[city] = Unavailable(wanted, f"no file in inputs/{folder} holds it")
        elif city not in lsoas:
            results[city] = Unavailable(DIRECTORY, "the postcode directory has no area of the city")
        else:
            asked.append(city)
            _refuse_part_of_a_city(values, city, lsoas[city], study.vintage)
            labelled = values.frame.reindex(lsoas[city]).reset_index()
            if labelled["value"].notna().any():
                held_anywhere = True
                results[city] = labelled
            else:
                reason = f"{values.path.name} has no value for any area of the city"
                results[city] = Unavailable(wanted, reason)
    if values and asked and not held_anywhere:
        raise SourceError(
            f"{values.path} has no value of {key} for any area of {', '.join(asked)}: it covers "
            f"another region, or other areas than the {study.vintage}"
        )
    absent = [city for city in asked if isinstance(results[city], Unavailable)]
    if values and absent and _is_national(values, lsoas, study.vintage):
        raise SourceError(
            f"{values.path} holds {len(values.frame):,} areas of the country, and none of "
            f"{', '.join(absent)}: it was cut off: download it again (a table of the other cities "
            "alone would do for them)"
        )
    return results


def _refuse_part_of_a_city(
    values: OutcomeValues, city: str, lsoas: pd.Series, vintage: AreaVintage
) -> None:
    """Stop at a file that was cut off; one that leaves whole cities out may be an extract."""
    lacking = lsoas[values.frame.index.get_indexer(lsoas) < 0]
    if 0 < len(lacking) < len(lsoas):
        raise SourceError(
            f"{values.path} holds {len(lsoas) - len(lacking):,} of the {len(lsoas):,} areas of "
            f"{city}; {lacking.iloc[0]} is not among them: it was cut off, rows were deleted, or "
            f"it is on other areas than the {vintage}: download the whole table"
        )


def _is_national(
    values: OutcomeValues, lsoas: Mapping[str, pd.Series], vintage: AreaVintage
) -> bool:
    """Whether a file is no extract: it ranks the country's areas beyond the cities, or has most."""
    if len(values.frame) > vintage.n_areas / 2:
        return True
    beyond = ~values.frame.index.isin(pd.concat(list(lsoas.values())))
    return bool(beyond.any() and values.frame["national_rank"].notna().any())


def _availability(pair: Pair, result: pd.DataFrame | Unavailable) -> dict[str, str | None]:
    row: dict[str, str | None] = {**pair._asdict(), "status": "available"}
    if isinstance(result, Unavailable):
        return row | {"status": "unavailable", "wanted": result.wanted, "reason": result.reason}
    return row | {"wanted": None, "reason": None}


def _about(outcome: Outcome, editions: tuple[str, str]) -> dict[str, object]:
    """What a reader of its values must know: are they modelled, and of which time."""
    period = outcome.period(editions)
    return {
        "modelled": outcome.modelling or None,
        "described_from": period and str(period.first),
        "described_to": period and str(period.last),
    }


def _stacked(frames: Mapping[Pair, pd.DataFrame], fields: pa.Schema) -> pd.DataFrame:
    """One table below the other, with their city and outcome."""
    if not frames:
        return empty(fields)
    names = ["city", "outcome"]
    stacked = pd.concat(list(frames.values()), keys=list(frames), names=names)
    return conform(stacked.reset_index(names), fields)
