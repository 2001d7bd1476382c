"""A small study on disk, from images to shards, and its assets run through Dagster.

What belongs here: making such a study, running its assets, reading what they say. What does not:
expectations.
"""

import dagster as dg
import numpy as np
import pandas as pd
from dagster_duckdb import DuckDBResource

from streetineq_assets.codes import assets as codes
from streetineq_assets.findings import Findings
from streetineq_assets.images import assets as images
from streetineq_assets.manifests import Recipe
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import GpuResource, StudyResource
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.images.pictures import views_of, write_files

STUDY = """
title = "Two towns"
date = 2017-08-01
synthetic = true

[encoder]
backbone = "mobilenet_v2"
layer = "block_1_expand"
weights = "random"
batch_size = 8

[shards]
rows = 8

[cities.alpha]
title = "Alpha"
authorities = ["E09000001"]
buckets = 2
outcomes = ["crime"]

[cities.beta]
title = "Beta"
authorities = ["E09000002"]
buckets = 1
outcomes = ["crime"]
"""
IDS = [f"L{number:02d}" for number in range(12)]
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class Platform:
    """A study on disk, and its assets run one by one on one instance."""

    def __init__(self, root, instance):
        root.joinpath("study.toml").write_text(STUDY, encoding="utf-8")
        self.root, self.store, self.instance = root, DataStore(root), instance
        self.images = self.store.inputs("images", "alpha")
        write_files(self.images, views_of(IDS))
        self.list_locations(IDS)
        self._publish_postcodes()

    def list_locations(self, ids):
        lines = [f"{each},AB1 {number:d}CD" for number, each in enumerate(ids)]
        text = "\n".join(["location_id,postcode", *lines])
        write_files(self.store.inputs("locations"), {"alpha.csv": text.encode()})

    def _publish_postcodes(self):
        table = pd.DataFrame(
            {
                "postcode": [f"AB1 {number:d}CD" for number in range(10)],
                "city": "alpha",
                "oa11": "E00000001",
                "lsoa11": [f"E0100000{number}" for number in range(10)],
                "msoa11": "E02000001",
                "lat": 51.5,
                "lon": 0.1,
                "usertype": np.int8(0),
                "introduced": pd.Timestamp("2000-01-01"),
                "terminated": pd.NaT,
            }
        )

        def write(folder):
            table.to_parquet(folder / "postcode_lsoa.parquet", index=False)
            return Findings()

        self.store.publish("postcode_lsoa", None, Recipe(code_version="1"), write)

    def run(self, asset, partition=None, *, tags=None, config=None):
        parts = Partitions(load_study(self.root / "study.toml"))
        assets = [*images.build_assets(parts), *codes.build_assets(parts)]
        assets.append(dg.AssetSpec("postcode_lsoa"))
        return dg.materialize(
            assets,
            selection=[asset],
            partition_key=partition,
            tags=tags,
            instance=self.instance,
            raise_on_error=False,
            run_config={"ops": {asset: {"config": config}}} if config else None,
            resources={
                "study": StudyResource(root=str(self.root)),
                "gpu": GpuResource(kind="cpu"),
                "duckdb": DuckDBResource(database=":memory:"),
            },
        )

    def run_all(self):
        done = {
            "street_images": self.run("street_images", "alpha"),
            "locations": self.run("locations", "alpha"),
            "image_codes": self.run_buckets(),
            "hdf5_shards": self.run("hdf5_shards", "alpha"),
        }
        assert all(result.success for result in done.values())
        return done

    def run_buckets(self, **options):
        return self.run("image_codes", tags={START: "alpha/000", END: "alpha/001"}, **options)


def metadata(result, asset):
    events = result.asset_materializations_for_node(asset)
    return {event.partition: {k: v.value for k, v in event.metadata.items()} for event in events}


def checks(result):
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def failed(result):
    return {name for name, found in checks(result).items() if not found.passed}


def failure(result):
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description
