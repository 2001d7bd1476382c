"""Layers in a network's settings that would run what the file brings along."""

from collections.abc import Collection, Iterator
from typing import Any

KERAS = ("keras", "builtins")  # Keras writes the names of its own functions as of the latter
_RUNS_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")


def foreign_layers(config: Any, *, packages: Collection[str] = KERAS) -> Iterator[str]:
    """The names of classes and functions in a network's settings that are of no trusted package.

    Args:
        config: as Keras writes it, of any depth.
        packages: those whose layers may be made; of them, too, none that runs what it is given.
    """
    if isinstance(config, list):
        for each in config:
            yield from foreign_layers(each, packages=packages)
    if not isinstance(config, dict):
        return
    name, module = config.get("class_name"), config.get("module")
    if isinstance(name, str):
        inner = name.startswith("__") and module is None
        own = inner or str(module).split(".")[0] in packages
        if not own or name in _RUNS_CODE:
            yield name
    for each in config.values():
        yield from foreign_layers(each, packages=packages)
