"""A city's plan: what it reads, the search for captures, and the files in which it is published."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from streetineq_assets import geography
from streetineq_assets.digests import digest_file, digest_frame
from streetineq_assets.errors import StudyError
from streetineq_assets.findings import Check, Findings, Unavailable, unavailable_findings
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery import checks
from streetineq_assets.imagery.asking import Asking, end_of
from streetineq_assets.imagery.boxes import Found, around, search_boxes, tiles, together
from streetineq_assets.imagery.design import draw_locations
from streetineq_assets.imagery.planning import cost_of, list_captures, location_list, plan_captures
from streetineq_assets.imagery.plots import plot_plan
from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.tables import (
    IMAGERY_PLAN,
    PLAN_CAPTURES,
    RECORDING_FILE,
    PlanRecord,
)
from streetineq_assets.images.files import PLANNED_LOCATIONS
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.plotting import save_png
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import empty, view, write

if TYPE_CHECKING:
    import geopandas as gpd

_POSTCODES = """
SELECT p.postcode, p.area, p.lat, p.lon FROM postcodes AS p JOIN areas USING (area)
WHERE areas.city = $city AND p.usertype = 0 AND p.lat IS NOT NULL
    AND coalesce(p.introduced <= $date, true) AND coalesce(p.terminated > $date, true)
ORDER BY p.postcode
"""
_REPORT_EVERY = 50  # boxes


@dataclass(frozen=True)
class PlanSources:
    """What the plan of a city reads.

    Attributes:
        postcodes: `postcode, area, lat, lon` of the live small-user ones of its areas.
        areas: (n,) codes of its areas, ascending.
        boundary_file: the boundaries of the areas, if the study has them.
    """

    city: str
    study: Study
    postcodes: pd.DataFrame
    areas: pd.Series
    boundary_file: Path | None

    @property
    def settings(self) -> Imagery:
        """`[imagery]` of study.toml."""
        if self.study.imagery is None:
            raise StudyError("study.toml has no [imagery]")
        return self.study.imagery

    @cached_property
    def boundaries(self) -> "gpd.GeoDataFrame | None":
        """Those of the city's areas."""
        if self.boundary_file is None:
            return None
        shapes = geography.read_boundaries(self.boundary_file, self.study.vintage)
        return shapes[shapes["area"].isin(self.areas)]

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe; boundaries shape a grid alone."""
        found = {"postcodes": digest_frame(self.postcodes), "areas": digest_frame(self._areas)}
        if self.settings.design == "grid" and self.boundary_file:
            found["boundaries"] = digest_file(self.boundary_file)
        return found

    def config(self) -> dict[str, Any]:
        """The settings that shape it, for the recipe: not how much may be fetched, nor how fast."""
        left_out = {"cities", "most_gigabytes", "requests_per_minute"}
        return {
            "imagery": self.settings.model_dump(mode="json", exclude=left_out),
            "views": self.study.views.model_dump(
                include={"tolerance_deg", "within_m", "within_days"}
            ),
            "seed": self.study.seed,
            "buckets": self.study.cities[self.city].buckets,
        }

    @property
    def _areas(self) -> pd.DataFrame:
        return self.areas.to_frame("area")


def read_plan_sources(
    connection: duckdb.DuckDBPyConnection, store: DataStore, study: Study, city: str
) -> PlanSources:
    """Read what the plan of a city needs.

    Raises:
        StoreError: `postcode_lsoa` is absent or damaged.
        StudyError: the city has a list of locations of its own.
    """
    own = store.inputs("locations", f"{city}.csv")
    if own.is_file():
        raise StudyError(
            f"{own} lists the locations of {city}, and [imagery] in study.toml acquires images at "
            "others: move the list away, or name under imagery.cities those that have none"
        )
    table = store.open("postcode_lsoa").file("postcode_lsoa.parquet")
    areas = city_areas(connection, table)
    connection.register("areas", areas)
    try:
        with view(connection, "postcodes", table):
            chosen = {"city": city, "date": study.date}
            postcodes = connection.execute(_POSTCODES, chosen).df()
    finally:
        connection.unregister("areas")
    return PlanSources(
        city=city,
        study=study,
        postcodes=postcodes,
        areas=areas.loc[areas["city"] == city, "area"].reset_index(drop=True),
        boundary_file=geography.find_boundaries(store.inputs(geography.BOUNDARIES_FOLDER)),
    )


def search(
    wanted: pd.DataFrame, provider: Provider, within_m: float, report: Callable[[str], None]
) -> Found:
    """All captures that a provider has around the wanted locations.

    Args:
        wanted: a frame of the schema `tables.WANTED`.
        within_m: how far around each.

    Raises:
        ImageryError: the provider does not answer, or does not let the study in.
    """
    if provider.by_point:
        points = zip(wanted["lat"], wanted["lon"], strict=True)
        boxes = [around(lat, lon, within_m) for lat, lon in points]
    else:
        boxes = tiles(wanted, reach_m=within_m, side_deg=provider.box_side_deg)
    answers = []
    for number, box in enumerate(boxes, start=1):
        answers += search_boxes(provider.search, box, least_deg=provider.least_deg)
        if number % _REPORT_EVERY == 0:
            report(f"{number:,} of {len(boxes):,} boxes")
    return together(answers)


def write_plan(
    sources: PlanSources, asked: Asking, folder: Path, *, report: Callable[[str], None]
) -> Findings:
    """Ask the provider, plan, and write tables, list of locations, map and recording.

    Raises:
        ImageryError: as `search`.
        StudyError: as `draw_locations`.
    """
    study, settings, city = sources.study, sources.settings, sources.city
    wanted = draw_locations(
        sources.postcodes, settings, seed=study.seed, boundaries=sources.boundaries
    )
    if wanted.empty:
        reason = f"the postcode directory has no live postcode of {city}"
        return write_no_plan(folder, Unavailable("inputs/onspd", reason))
    provider = asked.provider
    found = search(wanted, provider, study.views.within_m, report)
    rows = plan_captures(
        wanted,
        found.captures,
        views=study.views,
        settings=settings,
        city=city,
        buckets=study.cities[city].buckets,
        now=end_of(asked.began_on),
    )
    captures = list_captures(rows, found.captures, settings)
    write(rows, IMAGERY_PLAN, folder / "imagery_plan.parquet")
    write(captures, PLAN_CAPTURES, folder / "captures.parquet")
    location_list(rows, captures).to_csv(folder / PLANNED_LOCATIONS, index=False)
    title = study.cities[city].title
    save_png(plot_plan(rows, sources.boundaries, title, provider.title), folder / "plan.png")
    asked.recording.write(folder / RECORDING_FILE)
    pace = settings.requests_per_minute or provider.requests_per_minute
    cost = cost_of(captures, provider, pace)
    n_open = len(found.not_exhausted)
    results = checks.plan_checks(rows, sources.areas, cost, settings, n_not_exhausted=n_open)
    return checks.plan_findings(rows, cost, _counts(found), results)


def limit_of_today(store: DataStore, sources: PlanSources) -> Check:
    """Whether the published plan may be fetched, which is no part of its recipe."""
    manifest = store.open("imagery_plan", sources.city).manifest
    if manifest.unavailable:
        return checks.WITHIN_LIMIT.not_tested("nothing is planned", passed=True)
    return checks.within_limit(manifest.read_record(PlanRecord), sources.settings)


def write_no_plan(folder: Path, why: Unavailable) -> Findings:
    """Publish that there is no plan, and why."""
    write(empty(IMAGERY_PLAN), IMAGERY_PLAN, folder / "imagery_plan.parquet")
    return unavailable_findings(why, checks.IMAGERY_PLAN)


def _counts(found: Found) -> dict[str, int]:
    rejected = found.rejected["reason"].value_counts()
    return {
        "n_captures_found": len(found.captures),
        **{f"n_captures_{reason}": int(n) for reason, n in rejected.items()},
        "n_boxes": found.n_boxes,
        "n_captures_outside_their_box": found.n_outside,
        "n_captures_found_twice": found.n_twice,
    }
