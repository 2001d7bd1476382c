"""Where the file lies that a row of `street_images` names.

A study's own images lie in its inputs. Those that it acquired lie in archives that are published as
`imagery`, a partition of a city at a time; their paths begin with `imagery://` and that part:
`imagery://003/captures.tar`.
"""

from pathlib import Path

from streetineq_assets.store import DataStore

IMAGERY, IMAGERY_PLAN = "imagery", "imagery_plan"
PLANNED_LOCATIONS = "locations.csv"  # of a plan, in the form of the lists that people bring
_SCHEME = f"{IMAGERY}://"


def planned_locations(store: DataStore, city: str) -> Path | None:
    """The list of the locations whose images were planned to be acquired; None without a plan."""
    manifest = store.manifest(IMAGERY_PLAN, city)
    if manifest is None or PLANNED_LOCATIONS not in manifest.files:
        return None
    return store.path_of(manifest) / PLANNED_LOCATIONS


def imagery_path(part: str, name: str) -> str:
    """The path, in rows of `street_images`, of a file that was acquired.

    Args:
        part: of the city's partitions, `003`.
        name: of the published file.
    """
    return f"{_SCHEME}{part}/{name}"


def locate(store: DataStore, city: str, path: str) -> Path:
    """The file that a row names; where it is gone, a path at which there is none.

    Args:
        path: of a row of the city's `street_images`.

    Raises:
        StoreError: a path that no listing can hold.
    """
    if not path.startswith(_SCHEME):
        return store.inputs("images", city) / path
    part, _, name = path.removeprefix(_SCHEME).partition("/")
    key = f"{city}/{part}"
    manifest = store.manifest(IMAGERY, key)
    if manifest and name in manifest.files:
        return store.path_of(manifest) / name
    return store.folder(IMAGERY, key) / "gone" / Path(name).name
