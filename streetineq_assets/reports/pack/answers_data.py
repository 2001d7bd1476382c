"""What manifests and results say of a study's data, in answer to items of checklists."""

from collections.abc import Iterable, Mapping
from itertools import groupby

import pandas as pd

from streetineq_assets.findings import Scalar
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.reports.comparison import HELD_OUT_CITIES
from streetineq_assets.reports.pack.answers import (
    ABSENT,
    CITIES,
    DICTIONARY,
    METRICS,
    PAIRS,
    PREDICTIONS,
    README,
    SOURCES,
    Answer,
    absent,
    by_name,
    listed,
    not_applicable,
    of_pairs,
    of_results,
    report_of,
    stated,
)
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.results import CityResults

_SHORT = 12  # digits of a digest
_DAMAGED = ("truncated", "damaged", "not_an_image", "empty_file", "blank", "placeholder")


def population(material: Material) -> Answer:
    """The cities and their areas."""
    cities = [
        f"{city.title} ({', '.join(city.authorities)})"
        for city in material.provenance.cities.values()
    ]
    n = material.results.areas["area"].nunique()
    text = (
        f"Lower layer super output areas of {material.study.vintage.year} in {'; '.join(cities)}; "
        f"{n:,} of them have predictions. Deciles are relative to each city, so that claims are "
        "about ranks within it."
    )
    return Answer(text, (CITIES, PREDICTIONS))


def data_sources(material: Material) -> Answer:
    """Official files with edition and digest."""
    if not material.provenance.sources:
        return absent("no manifest records an official file: labels are not published")
    files = [
        f"{each.title}{f', edition {each.edition}' if each.edition else ''} for {each.provides} "
        f"(sha256 {each.sha256[:_SHORT]}...)"
        for each in material.provenance.sources
    ]
    invented = "Synthetic files in the official formats: " if material.synthetic else ""
    text = (
        f"{invented}{'; '.join(files)}. Street images are not shipped, but for small ones that "
        "report.html may show: their terms are in the report, their listing is known by its "
        "digest. Addresses or DOIs: author to add."
    )
    return Answer(text, (SOURCES, PAIRS))


def dates(material: Material) -> Answer:
    """The time of the labels, and the years of the images."""
    audited = [city for city in material.results.cities if _is_audited(city)]
    if not audited:
        return absent("no data audit is published: materialise data_audit, then the report")
    periods = {
        OUTCOMES[pair.outcome].title: OUTCOMES[pair.outcome].period(material.study.editions)
        for pair in material.study.pairs
    }
    labels = [f"{title}: {period or 'no single time'}" for title, period in periods.items()]
    images = [f"{city.title}: {_years(city)}" for city in audited]
    text = f"Labels describe {'; '.join(labels)}. Images were taken in {'; '.join(images)}."
    return Answer(text, tuple(report_of(city.key) for city in audited))


def _is_audited(city: CityResults) -> bool:
    return len(city.audit.get("data_audit", ())) > 0


def _years(city: CityResults) -> str:
    years = city.audit["capture_years"]
    dated = years.dropna(subset="year")
    n_undated = int(years["n_locations"].sum() - dated["n_locations"].sum())
    if dated.empty:
        return f"years that are not known ({n_undated:,} locations)"
    span = f"{int(dated['year'].min())} to {int(dated['year'].max())}"
    return f"{span} ({n_undated:,} locations without a date)"


def sampling_frame(material: Material) -> Answer:
    """All areas of the authorities; the locations that were listed."""
    counts = _counts(material)
    frames = [f"{title}: {found['listed']:,} locations" for title, found in counts.items()]
    if not frames:
        return absent("no city has an account of listed locations")
    text = (
        "All areas of the cities' local authorities are the frame. Within it the study lists "
        f"locations: {'; '.join(frames)}. How these were chosen: author to add."
    )
    return Answer(text, (CITIES,))


def _counts(material: Material) -> dict[str, dict[str, int]]:
    """Title of a city to its account of images, `listed` among it."""
    found = {
        city.title: {
            str(row["what"]): int(row["count"] or 0)
            for row in city.account
            if row["step"] == "images"
        }
        for city in material.provenance.cities.values()
    }
    return {title: counts for title, counts in found.items() if "listed" in counts}


def outcomes(material: Material) -> Answer:
    """What is predicted."""
    keys = dict.fromkeys(pair.outcome for pair in material.study.pairs)
    said = [
        f"{OUTCOMES[key].title}: {OUTCOMES[key].formula}"
        f"{' (itself an estimate of a model)' if OUTCOMES[key].modelled else ''}"
        for key in keys
    ]
    others = (OUTCOMES[key].difference(material.study.editions) for key in keys)
    what = " ".join([f"{'; '.join(said)}.", *filter(None, others)])
    text = (
        f"{what} Each is cut into deciles among the city's own areas, 1 = worst-off, "
        "10 = best-off, so that classes are near-equal; ties share a decile."
    )
    return Answer(text, (PREDICTIONS, DICTIONARY))


@of_results
def sample_size(material: Material) -> Answer:
    """Areas and locations of each pair."""
    said = []
    for each in material.current:
        actual = each.areas["actual_decile"]
        text = (
            f"{each.pair}: {len(actual):,} areas predicted, {actual.notna().sum():,} with a label"
        )
        if each.training:
            text += f", {each.training.n_locations_trained_on:,} locations trained on in all folds"
        said.append(text)
    text = f"{listed(said)}. Whether a size was aimed at beforehand: author to add."
    return Answer(text, (METRICS, PREDICTIONS))


def missing_data(material: Material) -> Answer:
    """What has no image, no code or no label; nothing is imputed."""
    said = [
        f"{title}: {_lost(counts)} of {counts['listed']:,} locations have no codes"
        for title, counts in _counts(material).items()
    ]
    unlabelled = {e.pair.key: e.areas["actual_decile"].isna().sum() for e in material.current}
    if unlabelled:
        said.append(
            of_pairs({k: f"{n:,} predicted areas have no label" for k, n in unlabelled.items()})
        )
    said += [f"{pair}: no results ({why})" for pair, why in material.absent.items()]
    if not said:
        return absent("no account of locations and no pair is published")
    return Answer(f"{listed(said)}. Nothing is imputed.", (CITIES, ABSENT, PREDICTIONS))


def _lost(counts: dict[str, int]) -> str:
    return f"{sum(n for what, n in counts.items() if what not in ('listed', 'extracted')):,}"


def coverage(material: Material) -> Answer:
    """Which areas were ranked, by the data audits."""
    rows = [
        (city, row)
        for city in material.results.cities
        if _is_audited(city)
        for row in city.audit["data_audit"].to_dict("records")
    ]
    if not rows:
        return absent("no data audit is published: materialise data_audit, then the report")
    said = []
    for city, row in rows:
        text = f"{city.title}, {OUTCOMES[row['outcome']].title}: {row['n_ranked']:,} of "
        text += f"{row['n_lsoas']:,} labelled areas were ranked"
        if pd.notna(row["mean_decile_ranked"]):
            text += f", of mean actual decile {row['mean_decile_ranked']:.2f}"
        said.append(text)
    keys = dict.fromkeys(city.key for city, _ in rows)
    return Answer(f"{listed(said)}.", tuple(report_of(key) for key in keys))


def exclusions(material: Material) -> Answer:
    """Which locations and areas were left out."""
    counts = _counts(material)
    said = [
        f"{title}: {', '.join(f'{n:,} {what}' for what, n in found.items())}"
        for title, found in counts.items()
    ]
    rules = stated(material.current, "Ranked areas") if material.current else "none"
    text = (
        "Listed locations, by what became of their images: "
        f"{'; '.join(said) or 'no account is published'}. A location needs four views and a "
        f"place in an area of the city; an area needs predicted locations: {rules}."
    )
    return Answer(text, (CITIES, PAIRS))


def damaged_images(material: Material) -> Answer:
    """Rejected images by reason."""
    counts = _counts(material)
    if not counts:
        return absent("no account of images is published")
    said = []
    for title, found in counts.items():
        bad = {what.replace(" ", "_"): n for what, n in found.items()}
        named = [f"{bad[what]:,} {what}" for what in _DAMAGED if bad.get(what)]
        said.append(f"{title}: {', '.join(named) or 'none damaged'}")
    text = (
        "A location with an image that is damaged, blank or a placeholder gets no prediction, and "
        f"is counted by reason. {'; '.join(said)}."
    )
    return Answer(text, (CITIES,))


def flow(material: Material) -> Answer:
    """Where locations went, step by step."""
    accounts = {c.title: c.account for c in material.provenance.cities.values() if c.account}
    if not accounts:
        return absent("no account of locations is published")
    said = [f"{title}: {_steps(rows)}" for title, rows in accounts.items()]
    return Answer(f"{'. '.join(said)}.", (CITIES,))


def _steps(rows: Iterable[Mapping[str, Scalar]]) -> str:
    """`images: listed 100, extracted 96; areas: ...`."""
    steps = groupby(rows, key=lambda row: row["step"])
    return "; ".join(
        f"{step}: " + ", ".join("{what} {count}".format(**row) for row in found)
        for step, found in steps
    )


@of_results
def same_place(material: Material) -> Answer:
    """How areas that train differ from those that test."""
    text = (
        "Training and test areas are of the same city, sources and dates, and differ by fold "
        f"alone: {stated(material.current, 'Folds')}."
    )
    if elsewhere := [each.pair.key for each in material.current if each.scheme == HELD_OUT_CITIES]:
        text = (
            f"The networks of {listed(elsewhere)} learned in other cities and were tested in this "
            "one. How the cities differ: author to add."
        )
    return Answer(text, (PAIRS, PREDICTIONS))


def official_outcome(material: Material) -> Answer:  # noqa: ARG001
    """Nobody of the study assessed it."""
    return not_applicable(
        "outcomes are read from official tables, and nobody of the study assesses them"
    )


def no_treatment(material: Material) -> Answer:  # noqa: ARG001
    """Areas are not treated."""
    return not_applicable("the units are areas, which receive no treatment")


def no_judgement(material: Material) -> Answer:  # noqa: ARG001
    """No person looks at an image."""
    return not_applicable("predictors are calculated from images, without anybody's judgement")


def data_availability(material: Material) -> Answer:
    """This pack; not the images."""
    doi = material.study.publication.doi
    where = f"It is deposited under doi {doi}." if doi else "A deposit: author to add."
    text = (
        "Predictions, metrics, map and provenance are in this pack; official inputs are named "
        "with editions and digests; images are not shipped, but for small ones that report.html "
        f"may show. {where}"
    )
    return Answer(text, (README, SOURCES))


OF_DATA = by_name(
    (
        population,
        data_sources,
        dates,
        sampling_frame,
        outcomes,
        sample_size,
        missing_data,
        coverage,
        exclusions,
        damaged_images,
        flow,
        same_place,
        official_outcome,
        no_treatment,
        no_judgement,
        data_availability,
    )
)
