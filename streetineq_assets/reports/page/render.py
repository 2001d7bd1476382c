"""The report as one HTML file that needs nothing else: inline style and script, pictures as data.

It carries no trace of when or where it was made, so the same results give the same bytes.
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd

from streetineq_assets.models.block_sizes import uneven_note
from streetineq_assets.models.deviations import DEVIATIONS
from streetineq_assets.profiles import Profile
from streetineq_assets.reports import published
from streetineq_assets.reports.history import TRAINING
from streetineq_assets.reports.page import answer, audit, evidence, transfer
from streetineq_assets.reports.page.environment import environment
from streetineq_assets.reports.page.explorer import city_data, encoded, explorer_data
from streetineq_assets.reports.page.glossary import terms_in
from streetineq_assets.reports.page.outcome import CityMaps, outcome_context
from streetineq_assets.reports.page.pictures import rasterise
from streetineq_assets.reports.page.shapes import city_shapes
from streetineq_assets.reports.page.uris import data_uri
from streetineq_assets.reports.provenance import Provenance
from streetineq_assets.reports.results import CityResults, PairResults, StudyResults
from streetineq_assets.study import Study

if TYPE_CHECKING:
    import geopandas as gpd

# What the table of areas sorts by, its heading, and what stands below it.
COLUMNS = (
    ("name", "Area", ""),
    ("predicted", "Predicted", "decile"),
    ("width", "Interval", "of the actual decile"),
    ("actual", "Actual", "decile"),
    ("residual", "Difference", "predicted minus actual"),
    ("n", "Locations", ""),
    ("rank", "Ranking", ""),
)
_NO_BOUNDARIES = (
    "The study has no boundaries, so areas are mapped as points where their images were taken: put "
    "ONS' boundaries of the study's LSOAs into inputs/boundaries."
)


def render(
    results: StudyResults,
    study: Study,
    provenance: Provenance,
    boundaries: "gpd.GeoDataFrame | None",
) -> str:
    """The report's HTML.

    Args:
        provenance: what the results were made of.
        boundaries: `area, name, geometry` on the British National Grid; None maps points.
    """
    template = environment().get_template("report.html.j2")
    maps = {city.key: _city_maps(city, results, boundaries) for city in results.cities}
    lines, axis = answer.answer_lines(results.current)
    context = {
        "title": study.title,
        "synthetic": provenance.synthetic,
        "provenance": provenance,
        "identity": _identity(results, provenance),
        "answer": answer.answer_sentences(lines),
        "lines": lines,
        "axis": axis,
        "zero": answer.zero_of(axis),
        "has_postcodes": len(results.postcodes) > 0,
        "uneven": {
            each.city_title: uneven_note(each.uneven_blocks)
            for each in results.current
            if each.uneven_blocks
        },
        "columns": COLUMNS,
        "explorer": _explorer(results, maps),
        "script": script(),
        "cities": [
            _city(city, results, study, maps[city.key], boundaries) for city in results.cities
        ],
        "transfers": transfer.transfers(results.transfer),
        "transfer_claims": transfer.transfer_claims(results.transfer_comparisons),
        "tuned_on": results.history.tuned_on,
        "unavailable": [each for each in results.pairs if not each.has_results],
        "left_out": results.history.left_out,
        "outdated": results.outdated,
        "settings": [
            (name, value, meaning_of(name)) for name, value in settings_rows(results.pairs)
        ],
        "versions": sorted(results.versions.items()),
        "deviations": DEVIATIONS,
        "profiles": sorted({each.training.profile_name for each in results.pairs if each.training}),
    }
    used = template.render(**context | {"explorer": "", "script": "", "glossary": []})
    return template.render(**context, glossary=terms_in(used))


def script() -> Any:
    """The page's own script, as markup."""
    from markupsafe import Markup

    parts = files("streetineq_assets.reports.page").joinpath("script").iterdir()
    texts = [part.read_text(encoding="utf-8") for part in sorted(parts, key=lambda part: part.name)]
    return Markup("".join(texts))  # noqa: S704 - files of this package


def synthetic_reasons(results: StudyResults, study: Study) -> list[str]:
    """Why the report describes no real place; empty when it does.

    What was extracted or trained as synthetic stays so, though study.toml says otherwise by now.
    """
    networks = [each.training for each in results.pairs if each.training]
    encoders = [city.encoder for city in results.cities if city.encoder]
    encoders += [network.encoder for network in networks]
    is_random = any(encoder.weights == "random" for encoder in encoders)
    invented = any(each.synthetic and each.encoder.weights != "random" for each in networks)
    reasons = []
    if study.synthetic or invented:
        reasons.append("areas, statistics and images are invented")
    if is_random or (not encoders and study.encoder.is_random):
        reasons.append("the image encoder has random weights")
    return reasons


def settings_rows(pairs: Sequence[PairResults]) -> list[tuple[str, str]]:
    """How the results were made: name and value, and of which pairs where they differ."""
    made = [each for each in pairs if each.made_with]
    rows = []
    for name in dict.fromkeys(name for each in made for name in each.made_with):
        values = {str(each.pair): each.made_with.get(name, "not recorded") for each in made}
        for value in dict.fromkeys(values.values()):
            having = [pair for pair, own in values.items() if own == value]
            some = len(having) < len(made)
            rows.append((f"{name} of {', '.join(having)}" if some else name, value))
    return rows


def meaning_of(setting: str) -> str:
    """What a setting of the training profile means; empty for others, whose name says it."""
    name = setting.partition(" of ")[0].removeprefix(TRAINING).replace(" ", "_")
    fields = Profile.model_fields if setting.startswith(TRAINING) else {}
    return str(fields[name].description) if name in fields else ""


# -- parts of the context --------------------------------------------------------------------------


def _city_maps(
    city: CityResults, results: StudyResults, boundaries: "gpd.GeoDataFrame | None"
) -> CityMaps:
    """Where the city's areas lie: those of the postcode directory, and all that were predicted."""
    predicted = [each.areas["area"] for each in _pairs_of(city, results)]
    listed = results.postcodes.loc[results.postcodes["city"] == city.key, "area"]
    codes = sorted(set(pd.concat([listed, *predicted]).dropna()))
    shapes = city_shapes(codes, boundaries, results.centroids)
    names = {} if boundaries is None else boundaries.set_index("area")["name"].dropna().to_dict()
    return CityMaps(shapes, rasterise(shapes), names)


def _explorer(results: StudyResults, maps: dict[str, CityMaps]) -> str:
    """What the page's script reads; empty where there is nothing to find."""
    cities = []
    for city in results.cities:
        pairs = [each for each in _pairs_of(city, results) if each.is_current]
        if pairs:
            mine = results.postcodes[results.postcodes["city"] == city.key]
            cities.append(city_data(city.title, maps[city.key], mine, pairs))
    return encoded(explorer_data(cities)) if cities else ""


def _city(
    city: CityResults,
    results: StudyResults,
    study: Study,
    maps: CityMaps,
    boundaries: "gpd.GeoDataFrame | None",
) -> dict[str, Any]:
    pairs = _pairs_of(city, results)
    figures = [] if study.synthetic else published.figures_of(study.cities[city.key])
    return {
        "results": city,
        "maps_note": _maps_note(maps, boundaries) if pairs else "",
        "audit": audit.audit_context(city.audit),
        "evidence": evidence.evidence_context(city.evidence),
        "fold_maps": data_uri("image/png", city.fold_maps.read_bytes()) if city.fold_maps else None,
        "published": audit.published_rows(figures, [each for each in pairs if each.is_current]),
        "pairs": [outcome_context(each, maps) for each in pairs],
    }


def _maps_note(maps: CityMaps, boundaries: "gpd.GeoDataFrame | None") -> str:
    """What the city's maps lack."""
    if boundaries is None:
        return _NO_BOUNDARIES
    n = len(maps.shapes.codes) - len(maps.shapes.rings)
    if not n:
        return ""
    return (
        f"{n:,} of {len(maps.shapes.codes):,} areas have no boundary in the study's file, which is "
        f"of another region or another year: {len(maps.shapes.points):,} of them are mapped as "
        "points."
    )


def _pairs_of(city: CityResults, results: StudyResults) -> list[PairResults]:
    return [each for each in results.pairs if each.pair.city == city.key and each.has_results]


def _identity(results: StudyResults, provenance: Provenance) -> str:
    """The first half of a sha256 of what the report tells."""
    told = f"{provenance.model_dump_json()} {results.history.digest}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]
