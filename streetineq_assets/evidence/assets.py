"""The assets of this step: for whom the predictions of a pair err."""

from pathlib import Path

import dagster as dg
import pandas as pd

from streetineq_assets.digests import digest_frame
from streetineq_assets.evidence import checks, equity, plots
from streetineq_assets.evidence.groups import Groups, read_groups
from streetineq_assets.evidence.tables import EQUITY
from streetineq_assets.findings import AVAILABLE, Findings, unavailable_findings
from streetineq_assets.partitions import Partitions
from streetineq_assets.predictions.places import pair_values, read_places
from streetineq_assets.resources import Events, StudyResource, define_asset
from streetineq_assets.study import Pair
from streetineq_assets.tables import empty, write

GROUP = "evidence"
_READING = (
    "Errors are predicted minus actual decile. Every prediction leans to the middle, so areas of "
    "decile 1 err upwards and areas of decile 10 downwards, and so do groups of such areas. "
    "`error_at_same_decile` is what a group has beyond others of the same official value."
)


def equity_audit(context: dg.AssetExecutionContext, study: StudyResource) -> Events:
    """For whom the predictions err, and whose need is missed if they decide who is funded.

    Errors, coverage of intervals and missed need by actual decile, by local authority and by every
    grouping in `inputs/groups`, with intervals; and whether a group errs otherwise than others of
    the same actual decile do.
    """
    pair, seed = Pair.parse(context.partition_key), study.study.seed
    predicted = study.store.open("lsoa_predictions", pair.key)
    values = pair_values(study.store, pair)
    places = read_places(study.store, pair.city)
    groups = read_groups(study.store, values["lsoa11"])

    def make(folder: Path) -> Findings:
        file = folder / "equity_audit.parquet"
        if why := predicted.manifest.unavailable:
            write(empty(EQUITY), EQUITY, file)
            return unavailable_findings(why, checks.EQUITY_AUDIT)
        areas = equity.gather(values, predicted.table(), places)
        table = equity.audit(areas, groups.table, seed=seed).assign(**pair._asdict())
        write(table, EQUITY, file)
        if len(table):
            plots.plot_equity(table, folder / "errors_by_group.png")
        return _audited(table, len(areas), groups)

    yield from study.materialize(
        context,
        make,
        inputs={
            "lsoa_predictions": predicted.digest,
            "values": digest_frame(values),
            "places": digest_frame(places),
            "groups": groups.digest(),
        },
        config={"seed": seed},
        columns=EQUITY,
    )


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The audit by pair, and the files that people bring for it."""
    return [
        dg.AssetSpec(
            "area_groups",
            group_name=GROUP,
            kinds={"csv"},
            description="Groups of areas to audit by, in `inputs/groups`, if you have any.",
        ),
        define_asset(
            equity_audit,
            group_name=GROUP,
            kinds={"parquet"},
            deps=["lsoa_predictions", "lsoa_labels", "postcode_lsoa", "area_groups"],
            partitions_def=parts.pair,
            code_version="1",
            checks=checks.EQUITY_AUDIT,
        ),
    ]


def _audited(table: pd.DataFrame, n_areas: int, groups: Groups) -> Findings:
    city = table[table["grouping"] == equity.CITY].set_index("measure")["value"]
    notes = {"reading": _READING}
    if groups.notes:
        notes["groups"] = "".join(f"- {note}\n" for note in groups.notes)
    return Findings(
        values={"n_lsoas_of_city": n_areas, **city.to_dict()},
        checks=[
            AVAILABLE.result(True, "predictions and labels are there"),
            checks.no_group_is_missed(table),
        ],
        tables={"groups": equity.wide(table).astype(object).to_dict("records")},
        notes=notes,
        holdings={"areas": n_areas, "groupings": int(table["grouping"].nunique())},
    )
