"""Bundles with another description than the one that they were exported with."""

import json
import zipfile
from pathlib import Path

from streetineq_assets.models.bundles.bundle import Bundle


def with_description(bundle: Bundle, target: Path, **changed: object) -> Path:
    """The same members under another account of them; a field set to None is left out."""
    about = {k: v for k, v in (bundle.about | changed).items() if v is not None}
    with zipfile.ZipFile(bundle.path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = json.dumps(about) if name == "bundle.json" else old.read(name)
            new.writestr(name, content)
    return target
