"""Presets of KerasHub with two layers and random weights, each with a converter of its own kind."""

from pathlib import Path

import numpy as np

SIDE = 28
WIDTH, PROJECTED = 16, 12
MEAN, SD = (0.48, 0.45, 0.40), (0.27, 0.26, 0.28)

_SMALL = {"num_layers": 2, "num_heads": 2, "hidden_dim": WIDTH}
_IMAGE = {"patch_size": 14, "image_shape": (SIDE, SIDE, 3)}
_NORMALISED = {
    "image_size": (SIDE, SIDE),
    "scale": [1 / 255 / sd for sd in SD],
    "offset": [-mean / sd for mean, sd in zip(MEAN, SD, strict=True)],
}
# Backbone, class of its converter, how that scales pictures. Their publishers' own ways are among
# them; all four of KerasHub's are.
KINDS = {
    "dinov2": ("DINOV2", {"interpolation": "bicubic"}),
    "dinov2_with_registers": ("DINOV2", {"interpolation": "bicubic", "antialias": True}),
    "dinov3": ("DINOV3", {"antialias": True, "crop_to_aspect_ratio": False}),
    "clip": ("CLIP", {"interpolation": "bicubic", "antialias": True}),
    "siglip": ("SigLIP", {"crop_to_aspect_ratio": False}),
    "vit": ("ViT", {}),
    "deit": ("DeiT", {"antialias": True}),
}
# Tokens before those of patches: class, distillation, registers.
N_LEADING = {
    "dinov2": 1,
    "dinov2_with_registers": 5,
    "dinov3": 5,
    "clip": 1,
    "siglip": 0,
    "vit": 1,
    "deit": 2,
}


def make_backbone(kind: str):
    """A backbone of KerasHub, with the weights that it starts with."""
    from keras_hub import models

    def vision(name: str):
        return getattr(models, name)(intermediate_dim=32, **_IMAGE, **_SMALL)

    def text(name: str):
        vocabulary = {"vocabulary_size": 10, "embedding_dim": WIDTH, "intermediate_dim": 32}
        return getattr(models, name)(**vocabulary, **_SMALL)

    if kind == "clip":
        towers = vision("CLIPVisionEncoder"), text("CLIPTextEncoder")
        return models.CLIPBackbone(*towers, projection_dim=PROJECTED)
    if kind == "siglip":
        return models.SigLIPBackbone(vision("SigLIPVisionEncoder"), text("SigLIPTextEncoder"))
    if kind == "vit":
        return models.ViTBackbone(mlp_dim=32, **_IMAGE, **_SMALL)
    if kind == "deit":
        return models.DeiTBackbone(intermediate_dim=32, **_IMAGE, **_SMALL)
    if kind == "dinov3":
        return models.DINOV3Backbone(intermediate_dim=32, **_IMAGE, **_SMALL)
    registers = {"num_register_tokens": 4} if kind == "dinov2_with_registers" else {}
    return models.DINOV2Backbone(intermediate_dim=32, **_IMAGE, **_SMALL, **registers)


def make_converter(kind: str, **changed):
    """The image converter of a kind."""
    from keras_hub import layers

    name, scaling = KINDS[kind]
    return getattr(layers, f"{name}ImageConverter")(**_NORMALISED | scaling | changed)


def save_preset(kind: str, folder: Path) -> None:
    """Write a preset with random weights."""
    backbone = make_backbone(kind)
    generator = np.random.default_rng(0)
    for variable in backbone.weights:
        noise = generator.standard_normal(tuple(variable.shape), dtype=np.float32)
        variable.assign(variable + 0.3 * noise)
    backbone.save_to_preset(folder)
    make_converter(kind).save_to_preset(folder)
