"""Whether what is published agrees: was each artefact made of what stands before it now?

What its recipe recorded of every slice is compared with the slice as it stands, up the chain, from
an evaluation to the listing of images. Of study.toml only the outcomes that share the folds count:
what was made by other settings and agrees with all before it is not at fault.
"""

from typing import NamedTuple

from streetineq_assets.manifests import Manifest
from streetineq_assets.predictions.slices import read_by
from streetineq_assets.predictions.standing import Key, Standing
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study, load_study

EVALUATION = "lsoa_evaluation"
_CHAIN = ("trained_model", "location_predictions", "lsoa_predictions", EVALUATION)
_BASELINES = "baseline_scores"  # earlier versions had them in `trained_model`


class Disagreement(NamedTuple):
    """An artefact that was made of something else than stands before it.

    Attributes:
        label: of the artefact, such as `location_predictions[leeds/crime]`.
        read: label of the artefact that it read, of which another or none stands now.
    """

    label: str
    read: str

    def __str__(self) -> str:
        return f"{self.label} was not made of the {self.read} that stands now"


class Lineage:
    """What agrees among a study's artefacts; each is looked at once, by whoever asks first.

    Attributes:
        standing: the slices with which it compares.
    """

    def __init__(self, store: DataStore, study: Study) -> None:
        self._store = store
        self.standing = Standing(store, study)
        self._found: dict[Key, tuple[Disagreement, ...]] = {}

    def disagreements(self, asset: str, partition: str | None) -> tuple[Disagreement, ...]:
        """Of an artefact and of all that it was made of, the start of the chain first.

        Empty where all agree, and where the artefact is not published.

        Raises:
            StoreError: the files of an artefact that was read no longer match its manifest.
        """
        key = (asset, partition)
        if key not in self._found:
            manifest = self._store.manifest(*key)
            self._found[key] = self._of(manifest) if manifest else ()
        return self._found[key]

    def _of(self, manifest: Manifest) -> tuple[Disagreement, ...]:
        slices = read_by(self.standing, manifest)
        before: list[Disagreement] = []
        own: list[Disagreement] = []
        for name, recorded in manifest.recipe.inputs.items():
            if name not in slices:
                continue  # a file that the platform does not publish
            of, digest = slices[name]
            before += [each for key in of for each in self.disagreements(*key)]
            published = all(self._store.manifest(*key) for key in of)
            if not published or digest() != recorded:
                own.append(Disagreement(manifest.label, label_of(of[0])))
        return tuple(dict.fromkeys(before + own))


def label_of(key: Key) -> str:
    """An artefact as Dagster names it, such as `trained_model[london/crime]`."""
    asset, partition = key
    return f"{asset}[{partition}]" if partition else asset


def evaluation_of(store: DataStore, pair: Pair) -> Artefact | None:
    """`lsoa_evaluation` of a pair's networks as they stand; None where it is of others, or absent.

    Each step from the networks on must have read what now stands before it: an evaluation that was
    made again from predictions of earlier networks is of those. What the networks learned from may
    have changed since.

    Raises:
        StoreError: its files no longer match its manifest.
    """
    if not all(store.manifest(asset, pair.key) for asset in _CHAIN):
        return None
    own = {label_of((asset, pair.key)) for asset in (*_CHAIN, _BASELINES)}
    found = Lineage(store, load_study(store.study_file)).disagreements(EVALUATION, pair.key)
    if any(each.label in own and each.read in own for each in found):
        return None
    return store.open(EVALUATION, pair.key)
