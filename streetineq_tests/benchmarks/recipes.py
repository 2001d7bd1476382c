"""Recipes as the assets would make them, of what stands in a store: for studies written into it.

So that the lineage of a study that no asset made agrees from end to end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from streetineq_assets.definitions import build_definitions
from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.publishing import describe
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study


class Step(NamedTuple):
    """An artefact from a city's shards to its matrix.

    Attributes:
        reads: names of the slices that it reads, as its recipe has them.
        config: settings that say what it reads.
    """

    asset: str
    key: str
    reads: tuple[str, ...]
    config: Mapping[str, Any]


def steps_of(study: Study, city: str, buckets: Sequence[str] = ()) -> Iterator[Step]:
    """Every artefact of a city's results, each after those that it reads.

    Args:
        buckets: of the city, which are published; without any, nothing is said to be made of them.
    """
    outcomes = study.cities[city].outcomes
    together = {"outcomes": list(outcomes)}
    of_city = ("labels", "locations", "hdf5_shards", "area_folds", "image_repeats")
    read = tuple(f"{city}/{name}" for name in of_city)
    yield Step("hdf5_shards", city, (*buckets, "location_ids"), {})
    yield Step("image_repeats", city, (*buckets, "hdf5_shards", "positions"), {})
    yield Step("joint_model", city, read, together)
    for outcome in outcomes:
        yield from _of_pair(f"{city}/{outcome}", read)
    labels = (f"labels/{outcome}" for outcome in outcomes)
    yield Step("joint_evaluation", city, ("joint_model", "area_folds", "locations", *labels), {})
    predicted = (f"lsoa_predictions/{outcome}" for outcome in outcomes)
    yield Step("data_audit", city, ("locations", "areas", *predicted), together)
    schemes = [key for key in study.scheme_keys if key.startswith(f"{city}/")]
    folds = {"folds": study.folds.model_dump(exclude_none=True)}
    for key in schemes:
        names = [name for name in read if not name.endswith("/area_folds")]
        of_folds = ("fold_labels", "fold_centroids", "weights")
        yield Step("scheme_scores", key, (*names, *of_folds), together | folds)
    scored = (f"scheme_scores/{key.partition('/')[2]}" for key in schemes)
    yield Step("evidence_matrix", city, (*scored, "labels", "centroids"), {})


def _of_pair(key: str, read: tuple[str, ...]) -> Iterator[Step]:
    yield Step("trained_model", key, read, {})
    yield Step("baseline_scores", key, (*read, "trained_model"), {})
    names: tuple[str, ...] = ("trained_model", "locations", "labels", "area_folds")
    yield Step("location_predictions", key, names, {})
    names = ("trained_model", "location_predictions", "hdf5_shards", "licences")
    yield Step("explanations", key, names, {})
    yield Step("lsoa_predictions", key, ("location_predictions", "n_lsoas_of_city"), {})
    names = ("lsoa_predictions", "location_predictions", "baseline_scores", "trained_model")
    yield Step("lsoa_evaluation", key, (*names, "positions"), {})
    yield Step("equity_audit", key, ("lsoa_predictions", "values", "places"), {})


def recipe_of(
    standing: Standing,
    asset: str,
    key: str | None,
    reads: Iterable[str],
    config: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe of an artefact made now: of the slices of these names as they stand."""
    recipe = Recipe(
        code_version=code_version(standing.store, asset),
        inputs=dict.fromkeys(reads, ""),
        config=dict(config or {}),
    )
    draft = describe(asset, key, recipe, Findings(), {})
    slices = read_by(standing, draft)
    inputs = {name: slices[name].digest() for name in recipe.inputs}
    return recipe.model_copy(update={"inputs": inputs})


def code_version(store: DataStore, asset: str) -> str:
    """As the asset declares it, whichever the study."""
    return _versions(store.root)[asset]


@cache
def _versions(root: Path) -> dict[str, str]:
    graph = build_definitions(root).resolve_asset_graph()
    return {
        key.to_user_string(): graph.get(key).code_version or ""
        for key in graph.materializable_asset_keys
    }
