"""An acquisition done again from its recordings, without any network: is it the same to the bit?

Whoever doubts a city's images, or was given them with their recordings, asks this. Plan and images
are made again beside what is published, by the settings of today, and their files are compared.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb

from streetineq_assets.digests import digest_file
from streetineq_assets.errors import ImageryError, StudyError
from streetineq_assets.imagery.asking import Asking, replayed
from streetineq_assets.imagery.bucket_images import (
    BucketSources,
    read_bucket_sources,
    write_images,
)
from streetineq_assets.imagery.city_plan import PlanSources, read_plan_sources, write_plan
from streetineq_assets.imagery.tables import CAPTURES_TAR, RECORDING_FILE
from streetineq_assets.images.archives import read_members
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study, bucket_keys


class Repeated(NamedTuple):
    """What came of repeating one artefact.

    Attributes:
        label: such as `imagery[london/003]`.
        differing: names of the published files that came out otherwise.
    """

    label: str
    differing: tuple[str, ...]


def repeat_city(
    connection: duckdb.DuckDBPyConnection, store: DataStore, study: Study, city: str
) -> Iterator[Repeated]:
    """Make the plan and every fetched bucket of a city again, from their recordings.

    Raises:
        StudyError: the study does not acquire the city's images.
        StoreError: nothing was acquired, or what was is damaged.
        ImageryError: a recording has no answer to what is asked today, or a picture is not kept.
    """
    if study.imagery is None or not study.acquires(city):
        raise StudyError(f"the study does not acquire images of {city}: see [imagery]")
    of_plan = read_plan_sources(connection, store, study, city)
    plan = store.open("imagery_plan", city)
    yield _repeat(plan, study, lambda _: None, partial(_make_plan, of_plan))
    for key in bucket_keys(city, study.cities[city].buckets):
        manifest = store.manifest("imagery", key)
        if manifest is None or manifest.unavailable:
            continue
        sources = read_bucket_sources(store, study, study.imagery, key)
        artefact = store.open("imagery", key)
        yield _repeat(artefact, study, _pictures(artefact), partial(_make_bucket, sources))


def answer(store: DataStore, study: Study, city: str) -> Iterator[str]:
    """A line for each artefact of a city that was made again, and whether it is the same.

    Raises:
        ImageryError: one is not the same; and as `repeat_city`.
    """
    others = []
    with duckdb.connect() as connection:
        for label, differing in repeat_city(connection, store, study, city):
            yield f"{label}: {'the same to the bit' if not differing else 'differs'}"
            others += [f"{label} ({', '.join(differing)})"] if differing else []
    if others:
        raise ImageryError(
            f"made again from its recording, {'; '.join(others)} is not what is published: it was "
            "made by other settings, code or libraries, or changed since; materialise it again"
        )


def _make_plan(sources: PlanSources, asked: Asking, folder: Path) -> None:
    write_plan(sources, asked, folder, report=_quiet)


def _make_bucket(sources: BucketSources, asked: Asking, folder: Path) -> None:
    write_images(
        sources, asked.provider, asked.recording, folder, work=folder / "work", report=_quiet
    )


def _repeat(
    artefact: Artefact,
    study: Study,
    picture_of: Callable[[str], bytes | None],
    make: Callable[[Asking, Path], None],
) -> Repeated:
    manifest = artefact.manifest
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with replayed(study, artefact.file(RECORDING_FILE), picture_of, folder) as asked:
            make(asked, folder)
        compared = sorted(manifest.files.keys() - {RECORDING_FILE})
        differing = tuple(
            each for each in compared if digest_file(folder / each) != manifest.files[each].sha256
        )
    return Repeated(manifest.label, differing)


def _pictures(artefact: Artefact) -> Callable[[str], bytes | None]:
    """The pictures of a bucket by their sha256; None where they are not kept."""
    if CAPTURES_TAR not in artefact.manifest.files:
        return lambda _: None
    table = artefact.table(columns=["sha256", "member"]).dropna()
    members = dict(zip(table["sha256"], table["member"], strict=True))

    def picture_of(sha256: str) -> bytes | None:
        wanted = {members[sha256]} if sha256 in members else set()
        return next((data for _, data in read_members(artefact.file(CAPTURES_TAR), wanted)), None)

    return picture_of


def _quiet(_: str) -> None:
    """Progress of what asks nobody is not worth a line."""
