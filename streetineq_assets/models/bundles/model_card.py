"""The model card of a bundle: what the networks are for, how good, and where not to use them."""

from collections.abc import Iterable, Mapping
from typing import Any

from streetineq_assets.models.folds import scheme_note

INTENDED_USE = """\
Research on inequality between small areas, for cities whose street images are like those of
{cities}. Scores rank areas; a decile of another city is relative to that city, so calibrate
there, or fine-tune, before reading deciles as such."""
NOT_INTENDED = """\
Decisions about people, households or single addresses; areas with few images; images taken in
another way (height, camera, season) without a check; any claim about causes."""
BESIDE_THE_MAP = """\
Read no metric of the networks without those of the map beside it (`map_knn`: the nearest areas'
deciles, no image): much of a city's inequality can be guessed from where a place is."""
LIMITS = """\
Labels are statistics of areas (an ecological measure), images show what a camera saw on one day,
and deciles are cut among the city's own areas. Coverage by images differs between areas."""
_METRICS = ("spearman", "kappa_quadratic", "mae")
_CARD = """\
# {outcome} in {cities}

Ordinal networks that give street locations a decile of `{outcome}` from 1 (worst-off) to 10
(best-off), relative to the areas of {cities}. One network per fold; predictions are their mean.
{synthetic}
## Intended use

{intended}

## Not intended

{not_intended}

Predicting {cities}: the networks have seen the deciles of {cities} and repeat them, so such
predictions are in sample and say nothing of how good the networks are. `streetineq model predict`
marks them in the column `in_sample`. {areas}

## How they were made

- codes: {backbone} {layer}, preprocessing {preprocessing}, weights {weights}
  (sha256 `{weights_sha256}`), {precision} arithmetic, {width} values for each of {n_views} views
- profile `{profile_name}`, head `{head}`, seed {seed}
- trained on {n_locations} locations in {n_lsoas} areas of {cities}; {folds}
{made_with}
## How good

{leak}{metrics}

{beside_the_map}

## Limits

{limits}
"""
# What a pair's history says beside what its own record says; the names are those of the report.
_STATED = (
    "Folds",
    "Spatial blocks",
    "Aggregation rule",
    "Date",
    "Editions",
    "Arithmetic of training",
)
_FOLDS = {
    "area": "{n} folds of whole areas",
    "spatial_block": "{n} folds of whole squares of the map",
    "location": "{n} folds of single locations",
    "district": "{n} folds of whole local authorities",
    "city": "{left_out} was left out, and its areas are the test",
    "holdout": "one split of whole areas into training, validation and test",
}


def model_card(about: Mapping[str, Any]) -> str:
    """The card as Markdown, from what `bundle.json` says."""
    record, encoder = about["record"], about["encoder"]
    leak = scheme_note([record["scheme"]])
    cities = ", ".join(about["trained_on"].values())
    synthetic = "\n**Trained on synthetic input: of no use on real images.**\n"
    return _CARD.format(
        outcome=about["outcome"],
        cities=cities,
        intended=INTENDED_USE.format(cities=cities),
        not_intended=NOT_INTENDED,
        beside_the_map=BESIDE_THE_MAP,
        limits=LIMITS,
        synthetic=synthetic if about["synthetic"] else "",
        **{key: encoder[key] for key in ("backbone", "layer", "preprocessing", "weights")},
        weights_sha256=encoder["weights_sha256"],
        width=encoder["width"],
        n_views=about["n_views"],
        precision="float16" if encoder["mixed_precision"] else "float32",
        profile_name=record["profile_name"],
        head=about["profile"]["head"],
        seed=about["training"]["recipe"]["config"]["seed"],
        n_locations=record["n_locations_trained_on"],
        n_lsoas=record["n_lsoas_trained_on"],
        folds=_FOLDS[record["scheme"]].format(n=record["n_folds"], left_out=about["city_title"]),
        areas=_areas(about.get("n_areas")),
        made_with="".join(
            f"- {name.lower()}: {about['made_with'][name]}\n"
            for name in _STATED
            if name in about["made_with"]
        ),
        leak=f"**{leak}**\n\n" if leak else "",
        metrics=metrics_table(about["metrics"]),
    )


def _areas(n_areas: int | None) -> str:
    if n_areas is None:
        return "Which areas taught the networks is not known: an earlier version trained them."
    return f"`areas.txt` lists the {n_areas} areas that taught them."


def metrics_table(metrics: Iterable[Mapping[str, Any]]) -> str:
    """The metrics that cards show as a table of Markdown, out of fold, network and baselines.

    Args:
        metrics: rows of `predictions.tables.METRICS`; a value that is undefined is None.
    """
    shown = [row for row in metrics if row["metric"] in _METRICS]
    if not shown:
        return "Not evaluated yet."
    lines = [
        "| model | folds | metric | value | 95 % interval | areas |",
        "|---|---|---|---|---|---|",
    ]
    for row in shown:
        interval = f"{_number(row['lower'])} to {_number(row['upper'])}"
        cells = (row["model"], row["scheme"], row["metric"], _number(row["value"]), interval)
        lines.append(f"| {' | '.join(cells)} | {row['n_lsoas']} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:z.3f}"
