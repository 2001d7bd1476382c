"""A city's audit: read what it is of, and put rights, dates and coverage into tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from streetineq_assets.audit import checks, tables
from streetineq_assets.audit.coverage import coverage_by_decile, coverage_trend
from streetineq_assets.audit.dates import capture_years, years_after
from streetineq_assets.digests import digest_frame
from streetineq_assets.findings import Findings, Scalar, unavailable_findings
from streetineq_assets.image_settings import Rights
from streetineq_assets.images.rights import rights_table, terms_digest
from streetineq_assets.images.tables import IMAGE_RIGHTS
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.predictions.checks import inputs_available
from streetineq_assets.predictions.location_scores import labelled_areas
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty, write

AUDIT_FILES = {
    "data_audit": tables.DATA_AUDIT,
    "coverage_by_decile": tables.COVERAGE_BY_DECILE,
    "capture_years": tables.CAPTURE_YEARS,
    "image_rights": IMAGE_RIGHTS,
}
_PREDICTIONS = "lsoa_predictions"


@dataclass(frozen=True)
class AuditSources:
    """What the audit of a city reads.

    Attributes:
        locations: the published artefact.
        areas: `outcome, area, decile, msoa` of the areas with a label.
        predictions: outcome to its predicted areas, where they are published.
    """

    city: str
    outcomes: tuple[str, ...]
    editions: tuple[str, str]
    rights: Rights
    locations: Artefact
    areas: pd.DataFrame
    predictions: Mapping[str, Artefact]

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        found = {"locations": self.locations.digest, "areas": digest_frame(self.areas)}
        predicted = {f"{_PREDICTIONS}/{o}": each.digest for o, each in self.predictions.items()}
        return found | predicted

    def config(self) -> dict[str, Any]:
        """The settings that shape it, for the recipe."""
        census, iod = self.editions
        return ({} if census == "2011" else {"census_edition": census}) | {
            "outcomes": list(self.outcomes),
            "iod_edition": iod,
            "rights": self.rights.model_dump(mode="json"),
            "terms": terms_digest(),
        }


def read_audit_sources(
    connection: duckdb.DuckDBPyConnection, store: DataStore, study: Study, city: str
) -> AuditSources:
    """Open what the audit reads; predictions that are not made yet are left out.

    Raises:
        StoreError: another artefact is absent or damaged; the message names what to materialise.
    """
    outcomes = study.cities[city].outcomes
    keys = {outcome: Pair(city, outcome).key for outcome in outcomes}
    return AuditSources(
        city=city,
        outcomes=outcomes,
        editions=study.editions,
        rights=study.rights,
        locations=store.open("locations", city),
        areas=labelled_areas(connection, store, city, outcomes),
        predictions={
            outcome: store.open(_PREDICTIONS, key)
            for outcome, key in keys.items()
            if store.manifest(_PREDICTIONS, key)
        },
    )


def write_audit(sources: AuditSources, folder: Path) -> Findings:
    """Write the tables of `AUDIT_FILES`, and say what was found."""
    if why := sources.locations.manifest.unavailable:
        for name, fields in AUDIT_FILES.items():
            write(empty(fields), fields, folder / f"{name}.parquet")
        return unavailable_findings(why, checks.DATA_AUDIT)
    columns = ["status", "captured_at", "provider", "licence"]
    locations = sources.locations.table(columns=columns)
    captured = locations.loc[locations["status"] == "matched", "captured_at"]
    ranked = {outcome: _ranked(sources, outcome) for outcome in sources.outcomes}
    deciles = [coverage_by_decile(areas).assign(outcome=o) for o, areas in ranked.items()]
    found = {
        "data_audit": pd.DataFrame([_row(sources, o, captured, a) for o, a in ranked.items()]),
        "coverage_by_decile": pd.concat(deciles, ignore_index=True),
        "capture_years": capture_years(captured),
        "image_rights": rights_table(locations[["provider", "licence"]], sources.rights),
    }
    for name, fields in AUDIT_FILES.items():
        found[name] = conform(found[name].assign(city=sources.city), fields)
        write(found[name], fields, folder / f"{name}.parquet")
    return _findings(found, sources.rights)


def _ranked(sources: AuditSources, outcome: str) -> pd.DataFrame:
    """`decile, msoa, is_ranked` of the outcome's areas with a label."""
    areas = sources.areas[sources.areas["outcome"] == outcome]
    predicted = sources.predictions.get(outcome)
    lsoas = predicted.table(columns=["area"])["area"] if predicted else []
    return areas.assign(is_ranked=areas["area"].isin(lsoas))


def _row(
    sources: AuditSources, outcome: str, captured: pd.Series, areas: pd.DataFrame
) -> dict[str, object]:
    """One row of `tables.DATA_AUDIT`."""
    about = OUTCOMES[outcome]
    period = about.period(sources.editions)
    after = years_after(captured, period.middle) if period else pd.Series(dtype="float64")
    ranked = areas[areas["is_ranked"]]
    return {
        "outcome": outcome,
        "is_modelled": about.modelled,
        "described_from": period and str(period.first),
        "described_to": period and str(period.last),
        "n_locations": len(captured),
        "n_dated": int(captured.notna().sum()),
        "years_after": after.median(),
        "years_apart": after.abs().median(),
        "n_lsoas": len(areas),
        "n_ranked": len(ranked),
        "share_ranked": areas["is_ranked"].mean() if len(areas) else None,
        "mean_decile_ranked": ranked["decile"].mean(),
        **coverage_trend(areas)._asdict(),
        "n_msoas": areas["msoa"].nunique(),
    }


def _findings(found: Mapping[str, pd.DataFrame], rights: Rights) -> Findings:
    audit = found["data_audit"]
    shown = {
        name: _records(table.drop(columns="city", errors="ignore")) for name, table in found.items()
    }
    return Findings(
        values={
            "n_locations": int(audit["n_locations"].iloc[0]),
            "n_dated": int(audit["n_dated"].iloc[0]),
            "n_outcomes_modelled": int(audit["is_modelled"].sum()),
        },
        checks=[
            inputs_available(),
            checks.rights_known(found["image_rights"], rights),
            checks.captured_near_labels(audit),
            checks.captured_together(audit, found["capture_years"]),
            checks.coverage_even(audit),
        ],
        tables=shown,
        holdings={"locations": int(found["image_rights"]["n_locations"].sum())},
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Scalar]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
