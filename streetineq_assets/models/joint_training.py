"""Joint training: one trunk with a head per outcome, trained and stored once per city.

What belongs here: the city's joint artefact, found or made. What does not: the training loop
(`training`), which is the same for one outcome and several.

It always trains the city's full set of available outcomes. With `joint = true` the first pair of a
city trains it, unless the asset `joint_model` did; a later pair finds the artefact by its recipe
and takes its own scores from it.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from streetineq_assets.findings import Check, Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.checkpoints import load_state, save_state
from streetineq_assets.models.dataset import Examples
from streetineq_assets.models.network import build_network, copy_head
from streetineq_assets.models.training import Trained
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Profile


def find_or_make(
    store: DataStore,
    place: tuple[str, str],
    recipe: Recipe,
    examples: Examples,
    make: Callable[[Path], Findings],
    *,
    tell: Callable[[str], None],
) -> Trained:
    """The city's joint networks: as published, or trained now and published.

    Args:
        place: asset and city under which they are published.
        recipe: all that they depend on.
        examples: the rows that they were, or are, trained on.
        make: trains, writes the artefact's files into a folder and returns what it found.
    """
    if store.current(*place, recipe):
        tell(f"the joint networks of {place[1]} are there already: nothing is trained")
    else:
        store.publish(*place, recipe, make)
        store.clear_workspace(*place)
    published = store.open(*place)
    states = {fold: load_state(path) for fold, path in _state_files(published).items()}
    return Trained(examples.outcomes, examples.codes.reader.location_ids, states)


def networks_of(
    joint: Artefact, outcome: str, profile: Profile, width: int
) -> dict[int, keras.Model]:
    """Fold to the network of one outcome, cut out of the city's joint networks."""
    outcomes = joint.manifest.recipe.config["outcomes"]
    together = build_network(profile, width, outcomes=len(outcomes))
    found = {}
    for fold, path in _state_files(joint).items():
        together.set_weights(load_state(path).best)
        found[fold] = copy_head(together, profile, outcomes.index(outcome), width)
    return found


def write_joint(trained: Trained, folder: Path, asset: str) -> Findings:
    """Write the state of each fold, and `<asset>.parquet`: the scores with their outcome."""
    for fold, state in trained.states.items():
        save_state(folder / f"fold_{fold}.npz", state)
    scores = [trained.scores(outcome).assign(outcome=outcome) for outcome in trained.outcomes]
    pd.concat(scores, ignore_index=True).to_parquet(folder / f"{asset}.parquet", index=False)
    history = trained.history()
    return Findings(
        values={
            "status": "available",
            "n_outcomes": len(trained.outcomes),
            "n_folds": len(trained.states),
            "epochs": float(history.groupby("fold")["epoch"].max().mean()),
            "seconds_training": float(history["seconds"].sum()),
        },
        checks=[Check("available", True, f"{', '.join(trained.outcomes)} share one trunk")],
        digest=trained.digest(),
    )


def _state_files(joint: Artefact) -> dict[int, Path]:
    names = [name for name in joint.manifest.files if name.endswith(".npz")]
    return {int(name[5:-4]): joint.file(name) for name in sorted(names)}
