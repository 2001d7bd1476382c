"""The report of results without a store."""

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
