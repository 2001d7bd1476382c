"""What folds are made of, as it stands: labels, postcodes and locations under any settings.

Of a city several sets of folds are made, by scheme; most share its areas and where they lie, which
are read once.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.geography import area_centroids
from streetineq_assets.models.city_folds import (
    cities_of_folds,
    fold_areas,
    fold_locations,
    known_postcodes,
    with_authorities,
)
from streetineq_assets.settings import Folds
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study


class FoldSources:
    """Digests as `FoldSlices.digests` has them, each taken once.

    Args:
        labels: gives all rows of `lsoa_labels`, with `dataset.LABEL_COLUMNS` or more.
    """

    def __init__(self, store: DataStore, study: Study, labels: Callable[[], pd.DataFrame]) -> None:
        self._store, self._study, self._labels = store, study, labels
        self._located: dict[tuple, _Located] = {}
        self.digest = cache(self._digest)

    def _digest(self, folds: str, city: str, name: str) -> str:
        """Of one slice; empty where the folds do not read it.

        Args:
            folds: settings of the folds, as JSON.
            name: `labels`, `centroids` or `locations`.

        Raises:
            StoreError: an artefact is absent or damaged.
        """
        settings = Folds.model_validate_json(folds)
        study = self._study.model_copy(update={"folds": settings})
        if city not in study.cities:  # it left the study, and with it what its folds even out
            return ""
        if name == "locations":
            locations = fold_locations(self._store, study, city)
            return "" if locations is None else digest_frame(locations)
        located = self._of_areas(study, city)
        if name == "centroids":
            return located.centroids
        if settings.scheme == "district":
            return digest_frame(with_authorities(located.areas, located.postcodes))
        return digest_frame(located.areas)

    def _of_areas(self, study: Study, city: str) -> "_Located":
        """Shared by all settings under which the same cities are split by the same outcomes."""
        shared = (cities_of_folds(study, city), study.folds.stratify_by)
        if shared not in self._located:
            areas = fold_areas(self._labels(), study, city)
            known = known_postcodes(self._store, study, city, areas["area"])
            self._located[shared] = _Located(areas, known, digest_frame(area_centroids(known)))
        return self._located[shared]


class _Located(NamedTuple):
    """Areas, their postcodes, and the digest of their centroids."""

    areas: pd.DataFrame
    postcodes: pd.DataFrame
    centroids: str
