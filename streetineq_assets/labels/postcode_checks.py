"""What must hold of the postcodes and of the cities' areas that follow from them, and what should.

As `checks`, which has those of the labels.
"""

from pathlib import Path

import duckdb
import pandas as pd

from streetineq_assets.findings import Check, CheckSpec, Scalar
from streetineq_assets.study import Study
from streetineq_assets.tables import view

MATCHED = 0.99
"""Share of areas or postcodes that should be matched."""

_FEW_AREAS, _LARGEST_SHARE_WITHIN = 10, 0.5

AREAS_AS_PUBLISHED = CheckSpec(
    "areas_as_published", "Each city has the number of LSOAs that study.toml says was published."
)
POSTCODES_UNIQUE = CheckSpec("postcodes_unique", "One row per postcode.", blocking=True)
POSTCODES_MATCHED = CheckSpec(
    "postcodes_matched", f"At least {MATCHED:.0%} of the cities' postcodes have an LSOA."
)
CITIES_PRESENT = CheckSpec("cities_present", "The postcode directory has areas of every city.")
AUTHORITIES_PRESENT = CheckSpec(
    "authorities_present",
    "The postcode directory has postcodes of every local authority that study.toml names.",
)
AREAS_TOGETHER = CheckSpec("areas_together", "The postcodes of an LSOA lie together.")
AREAS_IN_ONE_CITY = CheckSpec("areas_in_one_city", "No LSOA has postcodes outside its city.")
POSTCODE_LSOA = (
    POSTCODES_UNIQUE,
    POSTCODES_MATCHED,
    CITIES_PRESENT,
    AUTHORITIES_PRESENT,
    AREAS_AS_PUBLISHED,
    AREAS_IN_ONE_CITY,
    AREAS_TOGETHER,
)


def postcode_checks(
    connection: duckdb.DuckDBPyConnection,
    postcodes: Path,
    areas: pd.DataFrame,
    study: Study,
) -> list[Check]:
    """Every check of `POSTCODE_LSOA`, in its order.

    Args:
        postcodes: the Parquet file of the table.
        areas: as `postcodes.city_areas` returns them.
    """
    with view(connection, "postcodes", postcodes):
        return [
            _postcodes_unique(connection),
            _postcodes_matched(connection),
            _cities_present(areas, study),
            _authorities_present(connection, study),
            areas_as_published(areas, study),
            _areas_in_one_city(areas),
            _areas_together(connection),
        ]


def _postcodes_unique(connection: duckdb.DuckDBPyConnection) -> Check:
    ((n_rows, n_postcodes),) = connection.execute(
        "SELECT count(*), count(DISTINCT postcode) FROM postcodes"
    ).fetchall()
    text = f"{n_rows:,} rows, {n_postcodes:,} different postcodes"
    return POSTCODES_UNIQUE.result(n_rows == n_postcodes, text)


def _postcodes_matched(connection: duckdb.DuckDBPyConnection) -> Check:
    ((n_postcodes, n_matched),) = connection.execute(
        "SELECT count(*), count(area) FROM postcodes WHERE city IS NOT NULL"
    ).fetchall()
    share = n_matched / n_postcodes if n_postcodes else 0.0
    text = f"{n_matched:,} of the cities' {n_postcodes:,} postcodes have an LSOA"
    if share < MATCHED:
        text += (
            f", fewer than {MATCHED:.0%}: locations at the others get no area; is the directory "
            "complete?"
        )
    return POSTCODES_MATCHED.result(share >= MATCHED, text, share_matched=share)


def _cities_present(areas: pd.DataFrame, study: Study) -> Check:
    present = set(areas["city"])
    missing = [city for city in study.cities if city not in present]
    text = (
        f"the directory has no area of {', '.join(missing)}: their outcomes are unavailable; "
        "compare their authorities in study.toml with the directory's edition"
    )
    return CITIES_PRESENT.result(not missing, text if missing else "every city has areas")


def _authorities_present(connection: duckdb.DuckDBPyConnection, study: Study) -> Check:
    listed = connection.execute("SELECT DISTINCT authority FROM postcodes WHERE city IS NOT NULL")
    present = {code for (code,) in listed.fetchall()}
    absent = {
        key: [code for code in city.authorities if code not in present]
        for key, city in study.cities.items()
    }
    named = [
        f"{', '.join(codes) if len(codes) < len(study.cities[key].authorities) else 'any'} of {key}"
        for key, codes in absent.items()
        if codes
    ]
    text = (
        f"no postcode is filed under {'; '.join(named)}: their areas are absent, and deciles are "
        "cut among the others; authorities get new codes at times, so compare those in study.toml "
        "with the directory's edition"
    )
    n_absent = sum(map(len, absent.values()))
    return AUTHORITIES_PRESENT.result(
        not named,
        text if named else f"each of {len(present)} local authorities has postcodes",
        n_authorities_absent=n_absent,
    )


def areas_as_published(areas: pd.DataFrame, study: Study) -> Check:
    """The number of LSOAs of each city against the published number that study.toml may state."""
    counted = areas["city"].value_counts()
    n_lsoas: dict[str, Scalar] = {}
    wrong = []
    for key, city in study.cities.items():
        n = int(counted.get(key, 0))
        n_lsoas[f"n_lsoas_{key}"] = n
        if city.lsoas is not None and n != city.lsoas:
            wrong.append(f"{key} has {n:,} LSOAs, published are {city.lsoas:,}")
    text = (
        f"{'; '.join(wrong)}: deciles are cut among the areas that are there; compare the city's "
        "authorities in study.toml with the directory's edition"
    )
    if all(city.lsoas is None for city in study.cities.values()):
        text = "no city of study.toml states `lsoas`, its published number of areas"
        return AREAS_AS_PUBLISHED.not_tested(text, passed=True, **n_lsoas)
    return AREAS_AS_PUBLISHED.result(
        not wrong, text if wrong else "every city has its published number of LSOAs", **n_lsoas
    )


def _areas_in_one_city(areas: pd.DataFrame) -> Check:
    split = areas[areas["n_elsewhere"] > 0]
    n_postcodes = int(split["n_elsewhere"].sum())
    if areas.empty:
        text = "no city has an area, as cities_present says"
        return AREAS_IN_ONE_CITY.not_tested(text, passed=True)
    text = (
        f"{len(split)} LSOAs have {n_postcodes} postcodes outside their city; an area counts to "
        "the city of most of its postcodes"
    )
    return AREAS_IN_ONE_CITY.result(
        split.empty,
        text if len(split) else "no LSOA has postcodes outside its city",
        n_lsoas=len(split),
        n_postcodes_elsewhere=n_postcodes,
    )


def _areas_together(connection: duckdb.DuckDBPyConnection) -> Check:
    """Of the variance of a city's latitudes and longitudes, the share that lies within its LSOAs.

    It is a few per cent where codes and coordinates belong together, and near 1 where a column was
    sorted or shifted on its own, however wide the areas are.
    """
    shares = dict(
        connection.execute(
            """
            WITH placed AS (
                SELECT city, area, lat, lon,
                    avg(lat) OVER areas AS mean_lat, avg(lon) OVER areas AS mean_lon
                FROM postcodes
                WHERE city IS NOT NULL AND area IS NOT NULL AND lat IS NOT NULL
                WINDOW areas AS (PARTITION BY city, area))
            SELECT city, (avg(pow(lat - mean_lat, 2) + pow(lon - mean_lon, 2)))
                / (var_pop(lat) + var_pop(lon)) AS share
            FROM placed GROUP BY city
            HAVING count(DISTINCT area) >= $few AND var_pop(lat) + var_pop(lon) > 0 ORDER BY city
            """,
            {"few": _FEW_AREAS},
        ).fetchall()
    )
    if not shares:
        return AREAS_TOGETHER.not_tested(
            f"no city has {_FEW_AREAS} areas whose postcodes have coordinates: whether codes and "
            "coordinates belong together is not known; take a directory with coordinates"
        )
    torn = [city for city, share in shares.items() if share > _LARGEST_SHARE_WITHIN]
    text = f"at most {max(shares.values()):.0%} of the postcodes' spread lies within areas"
    if torn:
        text += (
            f" (in {', '.join(torn)}; at most {_LARGEST_SHARE_WITHIN:.0%} expected): codes and "
            "coordinates do not belong together; download the directory again"
        )
    values = {f"share_within_areas_{city}": share for city, share in shares.items()}
    return AREAS_TOGETHER.result(not torn, text, **values)
