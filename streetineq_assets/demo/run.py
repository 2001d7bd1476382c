"""The demo: write a synthetic study, run every asset of it, print the summary."""

from pathlib import Path

from streetineq_assets.demo.real_weights import RealWeights, in_words
from streetineq_assets.demo.summary import summary_lines
from streetineq_assets.encoder_settings import Encoder as Settings
from streetineq_assets.errors import StudyError
from streetineq_assets.run import Echo, run_study
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study


def run_demo(root: Path, echo: Echo, weights: RealWeights | None = None) -> None:
    """Write the study if the folder holds none, run every job on it, print the results.

    Args:
        weights: of the network; by default they are random.

    Raises:
        StudyError: the folder holds a study that is not synthetic, or that has other weights.
        RunError: a run failed, or another process runs the study.
    """
    store = DataStore(root)
    if store.study_file.exists():
        if weights:
            weights.require_in(store)
        encoder = load_study(store.study_file).encoder
    else:
        encoder = weights.encoder if weights else None
    echo(f"streetineq demo in {store.root}: {_what_is_synthetic(encoder)}.")
    if not store.study_file.exists():
        _write(store, echo, weights)
    if not load_study(store.study_file).synthetic:
        raise StudyError(f"{store.root} holds a study that is not synthetic: name another folder")
    run_study(store, echo)
    for line in summary_lines(store):
        echo(line)


def _what_is_synthetic(encoder: Settings | None) -> str:
    named = in_words(encoder) if encoder else None
    if named is None:
        return "the cities and the network's weights are synthetic"
    return f"the cities are synthetic, the network's weights are real ({named})"


def _write(store: DataStore, echo: Echo, weights: RealWeights | None) -> None:
    from streetineq_assets.demo.city import write_study

    echo("writing the synthetic cities ...")
    if weights:
        weights.put_below(store)
    write_study(store.root, encoder=weights.settings if weights else None)
