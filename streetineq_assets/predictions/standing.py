"""Slices of published artefacts as they stand, which several artefacts read; each is taken once."""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from streetineq_assets.codes.city_repeats import read_positions
from streetineq_assets.codes.shown_pictures import read_licences
from streetineq_assets.digests import RowDigests, digest_frame
from streetineq_assets.images.changes import slice_digests
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.availability import pair_unavailable
from streetineq_assets.models.dataset import LABEL_COLUMNS, read_location_areas
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.predictions.location_scores import (
    matched_locations,
    tested_by,
)
from streetineq_assets.predictions.places import read_places
from streetineq_assets.predictions.standing_folds import FoldSources
from streetineq_assets.predictions.standing_labels import CityLabels
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study, bucket_keys, city_of

Key = tuple[str, str | None]  # asset and partition
LABELS: Key = ("lsoa_labels", None)
POSTCODES: Key = ("postcode_lsoa", None)

# Digest of each part that this process took, by its name and the content of what it was taken of.
_TAKEN: dict[Hashable, str] = {}
_MOST_TAKEN = 100_000


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
        self._content = cache(self._digest_of_files)
        self._labels_in = cache(self._labels_of_city)
        self._folds = FoldSources(store, study, lambda: self._label_table)
        self._listed_in = cache(self._listed_in_city)
        self._centroids_in = cache(lambda city: _Centroids(store, city))

    def part(self, of: tuple[Key, ...], name: Hashable, take: Callable[[], str]) -> Slice:
        """A part of published artefacts. As long as their files stay, a process takes it once.

        Args:
            of: all that is read for it; verified whenever the digest is asked for.
            name: tells it from the other parts of these files, in whichever study.
            take: its digest, of what stands now.
        """
        return Slice(of, lambda: self._taken(of, name, take))

    def _taken(self, of: tuple[Key, ...], name: Hashable, take: Callable[[], str]) -> str:
        key = (name, *map(self._content, of))
        taken = _TAKEN.get(key)
        if taken is None:
            if len(_TAKEN) >= _MOST_TAKEN:
                _TAKEN.clear()
            taken = _TAKEN[key] = take()
        return taken

    def _digest_of_files(self, key: Key) -> str:
        files = self.store.open(*key).manifest.files
        content = sorted((name, entry.sha256) for name, entry in files.items())
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def whole(self, key: Key) -> Slice:
        """An artefact as a whole."""

        def digest() -> str:
            manifest = self.store.manifest(*key)
            return manifest.digest if manifest else ""

        return Slice((key,), digest)

    # -- of labels and postcodes -------------------------------------------------------------------

    def areas_of_cities(self) -> Slice:
        """Which areas the postcode directory gives each city."""

        def digest() -> str:
            table = self.store.open(*POSTCODES).file("postcode_lsoa.parquet")
            with duckdb.connect() as connection:
                return digest_frame(city_areas(connection, table))

        return self.part((POSTCODES,), "areas of cities", digest)

    def places(self, city: str) -> Slice:
        """The MSOAs and local authorities of a city's areas."""
        take = lambda: digest_frame(read_places(self.store, city))  # noqa: E731
        return self.part((POSTCODES,), ("places", city), take)

    def labels(self, city: str, outcomes: tuple[str, ...]) -> Slice:
        """Labels of several outcomes of a city, which name their outcome."""
        take = lambda: self._labels_in(city).trained_on(outcomes)  # noqa: E731
        return self.part((LABELS,), ("labels", city, outcomes), take)

    def labels_alone(self, pair: Pair) -> Slice:
        """The same of one outcome, which do not name it."""
        take = lambda: self._labels_in(pair.city).compared_with(pair.outcome)  # noqa: E731
        return self.part((LABELS,), ("labels alone", pair), take)

    def labels_of(self, pair: Pair) -> Slice:
        """Labels of a pair, for all of its areas."""
        take = lambda: self._labels_in(pair.city).of_pair(pair.outcome)  # noqa: E731
        return self.part((LABELS,), ("labels of pair", pair), take)

    def values_of(self, pair: Pair) -> Slice:
        """Labels of a pair with the official values, for areas that have both."""
        take = lambda: self._labels_in(pair.city).values_of_pair(pair.outcome)  # noqa: E731
        return self.part((LABELS,), ("values of pair", pair), take)

    def n_labelled(self, pair: Pair) -> Slice:
        """How many areas of a pair have a label."""
        take = lambda: str(self._labels_in(pair.city).n_labelled(pair.outcome))  # noqa: E731
        return self.part((LABELS,), ("number of labels", pair), take)

    @cached_property
    def _label_table(self) -> pd.DataFrame:
        """All labels, with the columns that one step or another reads."""
        return self.store.open(*LABELS).table(columns=[*LABEL_COLUMNS, "value"])

    @cached_property
    def _labels_by_city(self) -> dict[str, pd.DataFrame]:
        return {str(city): rows for city, rows in self._label_table.groupby("city", sort=False)}

    def _labels_of_city(self, city: str) -> CityLabels:
        return CityLabels(self._labels_by_city.get(city, self._label_table.iloc[:0]), city)

    # -- of a city's images and folds --------------------------------------------------------------

    def listed_in(self, bucket: str) -> Slice:
        """What is listed of a bucket, of today's number of them or of before."""
        city = city_of(bucket)
        take = lambda: self._listed_in(city)[bucket]  # noqa: E731
        return self.part((("street_images", city),), ("listed", bucket), take)

    def _listed_in_city(self, city: str) -> dict[str, str]:
        """Digest of what is listed in each bucket that the city has or that was encoded."""
        known = {str(each.partition) for each in self.store.manifests("image_codes", city)}
        if city in self.study.cities:
            known.update(bucket_keys(city, self.study.cities[city].buckets))
        return slice_digests(self.store.open("street_images", city).table(), known)

    def location_ids(self, city: str) -> Slice:
        """The locations of a city."""

        def digest() -> str:
            return digest_frame(self.store.open("locations", city).table(columns=["location_id"]))

        return self._of_locations(city, "ids", digest)

    def positions(self, city: str) -> Slice:
        """Where the locations of a city lie, and in which areas."""
        take = lambda: digest_frame(read_positions(self.store, city))  # noqa: E731
        return self._of_locations(city, "positions", take)

    def location_areas(self, city: str) -> Slice:
        """In which areas the locations of a city lie."""
        take = lambda: digest_frame(read_location_areas(self.store, city))  # noqa: E731
        return self._of_locations(city, "areas", take)

    def weights(self, city: str) -> Slice:
        """The same with the weights of the locations."""
        take = lambda: digest_frame(matched_locations(self.store, city))  # noqa: E731
        return self._of_locations(city, "weights", take)

    def licences(self, city: str) -> Slice:
        """Providers, licences and creators of the locations of a city."""
        take = lambda: digest_frame(read_licences(self.store, city))  # noqa: E731
        return self._of_locations(city, "licences", take)

    def _of_locations(self, city: str, name: str, take: Callable[[], str]) -> Slice:
        return self.part((("locations", city),), (name, "of locations"), take)

    def tested(self, city: str) -> Slice:
        """Which fold tests which area or location of a city."""
        of: Key = ("area_folds", city)
        take = lambda: digest_frame(tested_by(FoldTable.load(self.store.open(*of))))  # noqa: E731
        return self.part((of,), "tested", take)

    def centroids(self, city: str) -> Slice:
        """The centroids of a city's areas."""
        take = lambda: self._centroids_in(city).digest()  # noqa: E731
        return self.part((("area_folds", city),), "centroids", take)

    def centroids_of(self, pair: Pair) -> Slice:
        """The centroids of the areas that a pair predicts."""
        predicted: Key = ("lsoa_predictions", pair.key)

        def digest() -> str:
            areas = self.store.open(*predicted).table(columns=["area"])["area"]
            return self._centroids_in(pair.city).digest(areas)

        return self.part((("area_folds", pair.city), predicted), "centroids of areas", digest)

    def fold_slices(self, manifest: Manifest, city: str, names: set[str]) -> Slices:
        """What folds are made of, by the settings that a recipe recorded; those of these names."""
        made_with = json.dumps(manifest.recipe.config.get("folds", {}), sort_keys=True)
        of = {"labels": LABELS, "centroids": POSTCODES, "locations": ("locations", city)}
        outcomes = tuple((key, each.outcomes) for key, each in self.study.cities.items())
        # All three are read together where they are made.
        read = tuple(of[each] for each in of if each in names)
        return {
            name: self.part(
                (key, *read),
                ("of folds", name, made_with, city, outcomes),
                partial(self._folds.digest, made_with, city, name),
            )
            for name, key in of.items()
        }

    # -- of networks -------------------------------------------------------------------------------

    def unavailable(self, pair: Pair) -> Slice:
        """Why a pair cannot be trained, if it cannot: other cities may have a part in it."""

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


class _Centroids:
    """The centroids of a city's areas, and of some of them."""

    def __init__(self, store: DataStore, city: str) -> None:
        table = store.open("area_folds", city).table("centroids.parquet")
        self._lsoas, self._digests = table["area"], RowDigests(table)

    def digest(self, lsoas: Iterable[str] | None = None) -> str:
        """Of those of these areas, in the table's order; by default of all."""
        if lsoas is None:
            return self._digests.of(slice(None))
        return self._digests.of(self._lsoas.isin(set(lsoas)).to_numpy())
