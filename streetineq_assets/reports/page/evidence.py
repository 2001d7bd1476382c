"""The evidence matrix and the equity audit, as the report prints them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.evidence.equity import AUTHORITY, CITY, MISSED_20, SAME_DECILE
from streetineq_assets.evidence.schemes import STRICTNESS, TITLES
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.reports.comparison import MODEL_TITLES, value_range

METRIC = "spearman_score"
_ROWS = (JOINT_NETWORK, "ridge", "map_and_score", *MAPS)
_NONE = "-"


def evidence_context(evidence: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """A table per outcome: models by schemes, with the gain over the best map; empty without any.

    Args:
        evidence: the tables of `evidence.city_evidence.FILES`, by name.
    """
    if not evidence or evidence["evidence_matrix"].empty:
        return []
    shown = {name: table[table["metric"] == METRIC] for name, table in evidence.items()}
    matrix = shown["evidence_matrix"]
    schemes = [each for each in STRICTNESS if each in set(matrix["scheme"])]
    return [_outcome(str(outcome), shown, schemes) for outcome in matrix["outcome"].unique()]


def equity_rows(equity: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per group that differs, and per authority: its error at the same decile, missed need.

    Args:
        equity: `evidence.tables.EQUITY` of one pair.
    """
    errors = equity[equity["measure"] == SAME_DECILE]
    chosen = errors[(errors["grouping"] == AUTHORITY) | errors["differs"].fillna(False)]
    missed = equity[equity["measure"] == MISSED_20].set_index(["grouping", "group"])
    rows = [
        {
            "group": f"{row['grouping']} {row['group']}".replace("_", " "),
            "n_lsoas": row["n_lsoas"],
            "error": _value(row["value"], row["lower"], row["upper"]),
            "missed": _share(missed, (row["grouping"], row["group"])),
            "differs": "not tested" if pd.isna(row["differs"]) else _yes(bool(row["differs"])),
        }
        for row in chosen.to_dict("records")
    ]
    of_city = equity[(equity["grouping"] == CITY) & (equity["measure"] == MISSED_20)]
    whole = [
        {
            "group": "the city",
            "n_lsoas": row["n_lsoas"],
            "error": _NONE,
            "missed": _value(row["value"], row["lower"], row["upper"]),
            "differs": _NONE,
        }
        for row in of_city.to_dict("records")
    ]
    return whole + rows


def _outcome(outcome: str, shown: Mapping[str, pd.DataFrame], schemes: list[Any]) -> dict[str, Any]:
    keyed = {
        name: table[table["outcome"] == outcome].set_index(["model", "scheme"])
        for name, table in shown.items()
    }
    matrix = keyed["evidence_matrix"]
    rows = [
        (MODEL_TITLES.get(model, model), [_cell(matrix, (model, each)) for each in schemes])
        for model in _ROWS
        if model in matrix.index.get_level_values("model")
    ]
    gains = [_of(keyed["gains"], (JOINT_NETWORK, each), "gain") for each in schemes]
    flattery = [_of(keyed["flattery"], (JOINT_NETWORK, each), "flattery") for each in schemes]
    return {
        "title": OUTCOMES[outcome].title,
        "schemes": [TITLES[each] for each in schemes],
        "n_lsoas": int(matrix["n_lsoas"].iloc[0]),
        "rows": rows,
        "gains": gains,
        "flattery": flattery,
    }


def _cell(matrix: pd.DataFrame, key: tuple[str, str]) -> dict[str, str]:
    """The value, its interval, and the spread over seeds."""
    if key not in matrix.index:
        return {"text": _NONE, "interval": "", "seeds": ""}
    row = matrix.loc[key]
    spread = "" if np.isnan(row["seed_sd"]) else f"seeds ± {row['seed_sd']:.2f}"
    interval = "" if np.isnan(row["lower"]) else value_range(row["lower"], row["upper"])
    text = "none" if np.isnan(row["value"]) else f"{row['value']:z.2f}"
    return {"text": text, "interval": interval, "seeds": spread}


def _of(table: pd.DataFrame, key: tuple[str, str], column: str) -> str:
    if key not in table.index:
        return _NONE
    row = table.loc[key]
    return _value(row[column], row["lower"], row["upper"])


def _value(value: float, lower: float, upper: float) -> str:
    if np.isnan(value):
        return _NONE
    bounds = "" if np.isnan(lower) else f" ({value_range(lower, upper)})"
    return f"{value:z.2f}{bounds}"


def _share(table: pd.DataFrame, key: tuple[Any, Any]) -> str:
    if key not in table.index:
        return _NONE
    row = table.loc[key]
    return _value(row["value"], row["lower"], row["upper"])


def _yes(differs: bool) -> str:
    return "yes" if differs else "no"
