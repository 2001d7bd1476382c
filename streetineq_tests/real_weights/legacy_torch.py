"""Reads the tensors of a PyTorch file of the layout before 1.6, without PyTorch.

Such a file is five pickles (a magic number, the protocol, the writer's sizes, the tensors, the keys
of their storages) and then the storages' bytes. A pickle may name any function to be called; here
four names are known, none of which does anything, and every other is refused. The platform itself
reads no pickles.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_LAYOUT = 1001


class _Tensor(NamedTuple):
    storage: tuple
    offset: int
    shape: tuple
    strides: tuple
    requires_grad: bool
    hooks: OrderedDict


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a file of tensors")
        return _KNOWN[module, name]

    def persistent_load(self, pid: tuple) -> tuple:
        return pid  # ("storage", type, key, device, number of values)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name.

    Raises:
        pickle.UnpicklingError: it is another layout, or holds anything else than tensors.
    """
    with path.open("rb") as file:
        magic, layout, _, tensors, keys = (_Reader(file).load() for _ in range(5))
        if (magic, layout) != (_MAGIC, _LAYOUT):
            raise pickle.UnpicklingError(f"{path} has another layout than that before PyTorch 1.6")
        types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
        storages = {key: _read_storage(file, types[key]) for key in keys}
    return {name: _array(name, tensor, storages) for name, tensor in tensors.items()}


def _read_storage(file: IO[bytes], dtype: str) -> np.ndarray:
    length = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(length * np.dtype(dtype).itemsize), dtype)


def _array(name: str, tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    values, steps = storages[tensor.storage[2]][tensor.offset :], tensor.strides
    last = sum((n - 1) * step for n, step in zip(tensor.shape, steps, strict=True))
    if min((0, *steps)) < 0 or tensor.offset < 0 or last >= len(values):
        raise pickle.UnpicklingError(f"{name} reaches out of the values that are stored")
    in_bytes = [step * values.itemsize for step in steps]
    return np.lib.stride_tricks.as_strided(values, tensor.shape, in_bytes, writeable=False)
