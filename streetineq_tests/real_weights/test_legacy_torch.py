"""Files of tensors are read without PyTorch, and no pickle makes the reader do anything else."""

import os
import pickle
import struct

import numpy as np
import pytest

from streetineq_tests.real_weights.legacy_torch import read_tensors

HEADER = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
VALUES = np.arange(12, dtype="<f4")


def tensors(name=b"w", rebuild=b"torch._utils\n_rebuild_tensor_v2", steps=(1, 2)):
    """A pickle as PyTorch writes it: one tensor (2, 3) of twelve values, from the second on."""
    steps = b"(I%d\nI%d\nt" % steps
    storage = b"(Vstorage\nctorch\nFloatStorage\nVkey\nVcpu\nI12\nNtQ"
    tensor = b"c%b\n(%bI1\n(I2\nI3\nt%bI00\nccollections\nOrderedDict\n)RtR" % (
        *(rebuild, storage),
        steps,
    )
    return b"\x80\x02ccollections\nOrderedDict\n)R(V%b\n%bu." % (name, tensor)


def write(path, pickled, values=VALUES):
    stored = struct.pack("<q", len(values)) + values.tobytes()
    path.write_bytes(b"".join([*HEADER, pickled, pickle.dumps(["key"], 2), stored]))
    return path


def test_values_lie_as_the_steps_say(tmp_path):
    found = read_tensors(write(tmp_path / "file.pth", tensors()))
    assert list(found) == ["w"]
    np.testing.assert_array_equal(found["w"], [[1, 3, 5], [2, 4, 6]])
    assert found["w"].dtype == np.float32


class Harm:
    """What calls a function as soon as it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("place", range(5))
def test_nothing_is_called_that_a_pickle_names(tmp_path, place):
    parts = [*HEADER, tensors(), pickle.dumps(["key"], 2)]
    parts[place] = pickle.dumps(Harm(tmp_path / "harm"), 2)
    (tmp_path / "file.pth").write_bytes(b"".join(parts))
    with pytest.raises(pickle.UnpicklingError, match="mkdir is no part of a file of tensors"):
        read_tensors(tmp_path / "file.pth")
    assert not (tmp_path / "harm").exists()
    pickle.loads(parts[place])
    assert (tmp_path / "harm").exists(), "the pickle does harm where it is believed"


REFUSED = {
    "another function": (tensors(rebuild=b"builtins\neval"), "builtins.eval is no part"),
    "part of a module": (tensors(rebuild=b"torch._utils\nos"), "torch._utils.os is no part"),
    "beyond the values": (tensors(steps=(1, 6)), "w reaches out of the values"),
    "before the values": (tensors(steps=(-1, 2)), "w reaches out of the values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_tensor_is_refused(tmp_path, name):
    pickled, message = REFUSED[name]
    with pytest.raises(pickle.UnpicklingError, match=message):
        read_tensors(write(tmp_path / "file.pth", pickled))


def test_another_layout_is_refused(tmp_path):
    parts = [*HEADER, tensors(), pickle.dumps(["key"], 2)]
    parts[1] = pickle.dumps(1002, 2)
    (tmp_path / "file.pth").write_bytes(b"".join(parts))
    with pytest.raises(pickle.UnpicklingError, match="another layout"):
        read_tensors(tmp_path / "file.pth")
