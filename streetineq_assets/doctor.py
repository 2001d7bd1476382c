"""What is installed, which inputs are there, and what is missing: `streetineq doctor`.

It looks at the heads of files and changes nothing. Every line that says "missing" names the
official file and the folder that it goes into.
"""

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetineq_assets.devices import cpu_name, list_gpus
from streetineq_assets.digests import digest_file
from streetineq_assets.errors import SourceError, SourceMissingError, StudyError
from streetineq_assets.reports.warehouse import disagreement
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study, load_study
from streetineq_assets.study_template import instance_settings

if TYPE_CHECKING:
    from streetineq_assets.labels.sources import Sources

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
    from streetineq_assets.labels.sources import find_sources

    study, sources = load_study(store.study_file), find_sources(store.inputs())
    return {
        "study": {"root": str(store.root), "title": study.title, "synthetic": study.synthetic},
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _PACKAGES},
        "devices": {"cpu": cpu_name(), "gpus": list_gpus()},
        "sources": _sources(store, sources),
        "outcomes": _outcomes(store, study, sources),
        "cities": [_city(store, key) for key in study.by_weight],
        "weights": _weights(store, study),
        "disk_free_gb": round(shutil.disk_usage(store.root).free / 1e9, 1),
        "instance_storage": _instance_storage(store),
        "warehouse": disagreement(store) or "",
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
    lines.append("")
    for row in state["outcomes"]:
        lines.append(_line(row["status"], f"{row['city']}/{row['outcome']}", row["where"]))
    lines.append("")
    for city in state["cities"]:
        for what in ("locations", "images"):
            lines.append(_line(city[f"{what}_status"], f"{city['city']} {what}", city[what]))
    return lines


def _line(status: str, what: str, where: str) -> str:
    return f"{status:<10} {what:<40} {where}"


# -- inputs ----------------------------------------------------------------------------------------


def _sources(store: DataStore, sources: "Sources") -> list[dict[str, str]]:
    """The recognised files, those without an outcome, those that are wrong, and the directory."""
    rows = [
        _source("found", ", ".join(file.outcomes), f"{file.path} ({file.layout})")
        for file in sources.recognised
    ]
    rows += [_source("ignored", reason, str(path)) for path, reason in sources.ignored]
    rows += [_source("wrong", "see right", problem) for problem in sources.problems]
    return [*rows, _directory(store.inputs("onspd"))]


def _directory(folder: Path) -> dict[str, str]:
    from streetineq_assets.labels.postcodes import find_directory

    what = "postcode directory"
    try:
        files = find_directory(folder).files
    except SourceMissingError:
        return _source("missing", what, f"ONS Postcode Directory into {folder}")
    except SourceError as error:
        return _source("wrong", what, str(error))
    return _source("found", what, f"{folder} ({len(files)} files)")


def _source(status: str, what: str, where: str) -> dict[str, str]:
    return {"status": status, "what": what, "where": where}


def _outcomes(store: DataStore, study: Study, sources: "Sources") -> list[dict[str, str]]:
    """For each pair the file that holds its outcome, or the file that it wants."""
    from streetineq_assets.labels.outcomes import OUTCOMES

    rows = []
    for pair in study.pairs:
        outcome, file = OUTCOMES[pair.outcome], sources.of(pair.outcome)
        authorities = study.cities[pair.city].authorities
        if not any(code.startswith(outcome.authorities) for code in authorities):
            status, where = "missing", f"published for {outcome.coverage} alone"
        elif file is None:
            folder = store.inputs(outcome.tables[0].folder)
            status, where = "missing", f"{outcome.wanted} into {folder}"
        else:
            status, where = "found", str(file.path)
        rows.append({**pair._asdict(), "status": status, "where": where})
    return rows


def _city(store: DataStore, city: str) -> dict[str, str]:
    locations, images = store.inputs("locations", f"{city}.csv"), store.inputs("images", city)
    has_images = images.is_dir() and any(images.iterdir())
    return {
        "city": city,
        "locations": str(locations),
        "locations_status": "found" if locations.is_file() else "missing",
        "images": str(images),
        "images_status": "found" if has_images else "missing",
    }


def _weights(store: DataStore, study: Study) -> dict[str, Any]:
    named = study.encoder.weights
    if named in _NO_FILE_WEIGHTS:
        return {"weights": named, "status": "found", "note": _NO_FILE_WEIGHTS[named]}
    path = store.input_file(named)
    if not path.is_file():
        note = f"Keras's {path.name} (about 553 MB) goes to {path.parent}"
        return {"weights": str(path), "status": "missing", "note": note}
    return {
        "weights": str(path),
        "status": "found",
        "note": f"sha256 {digest_file(path)}",
        "bytes": path.stat().st_size,
    }


# -- the machine -----------------------------------------------------------------------------------


def _instance_storage(store: DataStore) -> str:
    if not store.instance_file.exists():
        return f"SQLite in {store.dagster_home} (made on first use)"
    try:
        storage = instance_settings(store).get("storage")
    except StudyError as error:
        return str(error)
    return ", ".join(storage) if storage else f"SQLite in {store.dagster_home}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
