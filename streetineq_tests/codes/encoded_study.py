"""A small study on disk, from images to shards, for tests to change and to run."""

import numpy as np
import pandas as pd

from streetineq_assets.store import DataStore
from streetineq_tests import studies
from streetineq_tests.harness import publish, run
from streetineq_tests.images.pictures import views_of, write_files

STUDY = studies.two_towns("""synthetic = true

[encoder]
backbone = "mobilenet_v2"
layer = "block_1_expand"
weights = "random"
batch_size = 8

[shards]
rows = 8
""")
IDS = [f"L{number:02d}" for number in range(12)]
BUCKETS = ("alpha/000", "alpha/001")
BLURRED = {"images_usable"}  # pictures of 40 x 30 pixels


def _postcode(number):
    return f"AB{1 + number // 10} {number % 10}CD"


class Platform:
    """A study on disk, and its assets run one by one on one instance."""

    def __init__(self, root, instance=None):
        self.root, self.store, self.instance = root, DataStore(root), instance
        self.images = self.store.inputs("images", "alpha")

    def write(self):
        studies.new_study(self.root, STUDY)
        files = views_of(IDS)
        write_files(self.images, files | {"L11_c.png": files["L10_a.png"]})
        self.list_locations(IDS)
        self.publish_directory(10)

    def publish_directory(self, n_postcodes):
        """The postcodes of so many locations, each in an area of its own.

        The last two locations have an image in common, and no area while there are ten postcodes.
        """
        table = pd.DataFrame(
            {
                "postcode": [_postcode(number) for number in range(n_postcodes)],
                "city": "alpha",
                "oa": "E00000001",
                "area": [f"E010000{number:02d}" for number in range(n_postcodes)],
                "msoa": "E02000001",
                "lat": 51.5,
                "lon": 0.1,
                "usertype": np.int8(0),
                "introduced": pd.Timestamp("2000-01-01"),
                "terminated": pd.NaT,
            }
        )
        publish(self.store, "postcode_lsoa", None, postcode_lsoa=table)

    def list_locations(self, ids):
        lines = [f"{each},{_postcode(number)}" for number, each in enumerate(ids)]
        text = "\n".join(["location_id,postcode", *lines])
        write_files(self.store.inputs("locations"), {"alpha.csv": text.encode()})

    def run(self, asset, partition="alpha", **options):
        return run(self.store, asset, partition, instance=self.instance, **options)

    def run_buckets(self, **options):
        return self.run("image_codes", None, keys=BUCKETS, **options)

    def run_all(self):
        return {
            "street_images": self.run("street_images"),
            "locations": self.run("locations"),
            "image_codes": self.run_buckets(),
            "hdf5_shards": self.run("hdf5_shards"),
        }
