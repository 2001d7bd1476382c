"""Puts a pack together: every file, then what describes them, then their digests."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from streetineq_assets.digests import digest_file
from streetineq_assets.findings import Findings
from streetineq_assets.reports import checks
from streetineq_assets.reports.pack import crate, dictionary, pages
from streetineq_assets.reports.pack.checklists import write_checklists
from streetineq_assets.reports.pack.contents import JSON, PackFile
from streetineq_assets.reports.pack.geofiles import write_maps
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.pack.tables import write_tables
from streetineq_assets.reports.report import predicted_areas

REPORT = PackFile("report.html", "The report: maps and tables to be read", "text/html")
PROVENANCE = PackFile("provenance.json", "Inputs, settings, versions and digests", JSON)
SUMS = PackFile("SHA256SUMS", "Digests of all other files, for sha256sum -c", "text/plain")

_SUM, _DIGITS = "{}  {}\n", 64  # a line of it, and the length of a digest


def write_pack(material: Material, report_changes: Sequence[str], folder: Path) -> Findings:
    """Write every file of the pack; the same bytes on every run.

    Args:
        report_changes: what the report was made of that has changed since.
        folder: an empty one.
    """
    shutil.copyfile(material.report, folder / REPORT.name)
    text = material.provenance.dumps()
    (folder / PROVENANCE.name).write_text(text, encoding="utf-8")
    tables = write_tables(material.results, folder) + write_maps(material, folder)
    checklists, n_filled = write_checklists(material, folder)
    described = [*tables, *checklists, dictionary.FILE]
    dictionary.write_dictionary(described, folder)
    pages.write_card(material, folder)
    written = [pages.README, REPORT, *described, PROVENANCE, pages.CARD]
    differs = ", ".join(report_changes)
    pages.write_readme(material, [*written, crate.FILE, SUMS], differs, folder)
    files = [*written, crate.FILE]
    sums_bytes = sum(len(_SUM.format("", file.name)) + _DIGITS for file in files)
    crate.write_crate(material, written, SUMS, sums_bytes, folder)
    write_sums((file.name for file in files), folder)
    return Findings(
        values={
            "n_files": len(files) + 1,
            "n_pairs": len(material.current),
            "n_pairs_absent": len(material.absent),
            "n_lsoas": material.results.areas["area"].nunique(),
            **{f"n_items_filled_{stem}": n for stem, n in n_filled.items()},
        },
        checks=[checks.report_is_current(report_changes)],
        tables={"files": [{"file": file.name, "what": file.title} for file in [*files, SUMS]]},
        holdings=predicted_areas(material.results),
        notes=_notes(material),
    )


def write_sums(names: Iterable[str], folder: Path) -> None:
    """Write `SHA256SUMS` as `sha256sum` does, by name."""
    lines = [_SUM.format(digest_file(folder / name), name) for name in sorted(names)]
    (folder / SUMS.name).write_text("".join(lines), encoding="utf-8")


def _notes(material: Material) -> dict[str, str]:
    stated = material.study.publication
    wanting = [name for name in ("authors", "licence", "date") if not getattr(stated, name)]
    notes = {}
    if wanting:
        notes["to_be_stated"] = (
            f"Placeholders stand for {', '.join(wanting)}: state them under [publication] in "
            "study.toml."
        )
    if material.absent:
        left_out = "; ".join(f"{pair}: {why}" for pair, why in material.absent.items())
        notes["left_out"] = f"Not in the pack: {left_out}."
    return notes
