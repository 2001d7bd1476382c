"""A city of three buckets as `image_codes` writes them, packed into shards."""

import hashlib

import numpy as np
import pandas as pd

from streetineq_assets.codes.bucket_file import Contents, Rejection, write_bucket
from streetineq_assets.codes.packing import pack_city
from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.codes.shown_pictures import show_pictures
from streetineq_assets.image_settings import Rights
from streetineq_assets.images.catalogue import bucket_of
from streetineq_tests.codes.fakes import IDENTITY

N_BUCKETS = 3
WIDTH = 5
ENCODER = IDENTITY.model_copy(update={"width": WIDTH})
ATTRIBUTES = {"synthetic": True, "versions": "{}"}


def image_hash(location_id, view):
    return hashlib.sha256(f"{location_id}{view}".encode()).hexdigest()


def show_nothing(views):
    """Views of a study that shows no images."""
    licences = pd.DataFrame(columns=["location_id", "provider", "licence", "creator"], dtype="str")
    return show_pictures(views, licences, Rights(), None)


class CityOfBuckets:
    """Buckets as `image_codes` writes them, for tests to spoil."""

    def __init__(self, folder, ids, *, width=WIDTH, scale=8.0, seed=0, views="abcd"):
        generator = np.random.default_rng(seed)
        codes = generator.normal(-5, scale, (len(ids), len(views), width)).astype(np.float32)
        self.folder = folder
        self.features = dict(zip(ids, codes, strict=True))
        self.views = views
        self.hashes = {i: [image_hash(i, view) for view in views] for i in ids}
        self.present = {}
        self.bucket = {i: bucket_of("leeds", i, N_BUCKETS) for i in ids}
        self.rejections = []
        self.quality = {}
        encoder = ENCODER.model_copy(update={"width": width})
        self.encoders = {f"leeds/{number:03d}": encoder for number in range(N_BUCKETS)}
        self.listed = sorted(ids)
        self.locations = pd.DataFrame(
            {"location_id": sorted(ids), "area": [f"E{n // 2:08d}" for n in range(len(ids))]}
        )

    def write(self):
        files = {}
        for key, encoder in self.encoders.items():
            ids = sorted(i for i in self.features if self.bucket[i] == key)
            rejections = [r for r in self.rejections if self.bucket[r.location_id] == key]
            hashes = np.array([self.hashes[i] for i in ids]).reshape(len(ids), len(self.views))
            all_views = [True] * len(self.views)
            present = np.array([self.present.get(i, all_views) for i in ids], bool)
            blocks = [self.features[i][None] for i in ids]
            path = self.folder / f"{key.replace('/', '_')}.h5"
            quality = self._quality_of(ids) if self.quality else None
            contents = Contents(
                ids,
                hashes,
                encoder,
                rejections,
                ATTRIBUTES,
                image_quality=quality,
                present=present if self.present else None,
            )
            write_bucket(path, contents, blocks)
            files[key] = path
        return files

    def _quality_of(self, ids):
        unknown = np.full((4, 3), np.nan, np.float32)
        return np.array([self.quality.get(i, unknown) for i in ids], np.float32).reshape(-1, 4, 3)

    def reject(self, location_id, reason="truncated"):
        del self.features[location_id]
        self.rejections.append(Rejection(location_id, "b", reason))

    def made_by(self, **changed):
        """Let another encoder have made all buckets."""
        for key, encoder in self.encoders.items():
            self.encoders[key] = encoder.model_copy(update=changed)

    def pack(self, **options):
        target = self.folder / "shards"
        target.mkdir(exist_ok=True)
        settings = {
            "stale": [],
            "seed": 2019,
            "rows_per_shard": 16,
            "title": "Leeds",
            "show": show_nothing,
        }
        findings = pack_city(
            self.write(), target, listed=self.listed, locations=self.locations, **settings | options
        )
        self.shards = sorted(target.glob("*.h5"))
        return findings

    def reader(self):
        rows = pd.read_parquet(self.folder / "shards" / "rows.parquet")
        return ShardReader(self.shards, rows)


IDS = [f"{number}" for number in range(50)]
