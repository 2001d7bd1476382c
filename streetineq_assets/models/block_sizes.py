"""Whether folds of spatial blocks are of like size: blocks that are large for a city are not."""

from collections.abc import Collection

import pandas as pd

SPATIAL_BLOCK = "spatial_block"
_LARGEST_RATIO = 2.0


def uneven_blocks(areas: pd.DataFrame) -> list[int]:
    """Areas in each fold of spatial blocks, ascending, where they differ too much; else empty.

    They do when the largest fold has more than twice the areas of the smallest: the metrics then
    rest on networks, or baselines, that learned from very different parts of the city.

    Args:
        areas: `FoldTable.areas`.
    """
    tested = areas[(areas["scheme"] == SPATIAL_BLOCK) & (areas["fold"] >= 0)]
    sizes = sorted(tested["fold"].value_counts().tolist())
    return sizes if sizes and sizes[-1] > _LARGEST_RATIO * sizes[0] else []


def uneven_note(sizes: Collection[int]) -> str | None:
    """What to say of spatial blocks by `uneven_blocks`; None when they are even enough."""
    if not sizes:
        return None
    named = ", ".join(map(str, sizes))
    return (
        f"The folds of the spatial blocks have {named} areas: metrics on them mean little; set a "
        "smaller block_km under [folds] in study.toml."
    )
