"""The asset of this step: what the results of a city rest on."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from streetineq_assets.audit import checks, tables
from streetineq_assets.audit.data_audit import read_audit_sources, write_audit
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import Events, StudyResource, define_asset

GROUP = "8_audit"


def data_audit(
    context: dg.AssetExecutionContext, study: StudyResource, duckdb: DuckDBResource
) -> Events:
    """What a city's results rest on: the rights of its images, their dates, and which areas.

    Of the images: by provider and licence what may be done with them, and in which years they were
    taken. Of each outcome: how far that is from the time that its labels describe, whether its
    publisher modelled it, and whether deprived areas were ranked as often as well-off ones.
    """
    with duckdb.get_connection() as connection:
        sources = read_audit_sources(connection, study.store, study.study, context.partition_key)
    yield from study.materialize(
        context,
        lambda folder: write_audit(sources, folder),
        inputs=sources.digests(),
        config=sources.config(),
        columns=tables.DATA_AUDIT,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """The audit, one city a run, after all of its pairs."""
    return [
        define_asset(
            data_audit,
            group_name=GROUP,
            kinds={"parquet"},
            deps=[
                "postcode_lsoa",
                "lsoa_labels",
                "locations",
                parts.pairs_to_city("lsoa_predictions"),
            ],
            partitions_def=parts.city,
            code_version="1",
            checks=checks.DATA_AUDIT,
        ),
    ]
