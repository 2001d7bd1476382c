"""Slices of published artefacts as they stand, which several artefacts read; each is taken once."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import duckdb

from streetineq_assets.digests import digest_frame
from streetineq_assets.images.changes import slice_digests
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.availability import pair_unavailable
from streetineq_assets.models.city_folds import read_fold_slices
from streetineq_assets.models.dataset import city_labels, read_location_areas
from streetineq_assets.predictions.location_scores import (
    matched_locations,
)
from streetineq_assets.settings import Folds
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

Key = tuple[str, str | None]  # asset and partition
LABELS: Key = ("lsoa_labels", None)
POSTCODES: Key = ("postcode_lsoa", None)


class Slice(NamedTuple):
    """A part of a published artefact.

    Attributes:
        of: the artefacts that are read for it; the first is the one that it is a part of.
        digest: takes the slice, where all of them are published.
    """

    of: tuple[Key, ...]
    digest: Callable[[], str]


Slices = dict[str, Slice]


class Standing:
    """A study's slices as they stand.

    Raises:
        StoreError: `Slice.digest`, where the files of an artefact do not match its manifest.
    """

    def __init__(self, store: DataStore, study: Study) -> None:
        self.store = store
        self.study = study
        self._areas_of = cache(lambda city: digest_frame(read_location_areas(store, city)))
        self._weights_of = cache(lambda city: digest_frame(matched_locations(store, city)))
        self._labels_of = cache(self._digest_of_labels)
        self.listed_in = cache(lambda city: _listed_in_buckets(store, city))

    def areas_of_cities(self) -> str:
        """Digest of which areas the postcode directory gives each city."""
        table = self.store.open(*POSTCODES).file("postcode_lsoa.parquet")
        with duckdb.connect() as connection:
            return digest_frame(city_areas(connection, table))

    def whole(self, key: Key) -> Slice:
        """An artefact as a whole."""

        def digest() -> str:
            manifest = self.store.manifest(*key)
            return manifest.digest if manifest else ""

        return Slice((key,), digest)

    def labels(self, city: str, outcomes: tuple[str, ...], *, alone: bool = False) -> Slice:
        """Labels of a city: of several outcomes, or of one alone."""
        return Slice((LABELS,), lambda: self._labels_of(city, outcomes, alone))

    def _digest_of_labels(self, city: str, outcomes: tuple[str, ...], alone: bool) -> str:
        """Of several outcomes, or of one alone, which is not named in every row."""
        table = city_labels(self.store.open(*LABELS), city, outcomes)
        return digest_frame(table[["lsoa11", "decile"]] if alone else table)

    def location_areas(self, city: str) -> Slice:
        """In which areas the locations of a city lie."""
        return Slice((("locations", city),), lambda: self._areas_of(city))

    def weights(self, city: str) -> Slice:
        """The same with the weights of the locations."""
        return Slice((("locations", city),), lambda: self._weights_of(city))

    def unavailable(self, pair: Pair) -> Slice:
        """Why a pair cannot be trained, if it cannot."""

        def digest() -> str:
            why = pair_unavailable(self.store, self.study, pair)
            return f"{why.wanted}: {why.reason}" if why else ""

        city = pair.city
        return Slice((LABELS, ("area_folds", city), ("hdf5_shards", city)), digest)

    def outcomes(self, manifest: Manifest) -> tuple[str, ...]:
        """What was trained together: all that the recipe names, else the pair's own."""
        of_networks: Any = manifest
        if manifest.asset == "baseline_scores":  # their own recipe does not name them
            of_networks = self.store.manifest("trained_model", manifest.partition) or manifest
        own = str(manifest.partition).partition("/")[2]
        return tuple(of_networks.recipe.config.get("outcomes", (own,)))

    def fold_slices(self, manifest: Manifest, city: str, names: set[str]) -> Slices:
        """What folds are made of, by the settings that a recipe recorded; those of these names."""
        made_with = manifest.recipe.config.get("folds", {})
        study = self.study.model_copy(update={"folds": Folds.model_validate(made_with)})

        @cache
        def digests() -> dict[str, str]:
            if city not in study.cities:  # it left the study, and with it what its folds even out
                return {}
            return read_fold_slices(self.store, study, city).digests()

        of = {"labels": LABELS, "centroids": POSTCODES, "locations": ("locations", city)}
        read = [of[name] for name in of if name in names]
        return {
            name: Slice((key, *read), lambda name=name: digests().get(name, ""))
            for name, key in of.items()
        }


def _listed_in_buckets(store: DataStore, city: str) -> dict[str, str]:
    """Digest of what is listed now in each bucket that was encoded."""
    encoded = [str(manifest.partition) for manifest in store.manifests("image_codes", city)]
    return slice_digests(store.open("street_images", city).table(), encoded)
