"""The four partitions definitions and the mappings between them, from the study.

All are static: the study file names every city, bucket and pair, so a fresh instance has them all.
Keys come heaviest city first, since a back-fill ends with its slowest run.
"""

import dagster as dg

from streetineq_assets.study import Study, bucket_keys

# Runs of a back-fill of all buckets, and buckets of one of them: on one machine, and on several.
MOST_RUNS, FEWEST_BUCKETS_PER_RUN = 16, 8
MOST_RUNS_SPREAD = 128


class Partitions:
    """`city`, `bucket` (`london/003`), `pair` (`london/crime`) and `scheme` (`london/district`).

    Args:
        spread: whether several machines share the runs of a back-fill.

    Attributes:
        boundaries: the asset of boundaries, if they place locations.
        brings_codes: whether codes exist already, so that no image is encoded.
    """

    def __init__(self, study: Study, *, spread: bool = False) -> None:
        self._spread = spread
        buckets = {c: bucket_keys(c, study.cities[c].buckets) for c in study.by_weight}
        pairs = {c: [f"{c}/{o}" for o in study.cities[c].outcomes] for c in study.by_weight}
        self.city = dg.StaticPartitionsDefinition(list(study.by_weight))
        self.bucket = dg.StaticPartitionsDefinition([k for keys in buckets.values() for k in keys])
        self.pair = dg.StaticPartitionsDefinition([k for keys in pairs.values() for k in keys])
        schemes = {c: [f"{c}/{s}" for s in study.schemes] for c in study.by_weight}
        self.scheme = dg.StaticPartitionsDefinition(study.scheme_keys)
        self._schemes = schemes
        self._buckets = buckets
        self._pairs = pairs
        self._source = study.transfer.source
        self._scheme = study.folds.scheme
        self._buffer_m = study.folds.buffer_m
        self._joint = study.training.joint
        self._provider = study.imagery.provider if study.imagery else None
        self.brings_codes = study.brings_codes
        self.boundaries = ["lsoa_boundaries"] if study.places.by == "boundaries" else []

    def city_to_buckets(self, asset: str) -> dg.AssetDep:
        """A bucket's dependency on its city's partition of `asset`."""
        return dg.AssetDep(asset, partition_mapping=dg.StaticPartitionMapping(self._buckets))

    def buckets_to_city(self, asset: str) -> dg.AssetDep:
        """A city's dependency on all its buckets of `asset`."""
        return dg.AssetDep(asset, partition_mapping=_inverted(self._buckets))

    def city_to_pairs(self, asset: str) -> dg.AssetDep:
        """A pair's dependency on its city's partition of `asset`."""
        return dg.AssetDep(asset, partition_mapping=dg.StaticPartitionMapping(self._pairs))

    def pairs_to_city(self, asset: str) -> dg.AssetDep:
        """A city's dependency on all its pairs of `asset`."""
        return dg.AssetDep(asset, partition_mapping=_inverted(self._pairs))

    def city_to_schemes(self, asset: str) -> dg.AssetDep:
        """A scheme's dependency on its city's partition of `asset`."""
        return dg.AssetDep(asset, partition_mapping=dg.StaticPartitionMapping(self._schemes))

    def schemes_to_city(self, asset: str) -> dg.AssetDep:
        """A city's dependency on all schemes of `asset`."""
        return dg.AssetDep(asset, partition_mapping=_inverted(self._schemes))

    @property
    def buckets_per_run(self) -> int:
        """How many buckets of a back-fill go into one run.

        The runs of one machine wait for the pool `gpu`, so that each costs about 20 s even where
        nothing changed, and a bucket a tenth of one: all of a large study are at most 16 runs.
        Fewer would leave more undone when a process is killed. A step, hence a run, is on one
        machine: several share as many runs as there are buckets, up to 128.
        """
        n_buckets = sum(map(len, self._buckets.values()))
        if self._spread:
            return -(-n_buckets // MOST_RUNS_SPREAD)
        return max(FEWEST_BUCKETS_PER_RUN, -(-n_buckets // MOST_RUNS))

    @property
    def outcome_tags(self) -> dict[str, str]:
        """A tag for each outcome of the study, by which the UI's search finds its assets."""
        outcomes = {key.split("/")[1] for keys in self._pairs.values() for key in keys}
        return {f"outcome/{outcome}": "" for outcome in sorted(outcomes)}

    @property
    def imagery_pool(self) -> str | None:
        """The pool in which the study's provider is asked; None where images are its own."""
        return f"imagery_{self._provider}" if self._provider else None

    @property
    def listing_needs(self) -> tuple[dg.AssetDep | str, ...]:
        """Where a city's images come from beside its files: what was acquired, if anything is."""
        return ("imagery_plan", self.buckets_to_city("imagery")) if self._provider else ()

    @property
    def folds_need(self) -> tuple[str, ...]:
        """Of a city's own assets those that its folds are made from, by the study's scheme."""
        return ("locations",) if self._scheme == "location" or self._buffer_m else ()

    @property
    def networks_need(self) -> tuple[dg.AssetDep, ...]:
        """Where a pair's networks come from: the city's joint ones, if the study trains jointly."""
        return (self.city_to_pairs("joint_model"),) if self._joint else ()

    def source_to_pairs(self, asset: str) -> list[dg.AssetDep]:
        """A pair's dependency on its outcome in the city that networks are transferred from.

        Empty where the study names no such city.
        """
        given = set(self._pairs.get(self._source or "", ()))
        children: dict[str, list[str]] = {}
        for key in (key for city in self._pairs for key in self._pairs[city]):
            source = f"{self._source}/{key.split('/')[1]}"
            if source in given and key not in given:
                children.setdefault(source, []).append(key)
        if not children:
            return []
        return [dg.AssetDep(asset, partition_mapping=dg.StaticPartitionMapping(children))]


def _inverted(children: dict[str, list[str]]) -> dg.StaticPartitionMapping:
    return dg.StaticPartitionMapping({c: parent for parent, keys in children.items() for c in keys})
