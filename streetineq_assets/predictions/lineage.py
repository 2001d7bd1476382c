"""Whether a pair's published tables are of the networks that are published."""

from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair

_EVALUATION = "lsoa_evaluation"
_CHAIN = ("trained_model", "location_predictions", "lsoa_predictions", _EVALUATION)
_BASELINES = "baseline_scores"  # earlier versions had them in `trained_model`


def evaluation_of(store: DataStore, pair: Pair) -> Artefact | None:
    """`lsoa_evaluation` of a pair's networks as they stand; None where it is of others, or absent.

    Each step of the chain must have read what now stands before it: an evaluation that was made
    again from predictions of earlier networks is of those.

    Raises:
        StoreError: its files no longer match its manifest.
    """
    found = {asset: store.manifest(asset, pair.key) for asset in (*_CHAIN, _BASELINES)}
    standing = {asset: manifest for asset, manifest in found.items() if manifest}
    if any(asset not in standing for asset in _CHAIN):
        return None
    for manifest in standing.values():
        read = manifest.recipe.inputs
        if any(read[asset] != standing[asset].digest for asset in read.keys() & standing.keys()):
            return None
    return store.open(_EVALUATION, pair.key)
