"""What makes pages of templates, and how a page writes shares."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def environment() -> "jinja2.Environment":
    """What makes pages of this folder's templates; all that they are given is escaped."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("streetineq_assets.reports.page", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["shade"] = shade
    made.filters["percent"] = percent
    return made


def percent(share: float) -> str:
    """A share in per cent; `none` where it is undefined."""
    return "none" if math.isnan(share) else f"{share:.0%}"


def shade(share: float) -> str:
    """Background and text colour of a cell of the confusion table, from white to dark blue.

    The text is black or white, whichever stands out more: at least 4.5 to 1 (WCAG 2.2).
    """
    part = min(max(share, 0.0), 1.0) ** 0.7  # small shares stay visible
    light, dark = (255, 255, 255), (8, 48, 107)
    mixed = [round(start + (end - start) * part) for start, end in zip(light, dark, strict=True)]
    ink = "#000" if _luminance(mixed) > 0.179 else "#fff"
    return f"background:rgb({mixed[0]},{mixed[1]},{mixed[2]});color:{ink}"


def _luminance(rgb: Sequence[int]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    parts = [value / 255 for value in rgb]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
