"""What the artefacts of the chain read of each other, as it stands today.

A recipe names every slice that was read, and keeps its digest. Here, under the same names, is how
to take each slice again of what is published now: what the assets do when they are made. Inputs
that the platform does not publish, such as images and official files, are left out.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import duckdb

from streetineq_assets.codes.city_repeats import read_positions
from streetineq_assets.digests import digest_frame
from streetineq_assets.images.changes import slice_digests
from streetineq_assets.labels.postcodes import city_areas
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.availability import pair_unavailable
from streetineq_assets.models.city_folds import read_fold_slices
from streetineq_assets.models.dataset import city_labels, read_location_areas
from streetineq_assets.models.folds import FoldTable
from streetineq_assets.predictions.location_scores import (
    labelled_areas,
    matched_locations,
    pair_labels,
    tested_by,
)
from streetineq_assets.predictions.places import pair_values, read_places
from streetineq_assets.settings import Folds
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study

Key = tuple[str, str | None]  # asset and partition
LABELS: Key = ("lsoa_labels", None)
_POSTCODES: Key = ("postcode_lsoa", None)
_FOLD = "fold_"  # before the names of what folds are made of, in the recipe of `scheme_scores`
_PREDICTIONS = ("location_predictions", "lsoa_predictions", "lsoa_evaluation")


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
    """A study's slices as they stand, by the artefact that reads them; each is taken once.

    Raises:
        StoreError: `Slice.digest`, where the files of an artefact do not match its manifest.
    """

    def __init__(self, store: DataStore, study: Study) -> None:
        self.store = store
        self.study = study
        self._areas_of = cache(lambda city: digest_frame(read_location_areas(store, city)))
        self._weights_of = cache(lambda city: digest_frame(matched_locations(store, city)))
        self._labels_of = cache(self._digest_of_labels)
        self._listed_in = cache(lambda city: _listed_in_buckets(store, city))
        self._read_by: dict[str, Callable[[Manifest], Slices]] = {
            "lsoa_labels": lambda _: {"areas": Slice((_POSTCODES,), self._areas_of_cities)},
            "locations": lambda _: {"postcode_lsoa": self._whole(_POSTCODES)},
            "image_codes": self._by_codes,
            "hdf5_shards": self._by_shards,
            "image_repeats": self._by_repeats,
            "area_folds": self._by_folds,
            "joint_evaluation": self._by_joint_evaluation,
            "scheme_scores": self._by_scheme,
            "evidence_matrix": self._by_evidence,
            "transfer_report": self._by_transfer_report,
            "equity_audit": self._by_equity_audit,
            "data_audit": self._by_data_audit,
        }
        of_networks = ("trained_model", "joint_model", "baseline_scores", "fine_tuned_model")
        self._read_by |= dict.fromkeys(of_networks, self._by_networks)
        self._read_by |= dict.fromkeys(_PREDICTIONS, self._by_predictions)

    def read_by(self, manifest: Manifest) -> Slices:
        """The slices that an artefact reads, by their names in its recipe."""
        read = self._read_by.get(manifest.asset)
        return read(manifest) if read else {}

    def _areas_of_cities(self) -> str:
        table = self.store.open(*_POSTCODES).file("postcode_lsoa.parquet")
        with duckdb.connect() as connection:
            return digest_frame(city_areas(connection, table))

    def _by_codes(self, manifest: Manifest) -> Slices:
        bucket = str(manifest.partition)
        city = city_of(bucket)
        listing: Key = ("street_images", city)
        return {"street_images": Slice((listing,), lambda: self._listed_in(city)[bucket])}

    def _by_shards(self, manifest: Manifest) -> Slices:
        city = str(manifest.partition)

        def ids() -> str:
            return digest_frame(self.store.open("locations", city).table(columns=["location_id"]))

        buckets = [name for name in manifest.recipe.inputs if name.startswith(f"{city}/")]
        slices = {name: self._whole(("image_codes", name)) for name in buckets}
        return slices | {"location_ids": Slice((("locations", city),), ids)}

    def _by_repeats(self, manifest: Manifest) -> Slices:
        city = str(manifest.partition)
        buckets = [name for name in manifest.recipe.inputs if name.startswith(f"{city}/")]
        slices = {name: self._whole(("image_codes", name)) for name in buckets}

        def positions() -> str:
            return digest_frame(read_positions(self.store, city))

        return slices | {
            "hdf5_shards": self._whole(("hdf5_shards", city)),
            "positions": Slice((("locations", city),), positions),
        }

    def _by_folds(self, manifest: Manifest) -> Slices:
        """The mean deciles are those of the study's outcomes, which the recipe does not name."""
        return self._fold_slices(manifest, str(manifest.partition), set(manifest.recipe.inputs))

    def _fold_slices(self, manifest: Manifest, city: str, names: set[str]) -> Slices:
        """What folds are made of, by the settings that a recipe recorded; those of these names."""
        made_with = manifest.recipe.config.get("folds", {})
        study = self.study.model_copy(update={"folds": Folds.model_validate(made_with)})

        @cache
        def digests() -> dict[str, str]:
            return read_fold_slices(self.store, study, city).digests()

        of = {"labels": LABELS, "centroids": _POSTCODES, "locations": ("locations", city)}
        read = [of[name] for name in of if name in names]
        return {
            name: Slice((key, *read), lambda name=name: digests().get(name, ""))
            for name, key in of.items()
        }

    def _by_networks(self, manifest: Manifest) -> Slices:
        """Of one city or, under folds by city, of several; of a pair's own or joint networks."""
        partition, inputs = str(manifest.partition), manifest.recipe.inputs
        outcomes = self._outcomes(manifest)
        slices: Slices = {}
        for city in {name.partition("/")[0] for name in inputs if "/" in name}:
            slices |= {
                f"{city}/labels": self._labels(city, outcomes),
                f"{city}/locations": self._areas(city),
                f"{city}/hdf5_shards": self._whole(("hdf5_shards", city)),
                f"{city}/area_folds": self._whole(("area_folds", city)),
                f"{city}/image_repeats": self._whole(("image_repeats", city)),
            }
        slices["joint_model"] = self._whole(("joint_model", city_of(partition)))
        slices["trained_model"] = self._whole(("trained_model", partition))
        slices["weights"] = self._weights(city_of(partition))
        source = manifest.recipe.config.get("source")
        if source in self.study.cities:  # else a bundle, which is a file
            slices["source"] = self._whole(("trained_model", f"{source}/{outcomes[0]}"))
        if manifest.asset == "trained_model":
            slices["unavailable"] = self._unavailable(Pair.parse(partition))
        return slices

    def _by_predictions(self, manifest: Manifest) -> Slices:
        key, pair = str(manifest.partition), Pair.parse(str(manifest.partition))
        folds: Key = ("area_folds", pair.city)

        def tested() -> str:
            return digest_frame(tested_by(FoldTable.load(self.store.open(*folds))))

        def n_labelled() -> str:
            return str(int(pair_labels(self.store, pair)["decile"].notna().sum()))

        def centroids() -> str:
            areas = self.store.open("lsoa_predictions", key).table(columns=["lsoa11"])["lsoa11"]
            table = self.store.open(*folds).table("centroids.parquet")
            return digest_frame(table[table["lsoa11"].isin(set(areas))].reset_index(drop=True))

        read = ("trained_model", "baseline_scores", *_PREDICTIONS)
        return {name: self._whole((name, key)) for name in read} | {
            "locations": self._weights(pair.city),
            "labels": Slice((LABELS,), lambda: digest_frame(pair_labels(self.store, pair))),
            "area_folds": Slice((folds,), tested),
            "n_lsoas_of_city": Slice((LABELS,), n_labelled),
            "positions": Slice((folds, ("lsoa_predictions", key)), centroids),
        }

    def _by_joint_evaluation(self, manifest: Manifest) -> Slices:
        """Without the evaluations of the separate networks, of which no row of its table is."""
        city = str(manifest.partition)
        slices = {name: self._whole((name, city)) for name in ("joint_model", "area_folds")}
        slices["locations"] = self._weights(city)
        labels = [name for name in manifest.recipe.inputs if name.startswith("labels/")]
        for name in labels:
            outcome = name.removeprefix("labels/")
            slices[name] = self._labels(city, (outcome,), alone=True)
        return slices

    def _by_scheme(self, manifest: Manifest) -> Slices:
        """Joint networks and baselines of one city, on folds that are made for them."""
        city = city_of(str(manifest.partition))
        prefixed = {name for name in manifest.recipe.inputs if name.startswith(_FOLD)}
        of_folds = self._fold_slices(manifest, city, {n.removeprefix(_FOLD) for n in prefixed})
        slices = self._by_networks(manifest)
        slices["weights"] = self._weights(city)
        return slices | {f"{_FOLD}{name}": each for name, each in of_folds.items()}

    def _by_evidence(self, manifest: Manifest) -> Slices:
        """Scores of all schemes, and what they are compared with."""
        city = str(manifest.partition)
        folds: Key = ("area_folds", city)
        names = [name for name in manifest.recipe.inputs if name.startswith("scheme_scores/")]
        slices = {
            name: self._whole(("scheme_scores", f"{city}/{name.partition('/')[2]}"))
            for name in names
        }
        slices["labels"] = self._labels(city, self.study.cities[city].outcomes)
        slices["centroids"] = Slice(
            (folds,),
            lambda: digest_frame(self.store.open(*folds).table("centroids.parquet")),
        )
        return slices

    def _by_transfer_report(self, manifest: Manifest) -> Slices:
        names = [name.partition("/") for name in manifest.recipe.inputs]
        return {f"{asset}/{pair}": self._whole((asset, pair)) for asset, _, pair in names}

    def _by_equity_audit(self, manifest: Manifest) -> Slices:
        pair = Pair.parse(str(manifest.partition))

        def values() -> str:
            return digest_frame(pair_values(self.store, pair))

        def places() -> str:
            return digest_frame(read_places(self.store, pair.city))

        return {
            "lsoa_predictions": self._whole(("lsoa_predictions", pair.key)),
            "values": Slice((LABELS,), values),
            "places": Slice((_POSTCODES,), places),
        }

    def _by_data_audit(self, manifest: Manifest) -> Slices:
        """Of the predictions those that stood when it was made."""
        city, outcomes = str(manifest.partition), self._outcomes(manifest)

        def areas() -> str:
            with duckdb.connect() as connection:
                return digest_frame(labelled_areas(connection, self.store, city, outcomes))

        slices = {
            "locations": self._whole(("locations", city)),
            "areas": Slice((LABELS, _POSTCODES), areas),
        }
        for name in manifest.recipe.inputs:
            asset, _, outcome = name.partition("/")
            if outcome:
                slices[name] = self._whole((asset, f"{city}/{outcome}"))
        return slices

    # -- slices that several read ------------------------------------------------------------------

    def _whole(self, key: Key) -> Slice:
        def digest() -> str:
            manifest = self.store.manifest(*key)
            return manifest.digest if manifest else ""

        return Slice((key,), digest)

    def _labels(self, city: str, outcomes: tuple[str, ...], *, alone: bool = False) -> Slice:
        return Slice((LABELS,), lambda: self._labels_of(city, outcomes, alone))

    def _digest_of_labels(self, city: str, outcomes: tuple[str, ...], alone: bool) -> str:
        """Of several outcomes, or of one alone, which is not named in every row."""
        table = city_labels(self.store.open(*LABELS), city, outcomes)
        return digest_frame(table[["lsoa11", "decile"]] if alone else table)

    def _areas(self, city: str) -> Slice:
        return Slice((("locations", city),), lambda: self._areas_of(city))

    def _weights(self, city: str) -> Slice:
        return Slice((("locations", city),), lambda: self._weights_of(city))

    def _unavailable(self, pair: Pair) -> Slice:
        def digest() -> str:
            why = pair_unavailable(self.store, self.study, pair)
            return f"{why.wanted}: {why.reason}" if why else ""

        city = pair.city
        return Slice((LABELS, ("area_folds", city), ("hdf5_shards", city)), digest)

    def _outcomes(self, manifest: Manifest) -> tuple[str, ...]:
        """What was trained together: all that the recipe names, else the pair's own."""
        of_networks: Any = manifest
        if manifest.asset == "baseline_scores":  # their own recipe does not name them
            of_networks = self.store.manifest("trained_model", manifest.partition) or manifest
        own = str(manifest.partition).partition("/")[2]
        return tuple(of_networks.recipe.config.get("outcomes", (own,)))


def city_of(partition: str) -> str:
    """The city of a partition that is a city, a bucket or a pair."""
    return partition.partition("/")[0]


def _listed_in_buckets(store: DataStore, city: str) -> dict[str, str]:
    """Digest of what is listed now in each bucket that was encoded."""
    encoded = [str(manifest.partition) for manifest in store.manifests("image_codes", city)]
    return slice_digests(store.open("street_images", city).table(), encoded)
