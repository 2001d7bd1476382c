"""What a study found, and how sure it is, in answer to items of checklists."""

from collections.abc import Mapping

import pandas as pd

from streetineq_assets.evidence.equity import AUTHORITY, SAME_DECILE
from streetineq_assets.evidence.tables import EQUITY as EQUITY_SCHEMA
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.predictions.evaluation import NETWORK
from streetineq_assets.predictions.joint_evaluation import JOINT_NETWORK
from streetineq_assets.reports.comparison import Cell, Column, row
from streetineq_assets.reports.pack.answers import (
    CARD,
    EQUITY,
    LEADS,
    METRICS,
    README,
    REPORT_USE,
    Answer,
    absent,
    by_name,
    listed,
    of_results,
    report_of,
    stated,
)
from streetineq_assets.reports.pack.material import Material
from streetineq_assets.reports.results import PairResults

_HEADLINES = ("spearman_score", "kappa_quadratic")
_OTHER_CITY = "city"  # the scheme that holds out whole cities


@of_results
def metrics(material: Material) -> Answer:
    """Which metrics there are."""
    names = sorted(set(material.results.metrics["metric"]))
    text = (
        f"{', '.join(names)}; of networks and baselines, on the same areas and folds. The report "
        "draws maps, confusion of deciles and learning curves."
    )
    return Answer(text, (METRICS,))


@of_results
def uncertainty(material: Material) -> Answer:
    """What intervals resample, and how many seeds there are."""
    table = material.results.metrics
    units = sorted(table["unit"].dropna().unique())
    n_seeds = table.loc[table["model"] == NETWORK, "n_seeds"].dropna()
    if not units:
        return absent("no metric has an interval")
    seeds = f"{int(n_seeds.max())} seeds" if len(n_seeds) else "no further seeds are recorded"
    text = (
        f"95 % intervals by resampling whole units ({', '.join(units)}), since neighbours err "
        f"alike; the spread over trainings stands beside them ({seeds}). Seed of the study: "
        f"{stated(material.current, 'Seed')}."
    )
    return Answer(text, (METRICS,))


@of_results
def tests(material: Material) -> Answer:
    """Which claims are tested, and how."""
    if all(each.comparisons.empty for each in material.current):
        return absent("no comparison with a baseline is published")
    text = (
        "A lead over a baseline is judged by the 95 % interval of the paired difference on the "
        "same resampled areas, without a p-value. Clustering of errors is tested by permutation "
        "of Moran's I, differences between groups by Holm's rule over all groups of a pair."
    )
    return Answer(text, (LEADS, METRICS, EQUITY))


@of_results
def performance(material: Material) -> Answer:
    """The headline metrics of each pair, beside the map's."""
    said = [text for each in material.current if (text := _headlines(each))]
    if not said:
        return absent("no headline metric is defined")
    return Answer(
        f"{listed(said)}. All other metrics, with intervals, are in the table.", (METRICS,)
    )


def _headlines(results: PairResults) -> str:
    """The network's headline metrics and those of the maps on the same folds."""
    models = [NETWORK, JOINT_NETWORK, *MAPS]
    shown = [Column(model, results.scheme) for model in models]
    parts = []
    for metric in _HEADLINES:
        cells = zip(shown, row(results, metric, shown), strict=True)
        known = [
            f"{column.title} {_in_words(cell)}" for column, cell in cells if cell.text != "none"
        ]
        parts += [f"{metric}: {', '.join(known)}"] if known else []
    return f"{results.pair}, {len(results.areas):,} areas: {'; '.join(parts)}" if parts else ""


def _in_words(cell: Cell) -> str:
    return f"{cell.text} ({cell.interval})" if cell.interval else cell.text


@of_results
def clusters(material: Material) -> Answer:
    """Cities apart, authorities audited."""
    table = material.results.stacked("equity", EQUITY_SCHEMA)
    audited = table.loc[table["grouping"] == AUTHORITY, "group"].nunique()
    text = (
        "Every city and outcome has networks and metrics of its own. Within a city, errors are "
        f"compared between local authorities: {audited:,} in the equity audits of this pack."
    )
    return Answer(text, (METRICS, EQUITY))


@of_results
def equity_method(material: Material) -> Answer:
    """How it is asked for whom predictions err."""
    audited = [each for each in material.current if len(each.equity)]
    if not audited:
        return absent("no equity audit is published: materialise equity_audit, then the report")
    groupings = sorted({str(name) for each in audited for name in each.equity["grouping"]})
    text = (
        f"Errors and missed need by group ({', '.join(groupings)}), for "
        f"{', '.join(each.pair.key for each in audited)}. Predictions lean to the middle, so "
        "groups are compared at the same official value."
    )
    return Answer(text, (EQUITY,))


@of_results
def equity_results(material: Material) -> Answer:
    """Which groups differ."""
    table = material.results.stacked("equity", EQUITY_SCHEMA)
    if table.empty:
        return absent("no equity audit is published: materialise equity_audit, then the report")
    tested = table[(table["measure"] == SAME_DECILE) & table["differs"].notna()]
    differ = tested[tested["differs"].astype(bool)]
    named = [
        f"{each.city}/{each.outcome}, {each.grouping} {each.group}: {each.value:+.2f} deciles"
        for each in differ.itertuples()
    ]
    text = f"{len(tested):,} groups were tested at the same official value, "
    text += f"{len(differ):,} differ: {listed(named)}." if named else "none differs."
    return Answer(text, (EQUITY, *_reports(material)))


def _reports(material: Material) -> tuple[str, ...]:
    return tuple(dict.fromkeys(report_of(each.pair.city) for each in material.current))


def elsewhere(material: Material) -> Answer:
    """Transfer between cities, and the scheme that holds out cities."""
    said = [
        f"networks of {each.source} in {each.city}/{each.outcome}, share {each.share:g}, against "
        f"{each.against}: {each.result}"
        for each in material.results.transfer_comparisons.itertuples()
    ]
    held_out = [city for city in material.results.cities if _has_city_scheme(city.evidence)]
    sources = [*(["report.html#transfer"] if said else []), *(report_of(c.key) for c in held_out)]
    said += [f"{city.title} was held out whole in the evidence matrix" for city in held_out]
    if not said:
        return absent(
            "no transfer to another city and no scheme that holds out a city is published: see "
            "[transfer] and [evidence] in study.toml"
        )
    return Answer(f"{listed(said)}.", tuple(sources))


def _has_city_scheme(evidence: Mapping[str, pd.DataFrame]) -> bool:
    matrix = evidence.get("evidence_matrix")
    return matrix is not None and bool((matrix["scheme"] == _OTHER_CITY).any())


def limits(material: Material) -> Answer:
    """What a decile from images cannot say."""
    invented = (
        f" Of synthetic input ({material.synthetic}): of no place." if material.synthetic else ""
    )
    text = (
        "Labels are statistics of areas and say nothing of persons; images show one day; deciles "
        "are relative to a city. Not to be expected elsewhere: in other cities or countries, with "
        "images taken in another way or year, in areas with few images, or for change over time."
        f"{invented} Limits of the study's own design: author to add."
    )
    return Answer(text, (CARD, README, REPORT_USE))


OF_RESULTS = by_name(
    (
        metrics,
        uncertainty,
        tests,
        performance,
        clusters,
        equity_method,
        equity_results,
        elsewhere,
        limits,
    )
)
