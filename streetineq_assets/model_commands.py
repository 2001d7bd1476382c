"""The commands `streetineq model export | import | predict`."""

from pathlib import Path
from typing import Annotated

import typer

from streetineq_assets.command_line import Root, one_message
from streetineq_assets.errors import StreetineqError, StudyError
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, load_study

model = typer.Typer(
    help="Trained networks as one file: export, import, predict.", no_args_is_help=True
)
AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Take networks of other labels than stand now.")
]


@model.command("export")
def export_model(
    pair: Annotated[str, typer.Argument(help="City and outcome, such as london/crime.")],
    file: Annotated[Path, typer.Argument(help="The bundle to write.", dir_okay=False)],
    root: Root = Path("data"),
    allow_stale: AllowStale = False,
) -> None:
    """Write a pair's networks, what they were trained on, and a model card into one file."""
    from streetineq_assets.models.bundles.bundle import export_bundle
    from streetineq_assets.predictions.lineage import Lineage, evaluation_of
    from streetineq_assets.reports.history import made_with

    with one_message():
        store = DataStore(root)
        known = _known_pair(store, pair)
        evaluation = evaluation_of(store, known)
        metrics = evaluation.table("metrics.parquet") if evaluation else None
        settings = made_with(store, Lineage(store, load_study(store.study_file)), known)
        made = export_bundle(store, known, file, metrics, settings, allow_stale=allow_stale)
        typer.echo(f"{pair} in {made}")
        if evaluation is None:
            typer.echo(
                "without metrics: these networks are not evaluated; materialise "
                "location_predictions, lsoa_predictions and lsoa_evaluation, then export again"
            )


@model.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A bundle.", dir_okay=False)],
    root: Root = Path("data"),
) -> None:
    """Check a bundle and put it where study.toml can name it, below inputs/models."""
    from streetineq_assets.models.bundles.bundle import import_bundle

    with one_message():
        typer.echo(f"imported as {import_bundle(file, DataStore(root))}")


@model.command("predict")
def predict_with_model(
    file: Annotated[Path, typer.Argument(help="A bundle.", dir_okay=False)],
    city: Annotated[str, typer.Argument(help="A city with packed codes; it needs no labels.")],
    target: Annotated[Path, typer.Argument(help="The CSV to write.", dir_okay=False)],
    root: Root = Path("data"),
    allow_stale: AllowStale = False,
) -> None:
    """Predict the decile of each of a city's locations from its codes alone."""
    from streetineq_assets.devices import DeviceRequest, lease
    from streetineq_assets.models.bundles.bundle import (
        ALLOW_STALE,
        in_sample,
        open_bundle,
        predict,
    )
    from streetineq_assets.models.dataset import open_codes, read_location_areas
    from streetineq_assets.reports.exports import write_csv

    with one_message():
        if not target.parent.is_dir():
            raise StreetineqError(f"there is no folder {target.parent}: make it first")
        store = DataStore(root)
        study = load_study(store.study_file)
        study.require_city(city)
        budget = study.training.memory_budget_mb * 2**20
        codes = open_codes([store.open("hdf5_shards", city)], budget)
        bundle = open_bundle(file)
        if (stale := bundle.stale_labels(store, study)) and not allow_stale:
            raise StreetineqError(f"{stale}: get a bundle of today's labels, or {ALLOW_STALE}")
        with lease(DeviceRequest()):
            frame = predict(bundle, codes)
        if frame.empty:
            raise StreetineqError(f"{city} has no codes: `streetineq run --city {city}` makes them")
        by_city = bundle.description.learned_from(city, study.cities[city].authorities)
        is_located = store.manifest("locations", city) is not None
        areas = read_location_areas(store, city) if is_located else None
        seen = in_sample(bundle, frame["location_id"], areas, by_city=by_city)
        write_csv(frame.assign(in_sample=seen), target, float_format=None)
        typer.echo(f"{len(frame)} locations in {target}")
        if (views := codes.reader.views) != (learned := bundle.description.n_views):
            typer.echo(
                f"note: these networks learned from {learned} views of each location, and {city} "
                f"has {views}: their scores spread otherwise, so read the order of locations",
                err=True,
            )
        if seen.any():
            typer.echo(
                f"warning: {seen.sum()} of {len(seen)} locations of {city} lie in areas that "
                "taught these networks, so their predictions are in sample and do not test them; "
                "location_predictions has those out of fold",
                err=True,
            )


def _known_pair(store: DataStore, pair: str) -> Pair:
    pairs = {known.key: known for known in load_study(store.study_file).pairs}
    if pair not in pairs:
        raise StudyError(f"{pair} is no pair of the study, which has {', '.join(pairs)}")
    return pairs[pair]
