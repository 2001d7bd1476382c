"""The assets of this step: what a provider has for a city, and what was fetched of it."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.imagery import checks
from streetineq_assets.imagery.asking import asking, forget_old_answers
from streetineq_assets.imagery.bucket_images import (
    carry_over,
    read_bucket_sources,
    write_images,
    write_no_images,
)
from streetineq_assets.imagery.city_plan import (
    limit_of_today,
    read_plan_sources,
    write_no_plan,
    write_plan,
)
from streetineq_assets.imagery.retention import keeps_pictures
from streetineq_assets.imagery.tables import IMAGERY, IMAGERY_PLAN
from streetineq_assets.images.acquired import ImageryRecord
from streetineq_assets.partitions import Partitions
from streetineq_assets.resources import Events, StudyResource, define_asset
from streetineq_assets.study import city_of

GROUP = "2_imagery"


class ImageryPlanConfig(dg.Config):
    """How a plan is made."""

    refresh: bool = Field(
        False, description="Also ask the provider again where nothing of the study changed."
    )


def imagery_plan(
    context: dg.AssetExecutionContext,
    config: ImageryPlanConfig,
    study: StudyResource,
    duckdb: DuckDBResource,
) -> Events:
    """Which images a provider has where the study wants some, and what it would cost to fetch them.

    Locations are drawn in every area of the city. The provider is asked for metadata alone; nothing
    is fetched. A location is planned where all four views can be shown; every gap has its reason.
    Look at the plan, then set `most_gigabytes` under [imagery] in study.toml.
    """
    city, store, settings = context.partition_key, study.store, study.study
    if settings.imagery is None or not settings.acquires(city):
        yield from study.materialize(context, lambda folder: write_no_plan(folder, _OTHERS))
        return
    with duckdb.get_connection() as connection:
        sources = read_plan_sources(connection, store, settings, city)
    work = store.workspace("imagery_plan", city)

    def make(folder: Path) -> Findings:
        forget_old_answers(work)
        with asking(sources.settings, settings, work, context.log.warning) as asked:
            findings = write_plan(sources, asked, folder, report=context.log.info)
            findings.values |= asked.counts()
        return findings

    yield from study.materialize(
        context,
        make,
        inputs=sources.digests(),
        config=sources.config(),
        columns=IMAGERY_PLAN,
        again=config.refresh,
        ask_again=lambda: [limit_of_today(store, sources)],
    )
    store.clear_workspace("imagery_plan", city)


def imagery(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """The images that were planned of a bucket, as the provider has them, with their terms.

    Each has its provider, id, creator, licence, time, direction, position and sha256. What cannot
    be had is counted by reason. A run that was killed resumes; pictures of before are not fetched
    again. The recording of all answers is published too: `streetineq replay` repeats from it.
    """
    key, store, settings = context.partition_key, study.store, study.study
    if settings.imagery is None or not settings.acquires(city_of(key)):
        yield from study.materialize(context, lambda folder: write_no_images(folder, _OTHERS))
        return
    wanted, work = settings.imagery, store.workspace("imagery", key)
    sources = read_bucket_sources(store, settings, wanted, key)

    def make(folder: Path) -> Findings:
        if sources.why_not:
            return write_no_images(folder, sources.why_not)
        with asking(wanted, settings, work, context.log.warning) as asked:
            kept = carry_over(store, key, sources.captures, asked.recording, work / "pictures")
            findings = write_images(
                sources,
                asked.provider,
                asked.recording,
                folder,
                work=work / "pictures",
                report=context.log.info,
            )
            findings.values |= {"n_pictures_of_before": kept} | asked.counts()
            keeps = keeps_pictures(asked.provider, settings.rights)
        findings.record = ImageryRecord(keeps_pictures=keeps)
        return findings

    yield from study.materialize(
        context,
        make,
        inputs=sources.digests(),
        config={"fetch": sources.why_not is None},
        columns=IMAGERY,
        areas=False,
    )
    store.clear_workspace("imagery", key)


_OTHERS = Unavailable(
    "cities under [imagery] in study.toml",
    "the images of this city are not acquired but its own",
    by_settings=True,
)


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Plan and images, where the study acquires any; else nothing."""
    if parts.imagery_pool is None:
        return []
    return [
        define_asset(
            imagery_plan,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["postcode_lsoa", "lsoa_boundaries"],
            partitions_def=parts.city,
            pool=parts.imagery_pool,
            code_version="1",
            checks=checks.IMAGERY_PLAN,
        ),
        define_asset(
            imagery,
            group_name=GROUP,
            kinds={"file", "parquet"},
            deps=[parts.city_to_buckets("imagery_plan")],
            partitions_def=parts.bucket,
            pool=parts.imagery_pool,
            code_version="1",
            checks=checks.IMAGERY,
        ),
    ]
