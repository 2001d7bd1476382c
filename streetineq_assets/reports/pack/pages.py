"""The pages of a pack that are to be read: its README, and the model card of its networks."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.models.bundles import model_card
from streetineq_assets.predictions.tables import EXEMPLARS
from streetineq_assets.reports.pack.answers_method import encoders
from streetineq_assets.reports.pack.answers_results import equity_results
from streetineq_assets.reports.pack.attribution import attributions
from streetineq_assets.reports.pack.contents import MARKDOWN, PackFile
from streetineq_assets.reports.pack.material import Material, markdown
from streetineq_assets.reports.results import PairResults

README = PackFile("README.md", "What this is, and how to open, read and cite it", MARKDOWN)
CARD = PackFile("model_card.md", "What the networks are for, how good they are, and not", MARKDOWN)
NO_LICENCE = "No licence was chosen: ask the authors before you pass it on."
NO_AUTHOR = "Authors to be named"


def write_readme(
    material: Material, files: Sequence[PackFile], report_differs: str, folder: Path
) -> None:
    """Write `README.md`.

    Args:
        files: all of the pack.
        report_differs: why the report does not fit what stands; empty where it does.
    """
    study, provenance = material.study, material.provenance
    year = study.date.year
    text = _rendered(
        "readme.md.j2",
        material,
        n_areas=f"{material.results.areas['area'].nunique():,}",
        vintage_year=study.vintage.year,
        absent=material.absent,
        report_differs=report_differs,
        files=files,
        outcomes=[OUTCOMES[key].title for key in material.outcomes],
        licence=licence(material),
        attributions=attributions(
            dict.fromkeys(pair.outcome for pair in study.pairs),
            editions=study.editions,
            year=year,
        ),
        images=list(_images(material)),
        citation=citation(material),
        version=provenance.version,
        contact=study.publication.contact,
    )
    (folder / README.name).write_text(text, encoding="utf-8")


def write_card(material: Material, folder: Path) -> None:
    """Write `model_card.md`, one card for the networks of all pairs."""
    cities = [city.title for city in material.provenance.cities.values()]
    outcomes = [OUTCOMES[each.pair.outcome] for each in material.current]
    cautions = {outcome.title: outcome.caution for outcome in outcomes}
    text = _rendered(
        "model_card.md.j2",
        material,
        networks=[each for each in material.current if each.training],
        intended=model_card.INTENDED_USE.format(cities=markdown(", ".join(cities))),
        not_intended=model_card.NOT_INTENDED,
        sources=[
            f"{each.title}, for {each.provides}{f' ({each.edition})' if each.edition else ''}"
            for each in material.provenance.sources
        ],
        encoders=encoders(material),
        metrics=[(str(each.pair), _metrics(each)) for each in material.current],
        beside_the_map=model_card.BESIDE_THE_MAP,
        equity=equity_results(material).text,
        limits=model_card.LIMITS,
        cautions=[f"{title}: {text}" for title, text in cautions.items() if text],
    )
    (folder / CARD.name).write_text(text, encoding="utf-8")


def licence(material: Material) -> str:
    """Under which licence the pack stands, in a sentence."""
    chosen = material.study.publication.licence
    return f"Licence: {chosen}." if chosen else NO_LICENCE


def citation(material: Material) -> str:
    """How the pack is cited; what the study does not say is a placeholder."""
    publication = material.study.publication
    names = ", ".join(author.name for author in publication.authors) or NO_AUTHOR
    year = str(publication.date.year) if publication.date else "year to be stated"
    doi = f" https://doi.org/{publication.doi}" if publication.doi else ""
    return f"{names} ({year}). {material.study.title}. Evidence pack.{doi}"


def _rendered(template: str, material: Material, **more: Any) -> str:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - Markdown, escaped by the filter `md`
        loader=jinja2.PackageLoader("streetineq_assets.reports.pack", "."),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["md"] = markdown
    text = environment.get_template(template).render(
        title=material.study.title, synthetic=material.synthetic, pairs=material.current, **more
    )
    return _without_gaps(text)


def _without_gaps(text: str) -> str:
    """With one empty line at most between two others."""
    lines: list[str] = []
    for line in text.splitlines():
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip() + "\n"


def _metrics(results: PairResults) -> str:
    rows = results.metrics.astype(dict.fromkeys(("value", "lower", "upper"), "object"))
    return model_card.metrics_table(rows.where(rows.notna(), None).to_dict("records"))


def _images(material: Material) -> Iterable[str]:
    """Whose images the cities' were, by their data audits, and how many of them are shown."""
    shown = material.results.stacked("exemplars", EXEMPLARS).dropna(subset="thumbnail")
    for city in material.results.cities:
        n = len(shown[shown["city"] == city.key].drop_duplicates(["location_id", "view"]))
        said = f"{n} are shown small in report.html, the others not" if n else "none is shipped"
        for row in city.audit.get("image_rights", pd.DataFrame()).to_dict("records"):
            yield (
                f"Images of {city.title}: provider {row['provider']}, licence {row['licence']}, "
                f"{row['n_locations']:,} locations; of the city's images {said}."
            )
