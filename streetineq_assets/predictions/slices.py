"""What the artefacts of the chain read of each other, as it stands today.

A recipe names every slice that was read, and keeps its digest. Here, under the same names, is how
to take each slice again of what is published now: what the assets do when they are made. Inputs
that the platform does not publish, such as images and official files, are left out.
"""

from collections.abc import Callable

import duckdb

from streetineq_assets.digests import digest_frame
from streetineq_assets.manifests import Manifest
from streetineq_assets.predictions.location_scores import (
    labelled_areas,
)
from streetineq_assets.predictions.standing import (
    LABELS,
    POSTCODES,
    Slices,
    Standing,
)
from streetineq_assets.study import Pair, city_of

_FOLD = "fold_"  # before the names of what folds are made of, in the recipe of `scheme_scores`
_PREDICTIONS = ("location_predictions", "lsoa_predictions", "lsoa_evaluation")
_NETWORKS = ("trained_model", "joint_model", "baseline_scores", "fine_tuned_model")


def read_by(standing: Standing, manifest: Manifest) -> Slices:
    """The slices that an artefact reads, by their names in its recipe."""
    read = _READ_BY.get(manifest.asset)
    return read(standing, manifest) if read else {}


def _by_labels(standing: Standing, _: Manifest) -> Slices:
    return {"areas": standing.areas_of_cities()}


def _by_locations(standing: Standing, _: Manifest) -> Slices:
    return {"postcode_lsoa": standing.whole(POSTCODES)}


def _by_codes(standing: Standing, manifest: Manifest) -> Slices:
    return {"street_images": standing.listed_in(str(manifest.partition))}


def _by_shards(standing: Standing, manifest: Manifest) -> Slices:
    city = str(manifest.partition)
    buckets = [name for name in manifest.recipe.inputs if name.startswith(f"{city}/")]
    slices = {name: standing.whole(("image_codes", name)) for name in buckets}
    of_locations = {
        "location_ids": standing.location_ids(city),
        "licences": standing.licences(city),
    }
    return slices | of_locations


def _by_repeats(standing: Standing, manifest: Manifest) -> Slices:
    city = str(manifest.partition)
    buckets = [name for name in manifest.recipe.inputs if name.startswith(f"{city}/")]
    slices = {name: standing.whole(("image_codes", name)) for name in buckets}

    return slices | {
        "hdf5_shards": standing.whole(("hdf5_shards", city)),
        "positions": standing.positions(city),
    }


def _by_folds(standing: Standing, manifest: Manifest) -> Slices:
    """The mean deciles are those of the study's outcomes, which the recipe does not name."""
    return standing.fold_slices(manifest, str(manifest.partition), set(manifest.recipe.inputs))


def _by_networks(standing: Standing, manifest: Manifest) -> Slices:
    """Of one city or, under folds by city, of several; of a pair's own or joint networks."""
    partition, inputs = str(manifest.partition), manifest.recipe.inputs
    outcomes = standing.outcomes(manifest)
    slices: Slices = {}
    for city in {name.partition("/")[0] for name in inputs if "/" in name}:
        slices |= {
            f"{city}/labels": standing.labels(city, outcomes),
            f"{city}/locations": standing.location_areas(city),
            f"{city}/hdf5_shards": standing.whole(("hdf5_shards", city)),
            f"{city}/area_folds": standing.whole(("area_folds", city)),
            f"{city}/image_repeats": standing.whole(("image_repeats", city)),
        }
    slices["joint_model"] = standing.whole(("joint_model", city_of(partition)))
    slices["trained_model"] = standing.whole(("trained_model", partition))
    slices["weights"] = standing.weights(city_of(partition))
    source = manifest.recipe.config.get("source")
    if source in standing.study.cities:  # else a bundle, which is a file
        slices["source"] = standing.whole(("trained_model", f"{source}/{outcomes[0]}"))
    if manifest.asset == "trained_model":
        slices["unavailable"] = standing.unavailable(Pair.parse(partition))
    return slices


def _by_predictions(standing: Standing, manifest: Manifest) -> Slices:
    key, pair = str(manifest.partition), Pair.parse(str(manifest.partition))
    read = ("trained_model", "baseline_scores", *_PREDICTIONS)
    return {name: standing.whole((name, key)) for name in read} | {
        "locations": standing.weights(pair.city),
        "labels": standing.labels_of(pair),
        "area_folds": standing.tested(pair.city),
        "n_lsoas_of_city": standing.n_labelled(pair),
        "positions": standing.centroids_of(pair),
    }


def _by_explanations(standing: Standing, manifest: Manifest) -> Slices:
    key = str(manifest.partition)
    slices = {
        name: standing.whole((name, key)) for name in ("trained_model", "location_predictions")
    }
    city = city_of(key)
    for name in ("hdf5_shards", "street_images"):
        slices[name] = standing.whole((name, city))
    return slices | {"licences": standing.licences(city)}


def _by_joint_evaluation(standing: Standing, manifest: Manifest) -> Slices:
    """Without the evaluations of the separate networks, of which no row of its table is."""
    city = str(manifest.partition)
    slices = {name: standing.whole((name, city)) for name in ("joint_model", "area_folds")}
    slices["locations"] = standing.weights(city)
    labels = [name for name in manifest.recipe.inputs if name.startswith("labels/")]
    for name in labels:
        outcome = name.removeprefix("labels/")
        slices[name] = standing.labels_alone(Pair(city, outcome))
    return slices


def _by_scheme(standing: Standing, manifest: Manifest) -> Slices:
    """Joint networks and baselines of one city, on folds that are made for them."""
    city = city_of(str(manifest.partition))
    prefixed = {name for name in manifest.recipe.inputs if name.startswith(_FOLD)}
    of_folds = standing.fold_slices(manifest, city, {n.removeprefix(_FOLD) for n in prefixed})
    slices = _by_networks(standing, manifest)
    slices["weights"] = standing.weights(city)
    return slices | {f"{_FOLD}{name}": each for name, each in of_folds.items()}


def _by_evidence(standing: Standing, manifest: Manifest) -> Slices:
    """Scores of all schemes, and what they are compared with."""
    city = str(manifest.partition)
    names = [name for name in manifest.recipe.inputs if name.startswith("scheme_scores/")]
    slices = {
        name: standing.whole(("scheme_scores", f"{city}/{name.partition('/')[2]}"))
        for name in names
    }
    slices["labels"] = standing.labels(city, standing.study.cities[city].outcomes)
    slices["centroids"] = standing.centroids(city)
    return slices


def _by_transfer_report(standing: Standing, manifest: Manifest) -> Slices:
    names = [name.partition("/") for name in manifest.recipe.inputs]
    return {f"{asset}/{pair}": standing.whole((asset, pair)) for asset, _, pair in names}


def _by_equity_audit(standing: Standing, manifest: Manifest) -> Slices:
    pair = Pair.parse(str(manifest.partition))

    return {
        "lsoa_predictions": standing.whole(("lsoa_predictions", pair.key)),
        "values": standing.values_of(pair),
        "places": standing.places(pair.city),
    }


def _by_data_audit(standing: Standing, manifest: Manifest) -> Slices:
    """Of the predictions those that stood when it was made."""
    city, outcomes = str(manifest.partition), standing.outcomes(manifest)

    def areas() -> str:
        with duckdb.connect() as connection:
            return digest_frame(labelled_areas(connection, standing.store, city, outcomes))

    slices = {
        "locations": standing.whole(("locations", city)),
        "areas": standing.part((LABELS, POSTCODES), ("areas", city, outcomes), areas),
    }
    for name in manifest.recipe.inputs:
        asset, _, outcome = name.partition("/")
        if outcome:
            slices[name] = standing.whole((asset, f"{city}/{outcome}"))
    return slices


_READ_BY: dict[str, Callable[[Standing, Manifest], Slices]] = {
    "lsoa_labels": _by_labels,
    "locations": _by_locations,
    "image_codes": _by_codes,
    "hdf5_shards": _by_shards,
    "image_repeats": _by_repeats,
    "area_folds": _by_folds,
    "explanations": _by_explanations,
    "joint_evaluation": _by_joint_evaluation,
    "scheme_scores": _by_scheme,
    "evidence_matrix": _by_evidence,
    "transfer_report": _by_transfer_report,
    "equity_audit": _by_equity_audit,
    "data_audit": _by_data_audit,
    **dict.fromkeys(_NETWORKS, _by_networks),
    **dict.fromkeys(_PREDICTIONS, _by_predictions),
}
