"""A bucket's images: what is planned of it, the fetching, and the files that are published."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from streetineq_assets.digests import digest_file, digest_frame
from streetineq_assets.findings import Findings, Unavailable, unavailable_findings
from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery import checks
from streetineq_assets.imagery.acquisition import (
    Capture,
    Fetched,
    fetch_captures,
    keep_earlier,
)
from streetineq_assets.imagery.exchange import GONE
from streetineq_assets.imagery.planning import PLANNED
from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.recording import Recording, picture_key
from streetineq_assets.imagery.tables import (
    CAPTURES_TAR,
    FETCHED,
    IMAGERY,
    MISSING,
    PLAN_CAPTURES,
    RECORDING_FILE,
    REJECTED,
    PlanRecord,
)
from streetineq_assets.images.archives import read_members
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, city_of
from streetineq_assets.tables import conform, empty, read, write

_SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp"}
_OF_PLAN = ["location_id", "view", "heading", "capture_id", "offset_deg", "metres"]


@dataclass(frozen=True)
class BucketSources:
    """What the fetching of a bucket reads.

    Attributes:
        rows: the planned views, of the schema `IMAGERY_PLAN`.
        captures: those that show them, of the schema `PLAN_CAPTURES`.
        why_not: why nothing is to be fetched, if so: there is no plan, or study.toml does not let
            as much be fetched as it is estimated at.
    """

    key: str
    rows: pd.DataFrame
    captures: pd.DataFrame
    why_not: Unavailable | None = None

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        return {
            "imagery_plan": digest_frame(self.rows[_OF_PLAN]),
            "captures": digest_frame(self.captures),
        }


def read_bucket_sources(
    store: DataStore, study: Study, settings: Imagery, key: str
) -> BucketSources:
    """Read what is planned of a bucket.

    What was fetched by the same plan stays allowed when the limit is lowered afterwards.

    Raises:
        StoreError: the city's plan is absent or damaged.
    """
    plan = store.open("imagery_plan", city_of(key))
    if plan.manifest.unavailable:
        nothing = plan.table().head(0), empty(PLAN_CAPTURES)
        return BucketSources(key, *nothing, plan.manifest.unavailable)
    rows = plan.table()
    rows = rows[(rows["bucket"] == key) & (rows["status"] == PLANNED)].reset_index(drop=True)
    captures = plan.table("captures.parquet")
    captures = captures[captures["capture_id"].isin(rows["capture_id"])].reset_index(drop=True)
    estimate = plan.manifest.read_record(PlanRecord).gigabytes
    sources = BucketSources(key, rows, captures)
    if estimate <= settings.most_gigabytes or _fetched_already(store, sources):
        return sources
    reason = (
        f"the plan of {study.cities[city_of(key)].title} is estimated at {estimate:.2g} GB, and "
        f"{settings.most_gigabytes:g} GB may be fetched: look at the plan"
    )
    why = Unavailable("most_gigabytes under [imagery] in study.toml", reason)
    return replace(sources, why_not=why)


def _fetched_already(store: DataStore, sources: BucketSources) -> bool:
    manifest = store.manifest("imagery", sources.key)
    return bool(
        manifest and not manifest.unavailable and manifest.recipe.inputs == sources.digests()
    )


def write_no_images(folder: Path, why: Unavailable) -> Findings:
    """Publish that nothing was fetched, and why."""
    write(empty(IMAGERY), IMAGERY, folder / "imagery.parquet")
    return unavailable_findings(why, checks.IMAGERY)


def write_images(
    sources: BucketSources,
    provider: Provider,
    recording: Recording,
    folder: Path,
    *,
    work: Path,
    report: Callable[[str], None],
) -> Findings:
    """Fetch what is planned, and write table, archive and recording.

    Args:
        work: holds pictures under their sha256, and outlives a kill.

    Raises:
        ImageryError: as `fetch_captures`; nothing is written then.
    """
    results = fetch_captures(
        captures_of(sources.captures), provider, recording, work, report=report
    )
    names = dict(_pack(results, work, folder / CAPTURES_TAR))
    rows = _rows(sources, results, names)
    write(rows, IMAGERY, folder / "imagery.parquet")
    recording.write(folder / RECORDING_FILE)
    findings = checks.fetch_findings(rows, {}, n_packed=len(names))
    # Of what stays where pictures are deleted; the table has the sha256 of each.
    parts = [digest_frame(rows), digest_file(folder / RECORDING_FILE)]
    findings.digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return findings


def captures_of(captures: pd.DataFrame) -> list[Capture]:
    """The captures of a frame, by id."""
    ordered = captures.sort_values("capture_id")
    return [Capture(*row) for row in ordered[["capture_id", "lat", "lon"]].itertuples(index=False)]


def carry_over(
    store: DataStore, key: str, captures: pd.DataFrame, recording: Recording, work: Path
) -> int:
    """Take pictures that the city's published artefacts have, so that none is fetched twice.

    An archive is looked into only where its table names one that is wanted.

    Returns:
        How many were taken.
    """
    work.mkdir(parents=True, exist_ok=True)
    wanted = {c.capture_id: c for c in captures_of(captures)}
    wanted = {name: c for name, c in wanted.items() if recording.get(picture_key(name)) is None}
    taken = 0
    for manifest in store.manifests("imagery", city_of(key)):
        if not wanted or CAPTURES_TAR not in manifest.files or store.damage(manifest, by_size=True):
            continue
        folder = store.path_of(manifest)
        table = read(folder / "imagery.parquet", ["capture_id", "member"])
        members = table.dropna().drop_duplicates("capture_id").set_index("member")["capture_id"]
        members = members[members.isin(list(wanted))]
        if members.empty or store.damage(manifest):
            continue
        for member, data in read_members(folder / CAPTURES_TAR, set(members.index)):
            if data is not None:
                keep_earlier(wanted.pop(members[member]), data, recording, work)
                taken += 1
    return taken


def _pack(results: Mapping[str, Fetched], work: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Write the archive in the order of ids, without any time; yields capture and its member."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for number, capture_id in enumerate(sorted(results)):
            digest = results[capture_id].sha256
            if digest is None:
                continue
            data = (work / digest).read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                continue  # the check of the archive tells
            suffix = next((end for head, end in _SUFFIXES.items() if data.startswith(head)), "")
            member = tarfile.TarInfo(f"{number:06d}{suffix}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
            yield capture_id, member.name


def _rows(
    sources: BucketSources, results: Mapping[str, Fetched], names: Mapping[str, str]
) -> pd.DataFrame:
    """A row for each planned view, in the order of locations and views."""
    of_capture = sources.captures.drop(columns="reason")
    rows = sources.rows[_OF_PLAN].merge(of_capture, on="capture_id", validate="many_to_one")
    found = [results[capture_id] for capture_id in rows["capture_id"]]
    reasons = [each.reason for each in found]
    statuses = [
        FETCHED if reason is None else MISSING if reason == GONE else REJECTED for reason in reasons
    ]
    rows = rows.assign(
        status=statuses,
        reason=pd.Series(reasons, dtype="str", index=rows.index),
        member=rows["capture_id"].map(names),
        size_bytes=pd.Series([each.size_bytes for each in found], dtype="Int64", index=rows.index),
        sha256=pd.Series([each.sha256 for each in found], dtype="str", index=rows.index),
    )
    return conform(rows.sort_values(["location_id", "view"]), IMAGERY)
