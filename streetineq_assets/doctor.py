"""What is installed, which inputs are there, what is missing or wrong: `streetineq doctor`.

It changes nothing. Every line that says "missing" names the official file and the folder that it
goes into. `inspection` has the lines on inputs; here are the machine, and the words.
"""

import platform
import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import h5py

from streetineq_assets.cleaning import (
    examine_leftovers,
    published_artefacts,
    unreadable_manifests,
)
from streetineq_assets.codes.encoders.loading import weights_input
from streetineq_assets.devices import cpu_name, list_gpus
from streetineq_assets.encoder_settings import ImportedEncoder, KerasEncoder
from streetineq_assets.errors import InstanceError, SourceError, StoreError, StudyError
from streetineq_assets.inspection import Row, inspect_inputs
from streetineq_assets.instance_state import clear_instance_errors, unrecorded, waiting_slots
from streetineq_assets.manifests import Manifest
from streetineq_assets.reports.warehouse import caution
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.study_template import storage_in_words

_PACKAGES = (
    "dagster",
    "dagster-webserver",
    "dagster-duckdb",
    "tensorflow",
    "keras",
    "h5py",
    "pandas",
    "numpy",
    "duckdb",
    "pyarrow",
    "pillow",
    "scikit-learn",
    "scipy",
    "matplotlib",
    "geopandas",
)
_NO_FILE_WEIGHTS = {
    "imagenet": "Keras downloads them on first use, or takes them from its cache",
    "random": "seeded and untrained, for trials: nothing is learned from real images",
}


def examine(store: DataStore) -> dict[str, Any]:
    """The state of the machine and of the study's inputs, as JSON-able values.

    Raises:
        StudyError: there is no study, or its file is wrong.
    """
    study = load_study(store.study_file)
    return {
        "study": {"root": str(store.root), "title": study.title, "synthetic": study.synthetic},
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _PACKAGES},
        "devices": {"cpu": cpu_name(), "gpus": list_gpus()},
        **inspect_inputs(store, study),
        "weights": _weights(store, study),
        "disk_free_gb": round(shutil.disk_usage(store.root).free / 1e9, 1),
        "instance_storage": storage_in_words(store),
        "warehouse": caution(store) or "",
        "artefacts": list(_artefacts(store, study)),
    }


def report_lines(state: dict[str, Any]) -> list[str]:
    """The result of `examine` as lines of text."""
    study, devices, weights = state["study"], state["devices"], state["weights"]
    lines = [f"study      {study['title']} ({study['root']})"]
    if study["synthetic"]:
        lines.append("           SYNTHETIC: neither areas nor images are real")
    libraries = ", ".join(f"{name} {number}" for name, number in state["libraries"].items())
    lines += [
        f"python     {state['python']}; {libraries}",
        f"devices    {devices['cpu']}; GPUs: {', '.join(devices['gpus']) or 'none'}",
        f"disk       {state['disk_free_gb']} GB free",
        f"instance   {state['instance_storage']}",
        f"weights    {weights['status']}: {weights['weights']}; {weights['note']}",
        *([f"warehouse  {state['warehouse']}"] if state["warehouse"] else []),
        "",
    ]
    lines += [_line(s["status"], s["what"], s["where"]) for s in state["sources"]]
    lines += ["", *_outcome_lines(state["outcomes"]), "", *_city_lines(state["cities"])]
    if state["artefacts"]:
        lines += ["", *(_line(s["status"], s["what"], s["where"]) for s in state["artefacts"])]
    return lines


def _line(status: str, what: str, where: str) -> str:
    return f"{status:<10} {what:<40} {where}"


def _outcome_lines(rows: list[dict[str, str]]) -> list[str]:
    """One line for the pairs that share a status and a file."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["status"], row["where"]), []).append(row)
    lines = []
    for (status, where), group in groups.items():
        outcomes, cities = ({row[key]: None for row in group} for key in ("outcome", "city"))
        what = _several(outcomes, "outcomes") + " of " + _several(cities, "cities")
        named = f" ({', '.join(outcomes)})" if len(outcomes) > 1 else ""
        lines.append(_line(status, what, f"{where}{named}"))
    return lines


def _city_lines(rows: list[dict[str, str]]) -> list[str]:
    """A line for each city's list and its images or codes; one for all that are missing."""
    lines = []
    for what in ("locations", "images", "codes"):
        examined = [row for row in rows if what in row]
        missing = [row for row in examined if row[f"{what}_status"] == "missing"]
        lines += [
            _line(row[f"{what}_status"], f"{row['city']} {what}", row[what])
            for row in examined
            if row not in missing
        ]
        if missing:
            cities = ", ".join(row["city"] for row in missing)
            places = ", ".join(row[what] for row in missing[:1])
            more = f" and so on ({cities})" if len(missing) > 1 else ""
            named = _several({row["city"]: None for row in missing}, "cities")
            lines.append(_line("missing", f"{what} of {named}", f"{places}{more}"))
    return lines


def _several(names: Iterable[str], many: str) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"{len(names)} {many}"


# -- what is published -----------------------------------------------------------------------------


def _artefacts(store: DataStore, study: Study) -> Iterator[Row]:
    """Lines on what is wrong with artefacts and with the instance; files are compared by size."""
    published = published_artefacts(store)
    for manifest in published:
        if damage := store.damage(manifest, by_size=True):
            again = f"{damage}: materialise {manifest.label} again"
            yield {"status": "wrong", "what": manifest.label, "where": again}
    for file in unreadable_manifests(store):
        label = file.parent.relative_to(store.assets).as_posix()
        where = f"{file} is damaged: `streetineq run` makes this artefact again"
        yield {"status": "wrong", "what": label, "where": where}
    left = examine_leftovers(store, study)
    if left.unneeded or left.kept:
        n, size = len(left.unneeded), sum(each.size_bytes for each in left.unneeded)
        kept = f", {len(left.kept)} later" if left.kept else ""
        where = f"{size / 1e6:,.1f} MB can be removed{kept}: `streetineq clean` lists what and why"
        yield {"status": "unneeded", "what": f"{n} results or files", "where": where}
    try:
        with clear_instance_errors(store):
            yield from _instance_rows(store, published)
    except (StudyError, InstanceError):  # the line on the instance says so
        return
    except StoreError as error:  # its database cannot even be looked at without writing
        yield {"status": "doubtful", "what": "history of the instance", "where": str(error)}


def _instance_rows(store: DataStore, published: list[Manifest]) -> Iterator[Row]:
    if lost := unrecorded(store, published):
        where = (
            f"it knows nothing of {len(lost)} of {len(published)} results, such as {lost[0]}: "
            "`streetineq run` skips what is unchanged, and records it again"
        )
        yield {"status": "doubtful", "what": "history of the instance", "where": where}
    for run, pool in waiting_slots(store).items():
        where = (
            f"run {run} ended and still holds a slot: free it in the UI, Deployment, Concurrency"
        )
        yield {"status": "wrong", "what": f"pool {pool}", "where": where}


# -- the machine -----------------------------------------------------------------------------------


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _weights(store: DataStore, study: Study) -> dict[str, Any]:
    settings = study.encoder
    if isinstance(settings, ImportedEncoder):
        return {"weights": settings.name, "status": "found", "note": "codes exist already"}
    named = settings.weights
    if named in _NO_FILE_WEIGHTS:
        return {"weights": named, "status": "found", "note": _NO_FILE_WEIGHTS[named]}
    path = store.input_file(named)
    if not path.exists():
        what = "Keras's file of weights" if settings.family == "keras" else "what study.toml names"
        is_fc6 = isinstance(settings, KerasEncoder) and settings.is_fc6
        note = f"{what}{' (about 553 MB)' if is_fc6 else ''} goes to {path}"
        return {"weights": str(path), "status": "missing", "note": note}
    try:
        status, note = "found", f"sha256 {weights_input(settings, store.root, study.seed)}"
    except SourceError as error:
        status, note = "wrong", str(error)
    if settings.family == "keras" and status == "found" and not h5py.is_hdf5(path):
        status, note = "wrong", f"{note}; it is no HDF5 file: download it again"
    return {"weights": str(path), "status": status, "note": note, "bytes": path.stat().st_size}
