"""The demo: write a synthetic study, run every asset of it, print the summary."""

from pathlib import Path

from streetineq_assets.demo.summary import summary_lines
from streetineq_assets.errors import StudyError
from streetineq_assets.run import Echo, run_study
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study


def run_demo(root: Path, echo: Echo) -> None:
    """Write the study if the folder holds none, run every job on it, print the results.

    Raises:
        StudyError: the folder holds a study that is not synthetic.
        RunError: a run failed, or another process runs the study.
    """
    store = DataStore(root)
    echo(f"streetineq demo in {store.root}: the cities and the network's weights are synthetic.")
    if not store.study_file.exists():
        from streetineq_assets.demo.city import write_study

        echo("writing the synthetic cities ...")
        write_study(store.root)
    if not load_study(store.study_file).synthetic:
        raise StudyError(f"{store.root} holds a study that is not synthetic: name another folder")
    run_study(store, echo)
    for line in summary_lines(store):
        echo(line)
