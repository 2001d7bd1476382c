"""What of a study is out of date, and which job would make it again.

An artefact is out of date where it is not there, or was made of other slices than stand before it
now: `predictions.lineage` compares their digests, so what a change does not touch is left alone.
Images are compared by their files' names, sizes and times. Official files are not looked at: the
schedule `weekly_labels` reads them. Settings are no news: who edits study.toml runs what it needs.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from streetineq_assets.codes.reuse import is_changed
from streetineq_assets.glance import Glance
from streetineq_assets.images.changes import changed_listing
from streetineq_assets.images.location_list import location_list_file
from streetineq_assets.predictions.lineage import Lineage, label_of
from streetineq_assets.reports.pack import material
from streetineq_assets.reports.provenance import artefacts
from streetineq_assets.reports.tables import warehouse_views
from streetineq_assets.reports.warehouse import digests as digests_of_views
from streetineq_assets.stages import (
    CODES,
    JOINT_EVALUATION,
    JOINT_TRAINING,
    LABELS,
    LISTING,
    OF_CITIES,
    REPORT,
    Stage,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, city_of

# What reads all that there is of another asset, and names each in its recipe by `<asset>/<key>`.
_READS_ALL = {"data_audit": "lsoa_predictions", "evidence_matrix": "scheme_scores"}


class Work(NamedTuple):
    """A run that would bring something up to date.

    Attributes:
        stage: the job.
        key: its partition; None for a job without partitions.
        why: the first thing that is out of date, in words.
        state: digest of what stands before it, the same until that changes.
    """

    stage: Stage
    key: str | None
    why: str
    state: str


class OutOfDate:
    """A study's work, looked at once."""

    def __init__(self, store: DataStore, study: Study) -> None:
        self._store, self._study = Glance(store.root), study
        self._lineage = Lineage(self._store, study)
        self._state = cache(self._digest_of_stages_before)

    def labels(self) -> tuple[Work, ...]:
        """Labels that were never made, or of other postcodes than stand now.

        Raises:
            StoreError: the files of an artefact do not match its manifest.
        """
        return tuple(self._by_lineage(LABELS, None))

    def report(self) -> tuple[Work, ...]:
        """The report, the pack and the warehouse, where one shows something else than there is."""
        store, study = self._store, self._study
        views = warehouse_views(acquires=study.imagery is not None)
        read = {
            "inequality_report": artefacts(store, study),
            "evidence_pack": material.digests(store, study),
            "warehouse": digests_of_views(store, study, views),
        }
        for asset, now in read.items():
            manifest = store.manifest(asset)
            recorded = manifest.recipe.inputs if manifest else {}
            changed = {name for name in now if recorded.get(name) != now[name]}
            # Its other inputs, such as boundaries, are no artefacts.
            changed |= {name for name in recorded if "/" in name and name not in now}
            if now and changed:
                why = f"{asset} shows another {min(changed)} than stands"
                state = _sha256([asset, *(f"{name}={now[name]}" for name in sorted(now))])
                return (Work(REPORT, None, why, state),)
        return ()

    def next_of_city(self, city: str) -> tuple[Work, ...]:
        """What is to be done for a city next: the work of its first stage that has any.

        Later stages are not looked at: they need what that one makes.

        Raises:
            StreetineqError: the city's files or artefacts cannot be read.
        """
        if not location_list_file(self._store, city).is_file():
            return ()
        return next(filter(None, (tuple(self._of_stage(s, city)) for s in OF_CITIES)), ())

    def _of_stage(self, stage: Stage, city: str) -> Iterator[Work]:
        if stage is LISTING and (changed := changed_listing(self._store, city)):
            yield Work(stage, city, "its files are not those that were listed", changed)
            return
        if stage is CODES:
            yield from self._buckets(city)
            return
        for key in stage.keys(self._study, city):
            yield from self._by_lineage(stage, key)

    def _buckets(self, city: str) -> Iterator[Work]:
        for key in CODES.keys(self._study, city):
            listed = self._lineage.standing.listed_in(key).digest()
            if is_changed(self._store.manifest("image_codes", key), listed):
                yield Work(CODES, key, "its images are not those that were encoded", listed)

    def _by_lineage(self, stage: Stage, key: str | None) -> Iterator[Work]:
        """One run at most: of the first asset of the stage that is absent or of something else."""
        for asset in stage.assets:
            if why := self._why(stage, asset, key):
                city = city_of(key) if key else None
                yield Work(stage, key, why, self._state(stage, city))
                return

    def _why(self, stage: Stage, asset: str, key: str | None) -> str | None:
        label, manifest = label_of((asset, key)), self._store.manifest(asset, key)
        if manifest is None:
            return f"{label} is not there" if self._is_wanted(stage) else None
        of_own = [d for d in self._lineage.disagreements(asset, key) if d.label == label]
        if of_own:
            return str(of_own[0])
        if other := _READS_ALL.get(asset):
            for each in self._store.manifests(other, str(key)):
                name = f"{other}/{str(each.partition).partition('/')[2]}"
                if not each.unavailable and name not in manifest.recipe.inputs:
                    return f"{label} was made without {each.label}"
        return None

    def _is_wanted(self, stage: Stage) -> bool:
        """Whether what was never made is to be made."""
        if stage in (JOINT_TRAINING, JOINT_EVALUATION):
            return self._study.training.joint
        return not stage.is_optional

    def _digest_of_stages_before(self, stage: Stage, city: str | None) -> str:
        """Of the labels and of a city's artefacts; of nothing where the stage is of no city."""
        if city is None:
            return ""
        before = OF_CITIES[: OF_CITIES.index(stage)]
        keys: list[tuple[str, str | None]] = [(asset, None) for asset in LABELS.assets]
        keys += [(a, k) for s in before for a in s.assets for k in s.keys(self._study, city)]
        found = {label_of(each): self._store.manifest(*each) for each in keys}
        return _sha256([f"{label}={m.digest}" for label, m in found.items() if m])


def _sha256(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
