"""What the contact sheet of a city's shards shows of its pictures, and what that depends on.

A study that shows no images has a sheet of ids, which the codes alone decide. Where it shows some,
the shards are packed again when licences, terms or rights change, so that no picture stays that may
no longer be shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from streetineq_assets.codes.shown_pictures import find_pictures, read_licences, show_pictures
from streetineq_assets.digests import digest_frame
from streetineq_assets.images.rights import terms_digest
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study


@dataclass(frozen=True)
class Sheet:
    """A city's.

    Attributes:
        listing: `street_images`.
        buckets: key to file of the codes.
    """

    store: DataStore
    study: Study
    city: str
    listing: Artefact
    buckets: Mapping[str, Path]

    def show(self, views: pd.DataFrame) -> pd.DataFrame:
        """Views with their credits and pictures, as `shown_pictures.show_pictures` gives them."""
        pictures = None
        if self.study.rights.show_images:
            pictures = find_pictures(
                self.store,
                self.city,
                views,
                listing=self.listing,
                bucket_file=self.buckets.get,
                views=self.study.views,
            )
        return show_pictures(views, self._licences, self.study.rights, pictures)

    def digests(self) -> dict[str, str]:
        """Of each slice that decides which pictures are shown, for the recipe."""
        return {"licences": digest_frame(self._licences)} if self.study.rights.show_images else {}

    def config(self) -> dict[str, Any]:
        """The settings that do, for the recipe."""
        if not self.study.rights.show_images:
            return {}
        return {"rights": self.study.rights.model_dump(mode="json"), "terms": terms_digest()}

    @cached_property
    def _licences(self) -> pd.DataFrame:
        return read_licences(self.store, self.city)
