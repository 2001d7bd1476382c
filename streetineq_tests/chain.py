"""A small study, and every job of it run in this process, for tests of the whole chain."""

from pathlib import Path

import dagster as dg

from streetineq_assets.definitions import build_definitions
from streetineq_assets.demo.city import Truth, write_study
from streetineq_assets.run import QUIET, planned_runs

SMALL = {"backbone": "mobilenet", "layer": "conv_pw_1_relu"}
FEWER = {
    "buckets = 2": "buckets = 1",
    "buckets = 4": "buckets = 2",
    "repeats = 2": "repeats = 1",
    ', "self_reported_health"': "",
    "seeds = 2  # three in earnest": "seeds = 1",
    "overrides = { steps_per_root_area = 5.0 }  # ten in earnest": "overrides = { epochs = 2 }",
    "[folds]": "[folds]\nk = 3",
    '["area", "spatial_block", "district"]': '["area", "district"]',
}

# Names that engines read as columns, patterns, quotes, variables, options, or parts of a URL.
AWKWARD = "city=northmere/decile=3, area=x/-it's Zoë's [study] #1 (100 %) $HOME ~*;&"
PAIRS = [
    "northmere/living_environment",
    "northmere/mean_income",
    "saltbridge/living_environment",
]


def write_small_study(root: Path) -> Truth:
    """Two cities of the demo in little; their networks hardly learn."""
    truth = write_study(
        root,
        sizes={"northmere": 20, "saltbridge": 15},
        locations_per_lsoa=1,
        image_size=(96, 64),
        encoder=SMALL,
    )
    settings = root / "study.toml"
    text = settings.read_text(encoding="utf-8")
    for demo, fewer in FEWER.items():
        assert demo in text
        text = text.replace(demo, fewer)
    settings.write_text(text, encoding="utf-8")
    return truth


def run_chain(root: Path, *, fails: bool = False) -> dict[str, dg.ExecuteInProcessResult]:
    """Run every job on every partition, in order.

    Args:
        fails: go on after failures; else the first is raised.
    """
    definitions = build_definitions(root)
    with dg.DagsterInstance.ephemeral() as instance:
        return {
            str(run): definitions.resolve_job_def(run.job).execute_in_process(
                instance=instance,
                partition_key=run.partition,
                run_config=QUIET,
                raise_on_error=not fails,
            )
            for run in planned_runs(definitions)
        }
