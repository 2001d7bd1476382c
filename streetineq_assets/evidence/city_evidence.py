"""One city: from the scores under every scheme to the files of `evidence_matrix`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.evidence import checks, plots
from streetineq_assets.evidence.matrix import Evidence, build_evidence
from streetineq_assets.evidence.scheme_scoring import ASSET as SCHEME_SCORES
from streetineq_assets.evidence.tables import EVIDENCE_MATRIX, FLATTERY, GAINS, SchemeRecord
from streetineq_assets.findings import AVAILABLE, Findings, Unavailable, unavailable_findings
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.bundles.provenance import stale_of_city
from streetineq_assets.models.dataset import city_labels
from streetineq_assets.models.folds import FoldTable, scheme_note
from streetineq_assets.settings import SchemeName
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import empty, write

ASSET = "evidence_matrix"
FILES = {ASSET: EVIDENCE_MATRIX, "gains": GAINS, "flattery": FLATTERY}


@dataclass(frozen=True)
class CitySources:
    """What a city's matrix reads.

    Attributes:
        scored: scheme to its published scores.
        reasons: of each scheme of the study without scores, why.
        labels: `area, outcome, decile` of the city's outcomes.
        centroids: `models.tables.CENTROIDS` of its areas.
    """

    study: Study
    city: str
    scored: Mapping[SchemeName, Artefact]
    reasons: tuple[str, ...]
    labels: pd.DataFrame
    centroids: pd.DataFrame

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        found = {f"{SCHEME_SCORES}/{name}": each.digest for name, each in self.scored.items()}
        centroids = digest_frame(self.centroids)
        return found | {"labels": digest_frame(self.labels), "centroids": centroids}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Of all schemes in one table."""
        return pd.concat([each.table() for each in self.scored.values()], ignore_index=True)


def read_city_sources(store: DataStore, study: Study, city: str) -> CitySources:
    """Open what is published; a scheme without scores of today's labels is left out and named.

    Raises:
        StoreError: labels or folds are absent, or an artefact's files are damaged.
    """
    scored: dict[SchemeName, Artefact] = {}
    reasons = []
    for scheme in study.schemes:
        manifest = store.manifest(SCHEME_SCORES, f"{city}/{scheme}")
        if manifest is None:
            reasons.append(f"{scheme} is not scored: materialise {SCHEME_SCORES}[{city}/{scheme}]")
        elif manifest.unavailable:
            reasons.append(f"{scheme}: {manifest.unavailable}")
        elif stale := _stale(store, manifest, scheme):
            reasons.append(f"{scheme}: {stale}: materialise {manifest.label} again")
        else:
            scored[scheme] = store.open(SCHEME_SCORES, f"{city}/{scheme}")
    return CitySources(
        study=study,
        city=city,
        scored=scored,
        reasons=tuple(reasons),
        labels=city_labels(store.open("lsoa_labels"), city, study.cities[city].outcomes),
        centroids=store.open("area_folds", city).table("centroids.parquet"),
    )


def _stale(store: DataStore, scored: Manifest, scheme: str) -> str | None:
    """What to say of scores by networks that learned from other labels than stand now."""
    return stale_of_city(store, scored, scheme, scored.read_record(SchemeRecord).outcomes)


def write_evidence(sources: CitySources, folder: Path) -> Findings:
    """Compare all models under all schemes, and write tables and plots."""
    if not sources.scored:
        return _write_nothing(sources, folder)
    own = own_scheme(sources.study)
    evidence = build_evidence(
        sources.scores,
        sources.labels,
        sources.centroids,
        own_scheme=own,
        seed=sources.study.seed,
    )
    for name, fields in FILES.items():
        write(_named(evidence)[name], fields, folder / f"{name}.parquet")
    if len(evidence.matrix):
        plots.plot_matrix(evidence.matrix, folder / "evidence_matrix.png", subject=sources.city)
    plots.plot_fold_maps(_fold_maps(sources), folder / "folds.png", subject=sources.city)
    return _findings(sources, evidence, own)


def own_scheme(study: Study) -> str:
    """The scheme of the matrix by which the study's own networks are tested."""
    if study.folds.scheme == "area" and study.folds.buffer_m > 0:
        return "buffered_area"
    return study.folds.scheme


def _named(evidence: Evidence) -> dict[str, pd.DataFrame]:
    return {ASSET: evidence.matrix, "gains": evidence.gains, "flattery": evidence.flattery}


def _write_nothing(sources: CitySources, folder: Path) -> Findings:
    for name, fields in FILES.items():
        write(empty(fields), fields, folder / f"{name}.parquet")
    why = Unavailable(f"{SCHEME_SCORES} of {sources.city}", "; ".join(sources.reasons))
    return unavailable_findings(why, checks.EVIDENCE_MATRIX)


def _fold_maps(sources: CitySources) -> dict[str, pd.DataFrame]:
    """Scheme to `easting_m, northing_m, fold` of the city's areas."""
    maps = {}
    for scheme, artefact in sources.scored.items():
        table = FoldTable.load(artefact)
        if table is not None and table.locations is None:
            maps[scheme] = sources.centroids.merge(table.areas, on="area")
    return maps


def _left_out(scores: pd.DataFrame, matrix: pd.DataFrame) -> dict[str, str]:
    """A note of the areas that some model did not score under some scheme, if there are any."""
    compared = matrix.drop_duplicates("outcome").set_index("outcome")["n_lsoas"]
    n_areas = scores.groupby("outcome")["area"].nunique()
    lacking = n_areas - compared.reindex(n_areas.index, fill_value=0)
    said = [f"{outcome} {n} of {n_areas[outcome]}" for outcome, n in lacking.items() if n > 0]
    if not said:
        return {}
    about = "Areas without a score of some model under some scheme, or without a label"
    return {"areas_left_out": f"{about}, are left out: {', '.join(said)}."}


def _findings(sources: CitySources, evidence: Evidence, own: str) -> Findings:
    note = scheme_note(sources.scored)
    matrix = evidence.matrix
    shown = matrix[matrix["metric"] == plots.METRIC].drop(columns=["city", "metric"])
    return Findings(
        values={
            "n_schemes": len(sources.scored),
            "n_outcomes": int(matrix["outcome"].nunique()),
            "own_scheme": own,
        },
        checks=[
            AVAILABLE.result(True, f"scores under {', '.join(sources.scored)}"),
            checks.all_schemes(list(sources.scored), sources.study.schemes, sources.reasons),
            checks.beats_the_map(evidence.gains),
            checks.not_flattered(evidence.flattery, own),
        ],
        tables={"spearman": shown.astype(object).to_dict("records")},
        notes=({"leak": note} if note else {}) | _left_out(sources.scores, matrix),
        holdings={f"scheme {each}": int(each in sources.scored) for each in sources.study.schemes},
    )
