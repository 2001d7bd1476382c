"""The model card of a bundle: what the networks are for, how good, and where they must not be used.

What belongs here: the text. What does not: the bundle (`bundle`).
"""

from collections.abc import Mapping
from typing import Any

_METRICS = ("spearman", "kappa_quadratic", "mae")
_CARD = """\
# {outcome} in {city_title}

Ordinal networks that give street locations a decile of `{outcome}` from 1 (worst-off) to 10
(best-off), relative to the areas of {city_title}. One network per fold; predictions are their mean.
{synthetic}
## Intended use

Research on inequality between small areas, for cities whose street images are like those of
{city_title}. Scores rank areas; a decile of another city is relative to that city, so calibrate
there, or fine-tune, before reading deciles as such.

## Not intended

Decisions about people, households or single addresses; areas with few images; images taken in
another way (height, camera, season) without a check; any claim about causes.

## How they were made

- codes: {backbone} {layer}, preprocessing {preprocessing}, weights {weights}
  (sha256 `{weights_sha256}`), {width} values for each of four views
- profile `{profile_name}`, head `{head}`, seed {seed}; folds of whole areas
- trained on {n_locations} locations in {n_areas} areas; {n_folds} folds

## How good

{metrics}

Read no figure of the networks without the one of coordinates alone beside it: much of a city's
inequality can be guessed from where a place is.

## Limits

Labels are statistics of areas (an ecological measure), images show what a camera saw on one day,
and deciles are cut among the city's own areas. Coverage by images differs between areas.
"""


def model_card(about: Mapping[str, Any]) -> str:
    """The card as Markdown, from what `bundle.json` says."""
    figures, encoder = about["training"]["summary"]["figures"], about["encoder"]
    synthetic = "\n**Trained on synthetic input: of no use on real images.**\n"
    return _CARD.format(
        outcome=about["outcome"],
        city_title=about["city_title"],
        synthetic=synthetic if about["synthetic"] or encoder["synthetic"] else "",
        **{key: encoder[key] for key in ("backbone", "layer", "preprocessing", "weights")},
        weights_sha256=encoder["weights_sha256"],
        width=encoder["width"],
        profile_name=about["profile_name"],
        head=about["profile"]["head"],
        seed=about["training"]["recipe"]["config"]["seed"],
        n_locations=figures["n_locations_used"],
        n_areas=figures["n_areas_used"],
        n_folds=figures["n_folds"],
        metrics=_metrics_table(about["metrics"]),
    )


def _metrics_table(metrics: list[Mapping[str, Any]]) -> str:
    """Out-of-fold metrics of areas, network and baselines."""
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
    return "undefined" if value is None else f"{value:.3f}"
