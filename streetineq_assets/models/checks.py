"""What folds and trainings say of themselves: checks, figures, tables, notes.

What belongs here: the sentences and numbers that the UI shows. What does not: how they are made,
and anything of Dagster.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.findings import Check, Findings, Scalar
from streetineq_assets.models.dataset import Unavailable
from streetineq_assets.models.folds import (
    LEAKY,
    FoldTable,
    Split,
    balance,
    left_out_note,
    scheme_note,
)
from streetineq_assets.study import Profile

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    from streetineq_assets.models.training import Trained

FOLD_CHECKS: dict[str, tuple[str, bool]] = {
    "available": ("The city has enough areas for its folds.", False),
    "areas_once": ("Every labelled area is in the table once.", True),
    "folds_filled": ("Every fold tests some areas.", True),
    "folds_balanced": ("Folds differ little in size and mean decile.", False),
    "no_leak": ("No scheme splits an area between training and test.", False),
}
TRAINING_CHECKS: dict[str, tuple[str, bool]] = {
    "available": ("The pair has labels, codes and folds.", False),
    "out_of_fold": ("Every location used is scored once, by the fold that tests it.", True),
    "no_leakage": ("No area is in two of training, validation and test.", True),
    "probabilities": ("Scores are finite, ten probabilities sum to 1.", True),
    "labels_cover_locations": ("At least half of the placed locations have a label.", False),
    "learned": ("Every fold's validation loss fell below that of equal shares.", False),
}
_EQUAL_SHARES_LOSS = float(np.log(10))


def unavailable(why: Unavailable, checks: Mapping[str, tuple[str, bool]]) -> Findings:
    """Of an artefact with empty tables: nothing fails but the check `available`, a warning."""
    text = f"{why.reason}; wants {why.wanted}; the tables are empty"
    return Findings(
        values={"status": "unavailable", "wanted": why.wanted, "reason": why.reason},
        checks=[
            Check(name, name != "available", text, blocking=blocking)
            for name, (_, blocking) in checks.items()
        ],
    )


def of_folds(table: FoldTable, areas: pd.DataFrame) -> Findings:
    """Checks and figures of a fold table.

    Args:
        areas: `lsoa11, decile`, the areas that have a label.
    """
    codes = table.areas["lsoa11"]
    once = not codes.duplicated().any() and set(codes) >= set(areas["lsoa11"])
    report = balance(table, areas)
    tested = report[report["fold"] >= 0]
    spread = float(np.ptp(tested["mean_decile"])) if len(tested) else 0.0
    ratio = float(tested["n_areas"].max() / tested["n_areas"].min()) if len(tested) else 1.0
    leaks = table.scheme in LEAKY
    return Findings(
        values={
            "status": "available",
            "scheme": table.scheme,
            "n_areas": len(codes),
            "n_folds": len(table.folds),
            "largest_over_smallest": ratio,
            "mean_decile_spread": spread,
        },
        checks=[
            Check("available", True, f"{len(codes)} areas for {len(table.folds)} folds"),
            Check("areas_once", once, f"{len(codes)} areas, {len(areas)} of them labelled", True),
            Check("folds_filled", bool(table.folds), f"{len(table.folds)} folds", True),
            Check(
                "folds_balanced",
                ratio <= 1.25 and spread <= 0.5,
                f"sizes within a factor of {ratio:.2f}, mean deciles within {spread:.2f}",
                values={"largest_over_smallest": ratio, "mean_decile_spread": spread},
            ),
            Check("no_leak", not leaks, scheme_note([table.scheme]) or "areas are kept whole"),
        ],
        tables={"folds": _records(report)},
    )


def of_training(
    trained: "Trained",
    scores: pd.DataFrame,
    rows: pd.DataFrame,
    splits: Mapping[int, Split],
    *,
    counts: Mapping[str, int],
    scheme: str,
) -> Findings:
    """Checks, figures and the fold table of one outcome's training.

    Args:
        scores: `location_id, fold, h, p_1 .. p_10`.
        rows: `location_id, lsoa11` of the locations with this outcome's label.
        splits: fold to its split of `rows`.
        counts: of the city's own locations and areas, by `inputs.label_rows`. What was trained on
            is not always that: the scheme `city` learns from other cities, `holdout` from a part.
    """
    folds = pd.DataFrame([_fold_row(trained, fold, s, rows) for fold, s in splits.items()])
    history = trained.history()
    seconds = float(history["seconds"].sum())
    seen = float((folds["n_train"] * folds["epochs"]).sum())
    note = scheme_note([scheme])
    learned = np.logical_or.reduce([split.train | split.validation for split in splits.values()])
    return Findings(
        values={
            "status": "available",
            **counts,
            "n_locations_trained_on": int(learned.sum()),
            "n_areas_trained_on": int(rows.loc[learned, "lsoa11"].nunique()),
            "scheme": scheme,
            "n_folds": len(folds),
            "epochs": float(folds["epochs"].mean()),
            "val_loss": float(folds["val_loss"].mean()),
            "val_mae": float(folds["val_mae"].mean()),
            "seconds_training": seconds,
            "locations_per_second": seen / max(seconds, 1e-9),
            "share_of_time_waiting_for_codes": float(history["wait_seconds"].sum())
            / max(seconds, 1e-9),
        },
        checks=[
            Check("available", True, "labels, codes and folds are there"),
            _out_of_fold(scores, rows, splits),
            _no_leakage(rows, splits, scheme),
            _probabilities(scores),
            _labels_cover(counts),
            _learned(folds),
        ],
        tables={"folds": _records(folds)},
        notes={"leak": note} if note else {},
    )


def with_left_out(found: Findings, folds: Collection[int]) -> Findings:
    """The findings with how many folds test no location with codes, and which."""
    note = left_out_note(folds)
    notes = found.notes | ({"folds_without_images": note} if note else {})
    return replace(found, values=found.values | {"n_folds_without_images": len(folds)}, notes=notes)


def joint_notes(outcomes: Sequence[str], refused: Mapping[str, str]) -> dict[str, str]:
    """Whose the losses of joint networks are, and which outcomes they do without, and why.

    Args:
        outcomes: those that share the trunk.
        refused: the others that have labels, each with its reason.
    """
    notes = {"outcomes_left_out": "; ".join(refused.values())} if refused else {}
    if len(outcomes) > 1:
        notes["validation"] = (
            f"val_loss and val_mae, and with them the check `learned`, are of {len(outcomes)} "
            f"outcomes on one trunk taken together: {', '.join(outcomes)}"
        )
    return notes


def _labels_cover(counts: Mapping[str, int]) -> Check:
    placed = counts["n_locations_used"] + counts["n_locations_without_label"]
    covered = counts["n_locations_used"] / max(placed, 1)
    return Check(
        "labels_cover_locations",
        covered >= 0.5,
        f"{covered:.1%} of {placed} placed locations have a label",
        values={"share": covered},
    )


def _learned(folds: pd.DataFrame) -> Check:
    learned = folds["val_loss"] < _EQUAL_SHARES_LOSS
    return Check(
        "learned",
        bool(learned.all()),
        f"{int(learned.sum())} of {len(folds)} folds beat a loss of "
        f"{_EQUAL_SHARES_LOSS:.3f} (ten equal shares) on validation"
        + ("" if learned.all() else "; more images, epochs or learning rate may help"),
    )


def codes_figures(attributes: Mapping[str, Any], profile: Profile) -> dict[str, Scalar]:
    """How the codes were made, and how large the profile's noise is beside their deviation."""
    identity = EncoderIdentity.from_attributes(attributes).model_dump()
    figures: dict[str, Scalar] = {f"codes_{name}": value for name, value in identity.items()}
    if profile.noise_sd and "sd" in attributes:
        share = profile.noise_sd / float(np.mean(attributes["sd"]))
        figures["noise_share_of_codes_sd"] = share
    return figures


def _fold_row(trained: "Trained", fold: int, split: Split, rows: pd.DataFrame) -> dict[str, Scalar]:
    state = trained.states[fold]
    best = next((r for r in state.history if r["epoch"] == state.best_epoch), {})
    return {
        "fold": fold,
        "n_train": int(split.train.sum()),
        "n_validation": int(split.validation.sum()),
        "n_test": int(split.test.sum()),
        "n_test_areas": int(rows["lsoa11"][split.test].nunique()),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "val_loss": float(best.get("val_loss", np.nan)),
        "val_mae": float(best.get("val_mae", np.nan)),
        "seconds": float(sum(r["seconds"] for r in state.history)),
    }


def _out_of_fold(scores: pd.DataFrame, rows: pd.DataFrame, splits: Mapping[int, Split]) -> Check:
    tested = pd.concat(
        [rows.loc[s.test, ["location_id"]].assign(fold=fold) for fold, s in splits.items()]
    ).sort_values("location_id", ignore_index=True)
    same = (
        len(tested) == len(scores)
        and (
            (tested["location_id"] == scores["location_id"]) & (tested["fold"] == scores["fold"])
        ).all()
    )
    once = not scores["location_id"].duplicated().any()
    text = f"{len(scores)} scores of {len(tested)} tested locations"
    return Check("out_of_fold", bool(same and once), text, blocking=True)


def _no_leakage(rows: pd.DataFrame, splits: Mapping[int, Split], scheme: str) -> Check:
    shared = 0
    for split in splits.values():
        train, validation, test = (
            set(rows["lsoa11"][mask]) for mask in (split.train, split.validation, split.test)
        )
        shared += len(train & validation)
        shared += 0 if scheme in LEAKY else len(test & (train | validation))
    return Check("no_leakage", shared == 0, f"{shared} areas are in two parts", blocking=True)


def _probabilities(scores: pd.DataFrame) -> Check:
    p = scores.filter(like="p_").to_numpy(np.float64)
    finite = bool(np.isfinite(scores["h"]).all() and np.isfinite(p).all())
    off = float(np.abs(p.sum(axis=1) - 1).max(initial=0))
    text = f"probabilities sum to 1 within {off:.1e}"
    return Check("probabilities", finite and off < 1e-3, text, blocking=True)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).to_dict("records")
