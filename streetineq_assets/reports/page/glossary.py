"""The words of the report: those of the architecture's glossary that a page uses."""

import re
from functools import cache
from importlib.resources import files

_ROW = re.compile(r"^\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \|$", re.M)


@cache
def glossary() -> dict[str, str]:
    """Term to meaning, in the order of the alphabet, from the package's README."""
    text = files("streetineq_assets").joinpath("README.md").read_text(encoding="utf-8")
    table = text.partition("## Glossary")[2]
    rows = {match["term"]: match["meaning"].replace("`", "") for match in _ROW.finditer(table)}
    rows.pop("word", None)
    return dict(sorted(rows.items(), key=lambda row: row[0].casefold()))


def terms_in(text: str) -> list[tuple[str, str]]:
    """The terms that occur in a text, as words, with their meanings."""
    words = re.sub(r"<[^>]*>", " ", text).casefold()
    return [
        (term, meaning)
        for term, meaning in glossary().items()
        if re.search(rf"\b{re.escape(term.casefold())}(s|es|d)?\b", words)
    ]
