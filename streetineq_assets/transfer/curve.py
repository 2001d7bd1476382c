"""How well tuned networks rank a city's areas, by the share of the city that tuned them.

What belongs here: the rank metrics of all targets in one table, their means and ranges over the
draws, and the curves. What does not: the tuning and its evaluation (`job`).

Deciles are relative to each city, so what can be transferred is a ranking. The lines to compare
with are those of the target itself, on the same folds: its own networks, and coordinates alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from streetineq_assets.findings import Check, Findings
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.folds import scheme_note
from streetineq_assets.plotting import new_figure, save_png
from streetineq_assets.predictions.evaluation import COORDINATES, NETWORK
from streetineq_assets.predictions.tables import conform, empty
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Study
from streetineq_assets.transfer.pair_tuning import ASSET as TUNED_MODEL
from streetineq_assets.transfer.tables import CURVE

METRICS = ("spearman_score", "kendall", "kappa_quadratic")
TUNED, OWN, OTHERS = "fine_tuned", "trained_here", "other_cities"
CHECKS = {
    "available": "Some pair has tuned networks, or networks of the other cities.",
    "one_percent_is_enough": "A share of 0.01 does as well as training on the whole city.",
}
_EVALUATION = "lsoa_evaluation"
_PAPER_SHARE = 0.01
_CLOSE = 0.05
_SHOWN = "spearman_score"
_TICKS = {0.0: "0", 0.01: "1 %", 0.1: "10 %", 1.0: "all"}
_COLOURS = ("#01665e", "#8c510a", "#7570b3", "#666666")


def read_evaluations(store: DataStore, study: Study) -> dict[tuple[str, str], Artefact]:
    """What is published: (asset, partition key) to the tuned or the own networks' evaluation."""
    found = {}
    for city, outcome in study.pairs:
        key = f"{city}/{outcome}"
        for asset in (TUNED_MODEL, _EVALUATION):
            manifest = store.manifest(asset, key)
            if manifest and manifest.summary["values"].get("status") != "unavailable":
                found[asset, key] = store.open(asset, key)
    return found


def write_report(evaluations: dict[tuple[str, str], Artefact], folder: Path) -> Findings:
    """Write `transfer_report.parquet`, `transfer_summary.parquet` and the curves."""
    curve = gather(evaluations)
    curve.to_parquet(folder / "transfer_report.parquet", index=False)
    summary = summarise(curve)
    summary.to_parquet(folder / "transfer_summary.parquet", index=False)
    if len(summary):
        draw_curves(summary, folder / "transfer_curves.png")
    n, note = curve.groupby(["city", "outcome"]).ngroups, scheme_note(curve["scheme"])
    return Findings(
        values={"status": "available" if n else "unavailable", "n_pairs": n},
        checks=[Check("available", n > 0, f"{n} pairs"), paper_claim(summary)],
        tables={"curve": summary.astype(object).to_dict("records")},
        notes={"leak": note} if note else {},
    )


def gather(evaluations: dict[tuple[str, str], Artefact]) -> pd.DataFrame:
    """The rank metrics of every target (`tables.CURVE`).

    A pair is a target when it was tuned, or when its folds hold out whole cities: then its own
    evaluation is that of networks trained on the others.
    """
    parts = [empty(CURVE)]
    for (asset, key), artefact in evaluations.items():
        if asset == TUNED_MODEL:
            source = str(artefact.manifest.summary["values"]["source"])
            tuned = artefact.table("tuned_metrics.parquet").assign(network=TUNED, source=source)
            own = evaluations.get((_EVALUATION, key))
            parts += [tuned, *([_compared(own).assign(source=source)] if own else [])]
        elif artefact.manifest.recipe.config["scheme"] == "city":
            parts.append(_compared(artefact).assign(source="the other cities"))
    frame = pd.concat([conform(part, CURVE) for part in parts], ignore_index=True)
    return frame[frame["metric"].isin(METRICS)].reset_index(drop=True)


def _compared(evaluation: Artefact) -> pd.DataFrame:
    """The target's own networks and coordinates alone, under the study's scheme."""
    scheme = evaluation.manifest.recipe.config["scheme"]
    table = evaluation.table("metrics.parquet").query("scheme == @scheme")
    names = {NETWORK: OTHERS if scheme == "city" else OWN, COORDINATES: COORDINATES}
    mine = table[table["model"].isin(list(names))]
    fraction = 0.0 if scheme == "city" else 1.0
    return mine.assign(network=mine["model"].map(names), fraction=fraction, draw=0)


def summarise(curve: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over draws: `source, city, outcome, network, fraction, metric, mean, ...`."""
    keys = ["source", "city", "outcome", "network", "fraction", "metric"]
    grouped = curve.groupby(keys, sort=True)["value"]
    table = grouped.agg(mean="mean", lowest="min", highest="max", draws="size")
    return table.reset_index()


def paper_claim(summary: pd.DataFrame) -> Check:
    """Whether one per cent of a city does as well as training on all of it.

    Args:
        summary: of `summarise`.
    """
    shown = summary[summary["metric"] == _SHOWN].set_index(["city", "outcome"])
    own = shown.loc[shown["network"] == OWN, "mean"]
    share = shown[(shown["network"] == TUNED) & np.isclose(shown["fraction"], _PAPER_SHARE)]
    both = pd.DataFrame({"tuned": share["mean"], "own": own}).dropna()
    if both.empty:
        return Check(
            "one_percent_is_enough", True, f"no pair was tuned on a share of {_PAPER_SHARE:g}"
        )
    close = both["tuned"] >= both["own"] - _CLOSE
    return Check(
        "one_percent_is_enough",
        bool(close.all()),
        f"{int(close.sum())} of {len(both)} pairs tuned on {_PAPER_SHARE:.0%} rank areas within "
        f"{_CLOSE:g} of their own networks' rank correlation",
        values={"pairs": len(both), "pairs_close": int(close.sum())},
    )


def draw_curves(summary: pd.DataFrame, path: Path) -> None:
    """Rank correlation against the share, a panel per outcome, a colour per target city.

    Args:
        summary: of `summarise`.
    """
    shown = summary[summary["metric"] == _SHOWN]
    outcomes = sorted(shown["outcome"].unique())
    columns = min(3, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, axes = new_figure(
        3.2 * columns, 2.8 * rows, rows=rows, columns=columns, squeeze=False, sharey=True
    )
    for axis in axes.flat[len(outcomes) :]:
        axis.set_visible(False)
    cities = sorted(shown["city"].unique())
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
        for city, colour in zip(cities, _COLOURS * len(cities), strict=False):
            here = shown[(shown["outcome"] == outcome) & (shown["city"] == city)]
            _draw_city(axis, here, city, colour)
        axis.set_xscale("symlog", linthresh=0.01)
        axis.set_xlim(-0.001, 1.2)
        axis.set_xticks(list(_TICKS), list(_TICKS.values()))
        axis.set(title=OUTCOMES[outcome].title, xlabel="share that tuned")
    axes[0, 0].set_ylabel("Spearman of areas' scores")
    axes[0, 0].legend(fontsize=6)
    save_png(figure, path)


def _draw_city(axis, here: pd.DataFrame, city: str, colour: str) -> None:
    tuned = here[here["network"] == TUNED].sort_values("fraction")
    axis.plot(tuned["fraction"], tuned["mean"], "o-", color=colour, markersize=3, label=city)
    axis.fill_between(
        tuned["fraction"], tuned["lowest"], tuned["highest"], color=colour, alpha=0.2, linewidth=0
    )
    styles = {OWN: "--", OTHERS: "-.", COORDINATES: ":"}
    for row in here[here["network"].isin(list(styles))].itertuples():
        label = f"{city}, {row.network.replace('_', ' ')}"
        axis.axhline(row.mean, color=colour, linestyle=styles[row.network], lw=1, label=label)
