"""What decides the codes of a bucket: the recipe by which `image_codes` knows it unchanged."""

from typing import Any

import pandas as pd

from streetineq_assets.codes.encoders.loading import weights_input
from streetineq_assets.image_settings import Views
from streetineq_assets.images.changes import slice_digest
from streetineq_assets.images.panorama import VERSION
from streetineq_assets.images.tables import EQUIRECTANGULAR
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study


def bucket_recipe(store: DataStore, study: Study, images: pd.DataFrame, version: str) -> Recipe:
    """Images, weights and all settings that change codes; a batch's size does not.

    Args:
        images: the bucket's rows of `street_images`.
        version: the code version of `image_codes`.

    Raises:
        SourceMissingError, SourceError: as `loading.weights_input`.
    """
    settings = study.encoder
    weights = weights_input(settings, store.root, study.seed)
    # Limits that a study does not set are no part of it: codes of earlier versions stay. Nor are
    # the files' names, by which the listing alone is made.
    limits = study.images.model_dump(exclude_defaults=True, exclude={"names"})
    return Recipe(
        code_version=version,
        inputs={"street_images": slice_digest(images), "vgg16_weights": weights},
        config=settings.decisive
        | ({"images": limits} if limits else {})
        | _cut(study.views, images),
    )


def _cut(views: Views, images: pd.DataFrame) -> dict[str, Any]:
    """How views are cut, where some are: nothing else of `[views]` reaches pixels."""
    projection = images.reindex(columns=["projection"])  # absent in earlier versions
    if not (projection == EQUIRECTANGULAR).to_numpy().any():
        return {}
    return {"views": views.model_dump(include={"fov_deg", "width_px", "height_px"}), "cut": VERSION}
