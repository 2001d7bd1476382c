"""Reporting checklists, filled from what a study recorded, with the source of every answer.

The items lie beside this module as tables: number, section, what is asked (in our words), the name
of the function that knows, or a hint for the authors. What nobody recorded is not claimed: it is
left to the authors, or said to be absent.

REFORMS: Kapoor et al., Science Advances 10, eadk3452 (2024). TRIPOD+AI: Collins et al., BMJ 385,
e078378 (2024), made for health; its participants are areas here.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from streetineq_assets.reports.exports import write_csv
from streetineq_assets.reports.pack.answers import Answer
from streetineq_assets.reports.pack.answers_data import OF_DATA
from streetineq_assets.reports.pack.answers_method import OF_METHOD
from streetineq_assets.reports.pack.answers_results import OF_RESULTS
from streetineq_assets.reports.pack.contents import CSV, MARKDOWN, PackFile
from streetineq_assets.reports.pack.material import Material, markdown
from streetineq_assets.tables import column, conform, schema

FILLERS = OF_DATA | OF_METHOD | OF_RESULTS
CHECKLIST = schema(
    column("number", "string", "number of the item in the checklist"),
    column("section", "string", "section of the checklist"),
    column("item", "string", "what is asked, in our words"),
    column("status", "string", "filled, not in this study, not applicable, or author to answer"),
    column("answer", "string", "what the study recorded, or a hint of what is needed"),
    column(
        "source",
        "string",
        "files of this pack that say so, joined by semicolons; behind # a section or JSON pointer",
    ),
)


class Item(NamedTuple):
    """One item.

    Attributes:
        item: what is asked, in our words.
        filler: name of the function of `FILLERS` that answers it; empty where the authors must.
        hint: what they are to say.
    """

    number: str
    section: str
    item: str
    filler: str
    hint: str


@dataclass(frozen=True)
class Checklist:
    """One checklist.

    Attributes:
        stem: of its files; its items are in `items_<stem>.csv`.
        citation: where it is published.
        note: how it applies here.
    """

    stem: str
    title: str
    citation: str
    note: str

    @property
    def items(self) -> list[Item]:
        """Its items, in its order."""
        text = (
            files("streetineq_assets.reports.pack")
            .joinpath(f"items_{self.stem}.csv")
            .read_text("utf-8")
        )
        return [Item(**row) for row in csv.DictReader(text.splitlines())]

    @property
    def files(self) -> Iterator[PackFile]:
        """Its files: for spreadsheets, and to be read."""
        title = f"{self.title}, filled from what was recorded"
        yield PackFile(f"{self.stem}.csv", title, CSV, CHECKLIST)
        yield PackFile(f"{self.stem}.md", f"{title}, to be read", MARKDOWN)


CHECKLISTS = (
    Checklist(
        "reforms",
        "REFORMS checklist",
        "Kapoor et al., REFORMS, Science Advances 10, eadk3452 (2024), doi 10.1126/sciadv.adk3452",
        "For science that rests on machine learning.",
    ),
    Checklist(
        "tripod_ai",
        "TRIPOD+AI checklist",
        "Collins et al., TRIPOD+AI statement, BMJ 385, e078378 (2024), doi 10.1136/bmj-2023-078378",
        "Made for clinical prediction models: the participants are areas here.",
    ),
)


def write_checklists(material: Material, folder: Path) -> tuple[list[PackFile], dict[str, int]]:
    """Write every checklist.

    Returns:
        The files, and how many items are filled, by stem.
    """
    n_filled = {}
    for checklist in CHECKLISTS:
        answered = [(item, answer(item, material)) for item in checklist.items]
        rows = [
            (*item[:3], found.status, found.text, "; ".join(found.sources))
            for item, found in answered
        ]
        frame = pd.DataFrame(rows, columns=CHECKLIST.names)
        write_csv(conform(frame, CHECKLIST), folder / f"{checklist.stem}.csv")
        text = _as_markdown(checklist, answered, material)
        (folder / f"{checklist.stem}.md").write_text(text, encoding="utf-8")
        n_filled[checklist.stem] = sum(found.status == "filled" for _, found in answered)
    return [file for checklist in CHECKLISTS for file in checklist.files], n_filled


def answer(item: Item, material: Material) -> Answer:
    """What is known of an item; else that it is the authors' to answer, with a hint."""
    if item.filler:
        return FILLERS[item.filler](material)
    return Answer(item.hint, status="author to answer")


def _as_markdown(
    checklist: Checklist, answered: list[tuple[Item, Answer]], material: Material
) -> str:
    counts = pd.Series([found.status for _, found in answered]).value_counts()
    said = ", ".join(f"{n} {status}" for status, n in counts.items())
    lines = [f"# {checklist.title}: {markdown(material.study.title)}", ""]
    if material.synthetic:
        lines += [f"**Synthetic: {markdown(material.synthetic)}. Of no real place.**", ""]
    lines += [f"{checklist.note} {len(answered)} entries: {said}.", ""]
    lines += [f"Items, in our words, after {checklist.citation}.", ""]
    section = ""
    for item, found in answered:
        if item.section != section:
            section = item.section
            lines += [f"## {section}", ""]
        lines += [f"**{item.number}. {item.item}** ({found.status})", ""]
        linked = ", ".join(f"[{markdown(source)}]({source})" for source in found.sources)
        lines += [f"{markdown(found.text)}{f' Source: {linked}' if linked else ''}", ""]
    return "\n".join(lines)
