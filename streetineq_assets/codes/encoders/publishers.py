"""The licences under which publishers give out their weights, as far as they state one.

They are suggestions for where study.toml states none: who trains a network on, or converts it, may
give it another. Of networks that are not named here, or with an empty word, no such statement was
found.

Sources: for Keras's networks "Applications" in Keras's documentation up to 2.2, which has a licence
for each; for the others the licence of the publisher's repository, or the card of the weights. What
a licence allows is in `licences`.
"""

CC_BY, MIT, APACHE, BSD = "CC-BY-4.0", "MIT", "Apache-2.0", "BSD-3-Clause"
DINOV3 = "LicenseRef-DINOv3"

# By the beginning of the name of the function in `keras.applications`, the longest that fits.
_APPLICATIONS = {
    "densenet": BSD,
    "inceptionresnetv2": APACHE,
    "inceptionv3": APACHE,
    "mobilenet": APACHE,  # the first and V2
    "mobilenetv3": "",
    "nasnet": APACHE,
    "resnet50": MIT,
    "resnet50v2": "",
    "vgg": CC_BY,  # VGG16 and VGG19: the Visual Geometry Group, Oxford
    "xception": MIT,
}


def of_application(backbone: str) -> str:
    """The licence of a network of `keras.applications` with ImageNet's weights, or an empty word.

    Args:
        backbone: as in study.toml, such as mobilenet_v2.
    """
    name = backbone.lower().replace("_", "")
    fitting = [beginning for beginning in _APPLICATIONS if name.startswith(beginning)]
    return _APPLICATIONS[max(fitting, key=len)] if fitting else ""
