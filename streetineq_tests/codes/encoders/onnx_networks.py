"""Networks of a few nodes in ONNX files, and what they compute, in NumPy."""

from pathlib import Path

import numpy as np

SIDE, PATCH, CHANNELS, WIDTH = 32, 8, 5, 6


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Of a convolution by patches, and of a layer on their mean."""
    generator = np.random.default_rng(seed)
    shapes = {"kernel": (CHANNELS, 3, PATCH, PATCH), "matrix": (CHANNELS, WIDTH), "bias": (WIDTH,)}
    return {
        name: (generator.standard_normal(shape) / 4).astype(np.float32)
        for name, shape in shapes.items()
    }


def compute(images: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every output for (n, side, side, 3): `map` is (n, side / 8, side / 8, 5)."""
    n, side = images.shape[:2]
    patches = images.reshape(n, side // PATCH, PATCH, side // PATCH, PATCH, 3)
    found = np.einsum("nyixjc,kcij->nyxk", patches, arrays["kernel"], optimize=True)
    tokens = found.reshape(n, -1, CHANNELS)
    code = tokens.mean(axis=1) @ arrays["matrix"] + arrays["bias"]
    return {"map": found, "tokens": tokens, "code": code}


def write(
    path: Path,
    *,
    outputs: tuple[str, ...] = ("code",),
    batch: int | str = "n",
    sides: tuple[int | str, int | str] = (SIDE, SIDE),
    channels_last: bool = False,
    half: bool = False,
    arrays: dict[str, np.ndarray] | None = None,
    **saving,
) -> Path:
    """Write a network with some of the outputs `map`, `tokens`, `code`."""
    import onnx
    from onnx import TensorProto, helper

    kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    shape = [batch, *sides, 3] if channels_last else [batch, 3, *sides]
    nodes = [
        helper.make_node("Conv", ["planes", "kernel"], ["planes_map"], strides=[PATCH, PATCH]),
        helper.make_node("Reshape", ["planes_map", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["tokens", "axis"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "matrix", "bias"], ["code"]),
    ]
    first = "Transpose" if channels_last else "Identity"
    axes = {"perm": [0, 3, 1, 2]} if channels_last else {}
    nodes.insert(0, helper.make_node(first, ["images"], ["planes"], **axes))
    last = "Transpose" if channels_last else "Identity"
    axes = {"perm": [0, 2, 3, 1]} if channels_last else {}
    nodes.append(helper.make_node(last, ["planes_map"], ["map"], **axes))
    constants = {
        **{name: each.astype(dtype) for name, each in (arrays or weights()).items()},
        "flat": np.array([0, CHANNELS, -1]),
        "axis": np.array([1]),
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [onnx.numpy_helper.from_array(each, name) for name, each in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path, **saving)
    return path


def write_two_inputs(path: Path) -> Path:
    """A network of images and text."""
    import onnx
    from onnx import TensorProto, helper

    def tensor(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs = [tensor("images", ["n", 3, SIDE, SIDE]), tensor("text", ["n", 3, SIDE, SIDE])]
    node = helper.make_node("Add", ["images", "text"], ["sum"])
    graph = helper.make_graph([node], "pair", inputs, [tensor("sum", None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path
