"""Comparing two folders: paths in, lines of text out, and files where they are asked for."""

from collections.abc import Iterator
from pathlib import Path

from streetineq_assets.errors import StreetineqError, clear_disk_errors
from streetineq_assets.reports.differences.differences import compare
from streetineq_assets.reports.differences.page import render_page
from streetineq_assets.reports.differences.sides import open_side
from streetineq_assets.reports.differences.text import render_text
from streetineq_assets.reports.exports import write_csv


def answer(a: Path, b: Path, html: Path | None = None, csv: Path | None = None) -> Iterator[str]:
    """How two studies or packs differ.

    Args:
        html: where a page goes (`page.render_page`).
        csv: where all areas that differ go (`tables.CHANGED_AREAS`, `exports.write_csv`).

    Raises:
        StreetineqError: as `sides.open_side`; or a file cannot be written.
    """
    for target in filter(None, (html, csv)):
        if not target.parent.is_dir():
            raise StreetineqError(f"there is no folder {target.parent}: make it first")
    found = compare(open_side(a), open_side(b))
    yield render_text(found)
    if html:
        with clear_disk_errors(html):
            html.write_text(render_page(found), encoding="utf-8")
        yield f"page in {html}"
    if csv:
        with clear_disk_errors(csv):
            write_csv(found.areas, csv)
        yield f"{len(found.areas)} areas in {csv}"
