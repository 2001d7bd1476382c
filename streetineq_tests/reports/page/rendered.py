"""The report of results without a store, and its tags."""

from html.parser import HTMLParser

from streetineq_assets.reports.page.render import render, synthetic_reasons
from streetineq_assets.reports.provenance import Provenance, Source
from streetineq_assets.reports.results import StudyResults
from streetineq_assets.study import Study

CENSUS = Source(
    title="QS302EW (ONS)", provides="Self-reported health", edition="2011", sha256="5e1f"
)


def report(results: StudyResults, study: Study, boundaries=None) -> str:
    """The page, of results of which one official file is known."""
    provenance = Provenance(
        title=study.title,
        version="0.1.0",
        synthetic=tuple(synthetic_reasons(results, study)),
        libraries={},
        sources=(CENSUS,),
        pairs={},
    )
    return render(results, study, provenance, boundaries)


class Tags(HTMLParser):
    """Every opening tag with its attributes; fails where tags do not close in order."""

    VOID = frozenset({"meta", "img", "br", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
