"""What pushes scores, as the page tells it: the strongest views, and the locations of an area.

Leaving one out says what the network made of it, and nothing of the place.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.predictions.tables import INFLUENCES
from streetineq_assets.reports.page.uris import data_uri

MOST_OF_AN_AREA = 1  # location that pushes up, and as many that push down
_TITLES = {"up": "Up: towards better-off", "down": "Down: towards worse-off"}

# Location, its influence on the area, its strongest view: empty where it has but one.
Push = tuple[str, float, str]


def exemplar_context(exemplars: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Any]:
    """The strongest views up and down, with a picture where one may be shown; empty without any.

    Args:
        exemplars: `predictions.tables.EXEMPLARS` of a pair.
        names: of areas, by code.

    Returns:
        `groups` by direction, and `hidden`: why no picture at all is shown, if all have one reason.
    """
    groups = list(_groups(exemplars, names))
    whys = set(exemplars["why_not_shown"].fillna(""))
    return {"groups": groups, "hidden": whys.pop() if len(whys) == 1 else ""} if groups else {}


def _groups(exemplars: pd.DataFrame, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for direction, title in _TITLES.items():
        lines = exemplars[exemplars["direction"] == direction].sort_values("rank")
        if len(lines):
            yield {
                "title": title,
                "lines": [_exemplar(row, names) for row in lines.to_dict("records")],
            }


def _exemplar(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    known = {name: None if pd.isna(row[name]) else row[name] for name in row}
    shown = known["thumbnail"]
    credit = [known[name] for name in ("creator", "provider", "licence", "conditions")]
    return {
        "uri": data_uri("image/jpeg", shown) if shown else "",
        "location_id": row["location_id"],
        "area": names.get(row["area"], row["area"]),
        "heading": row["heading_degrees"],
        "influence": f"{row['influence']:+.2f} logits",
        "credit": ", ".join(filter(None, credit)) if shown else "",
        "why_not_shown": known["why_not_shown"] or "",
    }


def pushes_by_area(explanations: pd.DataFrame) -> dict[str, list[Push]]:
    """Area to the locations that push its score most, up first; none of areas with one location.

    Args:
        explanations: `predictions.tables.EXPLANATIONS` of a pair.
    """
    known = explanations[explanations["location_influence"].fillna(0.0) != 0]
    by_view = known[list(INFLUENCES)].to_numpy(float)
    toward = np.sign(known["location_influence"].to_numpy(float))[:, None]
    pushed = np.nan_to_num(by_view * toward, nan=-np.inf)
    strongest = pushed.argmax(axis=1) if len(known) else np.empty(0, int)
    views = np.where(np.isnan(by_view).all(axis=1), "", np.array(VIEWS, object)[strongest])
    frame = known[["area", "location_id", "location_influence"]].assign(
        view=views, is_up=known["location_influence"] > 0
    )
    frame["size"] = frame["location_influence"].abs()
    frame = frame.sort_values(["is_up", "size", "location_id"], ascending=[False, False, True])
    kept = frame.groupby(["area", "is_up"], sort=False).head(MOST_OF_AN_AREA)
    pushes: dict[str, list[Push]] = {}
    for row in kept.itertuples():
        push = (row.location_id, round(float(row.location_influence), 2), row.view)
        pushes.setdefault(row.area, []).append(push)
    return pushes
