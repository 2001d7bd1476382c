"""Reading a report as a browser and its readers do: tags, links, and the text that is shown."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from streetineq_assets.models.deviations import DEVIATIONS

_NOT_SHOWN = frozenset({"script", "style", "template"})
_SPOKEN = frozenset({"alt", "title", "aria-label", "placeholder"})
# What Python, pandas and JSON write where there is no value; "None of them" is English.
UNDEFINED = re.compile(r"\bnan\b|\bNaT\b|<NA>|\bNone\b(?! of)|\bnull\b", re.IGNORECASE)
# The list of deviations tells of formulas that give NaN.
_DEVIATIONS = frozenset(text for each in DEVIATIONS for text in vars(each).values() if text)
_NONE = re.compile(r"\bnone\b")  # which the report says of what is undefined


class Tags(HTMLParser):
    """Every opening tag with its attributes, and what is shown; fails where tags are out of order.

    Attributes:
        found: tag and attributes, in order.
        open: tags that were not closed.
        shown: the text between tags, and that of descriptions, piece by piece.
        scripts: attributes and content of each script.
    """

    VOID = frozenset(
        {
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "source",
            "wbr",
        }
    )

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._meet(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_startendtag(self, tag, attrs):
        self._meet(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if "script" in self.open:
            attributes, before = self.scripts[-1]
            self.scripts[-1] = attributes, before + data
        elif not _NOT_SHOWN.intersection(self.open) and data.strip():
            self.shown.append(data)

    def _meet(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.shown += [text for name, text in attrs if name in _SPOKEN and text]

    @property
    def text(self) -> str:
        """All that is shown, with single spaces."""
        return " ".join(" ".join(self.shown).split())

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.found if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for _, attributes in self.found if attributes.get("href")]


def assert_sound(file: Path) -> Tags:
    """What holds of any report, however little there is to tell.

    It is well-formed, each link leads to a part of the page, to a file beside it or into the web,
    and where there is no value there is no word of a programming language.
    """
    tags = Tags(file.read_text(encoding="utf-8"))
    assert tags.open == []
    assert len([tag for tag, _ in tags.found if tag == "h1"]) == 1
    assert len(tags.ids) == len(set(tags.ids))
    for link in tags.links:
        if link.startswith("#"):
            assert link[1:] in tags.ids, link
        elif not link.startswith(("https://", "data:", "mailto:")):
            assert (file.parent / link).is_file(), link
    told = [text for text in tags.shown if text.strip() not in _DEVIATIONS]
    undefined = [text for text in told if UNDEFINED.search(_NONE.sub("", text))]
    assert not undefined, undefined[:5]
    for attributes, content in tags.scripts:
        if attributes.get("type", "").endswith("json"):
            json.loads(content, parse_constant=_refuse)
    return tags


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON: browsers refuse it")
