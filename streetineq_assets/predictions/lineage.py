"""Whether a pair's published tables are of the networks that are published.

What belongs here: following the digests that recipes recorded. What does not: making anything.
"""

from streetineq_assets.store import Artefact, DataStore

_EVALUATION = "lsoa_evaluation"
_CHAIN = ("trained_model", "location_predictions", "lsoa_predictions", _EVALUATION)


def evaluation_of(store: DataStore, pair: str) -> Artefact | None:
    """`lsoa_evaluation` of a pair's networks as they stand; None where it is of others, or absent.

    Each step of the chain must have read what now stands before it: an evaluation that was made
    again from predictions of earlier networks is of those.

    Raises:
        StoreError: its files no longer match its manifest.
    """
    manifests = {asset: store.manifest(asset, pair) for asset in _CHAIN}
    standing = {asset: manifest.digest for asset, manifest in manifests.items() if manifest}
    if len(standing) < len(_CHAIN):
        return None
    for manifest in manifests.values():
        read = manifest.recipe.inputs
        if any(read[asset] != standing[asset] for asset in read.keys() & standing.keys()):
            return None
    return store.open(_EVALUATION, pair)
