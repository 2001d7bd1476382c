"""A study of the paper's size as after a finished run, for whoever shows its results.

Four cities, 9,576 areas, 263,000 locations, 13 outcomes in each. All of it is invented: the map
(`invented_city`), how well-off areas are and what networks see of it (`reported_values`), metrics
(`reported_metrics`) and transfer (`reported_transfer`). Everything that the report reads is
published with the recipe that its asset would give it, so that the lineage agrees. There are no
images, no codes and no networks.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from streetineq_assets.findings import Findings
from streetineq_assets.images.changes import location_list_digest
from streetineq_assets.images.location_areas import join_locations
from streetineq_assets.images.tables import FOREIGN_FILES, LOCATIONS, STREET_IMAGES
from streetineq_assets.labels.census_tables import CENSUS_TABLES
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.tables import AVAILABILITY, DECILE_EDGES, LSOA_LABELS, POSTCODE_LSOA
from streetineq_assets.manifests import Recipe
from streetineq_assets.models.city_folds import read_fold_slices, write_folds
from streetineq_assets.predictions.standing import Standing
from streetineq_assets.store import DataStore
from streetineq_assets.study import Pair, Study, load_study
from streetineq_assets.tables import empty
from streetineq_assets.transfer.tables import TUNED_METRICS, TunedRecord
from streetineq_tests import studies
from streetineq_tests.benchmarks.invented_city import InventedCity
from streetineq_tests.benchmarks.paper_cities import PAPER_CITIES, City
from streetineq_tests.benchmarks.recipes import code_version, recipe_of
from streetineq_tests.benchmarks.reported_results import CityOfResults
from streetineq_tests.benchmarks.reported_transfer import transfer_tables
from streetineq_tests.benchmarks.reported_values import CityValues
from streetineq_tests.harness import writer

SEED = 2019
_HEAD = """title = "Invented results of the paper's size"
date = 2017-08-01
synthetic = true

[encoder]
weights = "random"

[rights.agreements.google_street_view]
allows = ["store_images", "derive_codes"]
reason = "invented, as everything here"
"""
_TRANSFER = """
[transfer]
source = "{source}"
"""
_CITY = """
[cities.{key}]
title = "{title}"
authorities = [{authorities}]
lsoas = {lsoas}
buckets = {buckets}
outcomes = [{outcomes}]
"""
_UNKNOWN, _NOT_SEEN = 0.003, 0.005  # of locations without a known postcode; of areas without images
_UNEVEN = 0.5  # spread of the logarithm of locations in an area
_PROVIDERS = (("Mapillary", "CC BY-SA 4.0"), ("Google Street View", ""))
_YEARS = (2008, 2018)


def write_reported_study(root: Path, cities: Mapping[str, City] = PAPER_CITIES) -> DataStore:
    """A study of these cities with results of every pair; the first is the source of transfer."""
    store = DataStore(root)
    write_settings(store, cities)
    study, values, first = load_study(store.study_file), {}, 1
    for key, city in cities.items():
        invented = InventedCity(city.place, first, SEED)
        values[key] = CityValues(key, invented, study.cities[key].outcomes)
        first += city.place.n_areas
    _write_boundaries(store, values.values())
    _publish_labels(store, study, values)
    n_lsoas: dict[Pair, int] = {}
    for key, of_city in values.items():
        _list_city(store, study, of_city, cities[key].n_locations)
        found = CityOfResults(store, study, of_city).publish()
        n_lsoas |= {Pair(key, outcome): n for outcome, n in found.items()}
    _publish_transfer(store, study, n_lsoas)
    return store


def write_settings(store: DataStore, cities: Mapping[str, City]) -> None:
    """The study's file."""
    text = _HEAD + (_TRANSFER.format(source=next(iter(cities))) if len(cities) > 1 else "")
    for key, city in cities.items():
        text += _CITY.format(
            key=key,
            title=city.title,
            lsoas=city.place.n_areas,
            buckets=max(1, city.n_locations // 1000),
            authorities=_quoted(city.place.authorities),
            outcomes=_quoted(list(OUTCOMES)[: city.n_outcomes]),
        )
    studies.new_study(store.root, text)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# -- official files --------------------------------------------------------------------------------


def _write_boundaries(store: DataStore, values: Iterable[CityValues]) -> None:
    rings, names = {}, {}
    for each in values:
        rings |= each.city.rings_in_degrees()
        names |= dict(zip(each.city.areas["area"], each.city.areas["name"], strict=True))
    studies.write_boundaries(store, rings, names)


def _publish_labels(store: DataStore, study: Study, values: Mapping[str, CityValues]) -> None:
    parts = [each.city.postcodes().assign(city=key) for key, each in values.items()]
    postcodes = pd.concat(parts).sort_values("postcode", ignore_index=True)
    directory = {"ONSPD_AUG_2017_UK.csv": _invented("directory")}
    version = code_version(store, "postcode_lsoa")
    recipe = Recipe(code_version=version, inputs=directory, config={"date": str(study.date)})
    content = {"postcode_lsoa": (postcodes, POSTCODE_LSOA)}
    store.publish("postcode_lsoa", None, recipe, writer(content))
    pairs = [(values[pair.city], pair.outcome) for pair in study.pairs]
    known = [{"city": pair.city, "outcome": pair.outcome} for pair in study.pairs]
    availability = pd.DataFrame(known).assign(status="available")
    content = {
        "lsoa_labels": (pd.concat([each.labels(o) for each, o in pairs]), LSOA_LABELS),
        "decile_edges": (pd.concat([each.edges(o) for each, o in pairs]), DECILE_EDGES),
        "availability": (availability.reindex(columns=AVAILABILITY.names), AVAILABILITY),
    }
    editions = {"editions": [study.census_edition, study.iod_edition]}
    recipe = recipe_of(Standing(store, study), "lsoa_labels", None, ["areas"], editions)
    inputs = _official_files() | recipe.inputs
    recipe = recipe.model_copy(update={"inputs": inputs})
    store.publish("lsoa_labels", None, recipe, writer(content))


def _official_files() -> dict[str, str]:
    """Outcomes of each file, and its digest; lineage asks of none of them."""
    of_census = {table.outcome for table in CENSUS_TABLES}
    by_folder: dict[str, list[str]] = {}
    for outcome, about in OUTCOMES.items():
        name = outcome if outcome in of_census else about.tables[0].folder
        by_folder.setdefault(name, []).append(outcome)
    return {", ".join(names): _invented(key) for key, names in by_folder.items()}


def _invented(name: str) -> str:
    """The digest of a file that is not there."""
    return hashlib.sha256(f"invented {name}".encode()).hexdigest()


# -- a city's locations and folds ------------------------------------------------------------------


def _list_city(store: DataStore, study: Study, values: CityValues, n_locations: int) -> None:
    """Its list of locations; where they lie and the folds are by the platform's own functions."""
    postcodes = store.open("postcode_lsoa").table(columns=["postcode", "city", "area"])
    own = postcodes[postcodes["city"] == values.key]
    file = store.inputs("locations", f"{values.key}.csv")
    file.parent.mkdir(parents=True, exist_ok=True)
    _listed(own, n_locations, values.rng(values.outcomes[0], 4)).to_csv(file, index=False)
    _publish_images(store, study, values.key)
    _publish_locations(store, study, values.key, file)
    _publish_folds(store, study, values.key)


def _publish_images(store: DataStore, study: Study, city: str) -> None:
    foreign = pd.DataFrame([{"path": "notes.txt", "member": None, "reason": "not_an_image"}])
    content = {
        "street_images": (empty(STREET_IMAGES), STREET_IMAGES),
        "foreign_files": (foreign, FOREIGN_FILES),
    }
    config = {"buckets": study.cities[city].buckets}
    recipe = Recipe(code_version=code_version(store, "street_images"), config=config)
    store.publish("street_images", city, recipe, writer(content))


def _publish_locations(store: DataStore, study: Study, city: str, listed: Path) -> None:
    postcodes = store.open("postcode_lsoa")
    directory = postcodes.file("postcode_lsoa.parquet")
    with duckdb.connect() as connection:
        placed, _ = join_locations(connection, listed, directory, city=city, date=study.date)
    recipe = Recipe(
        code_version=code_version(store, "locations"),
        inputs={
            "locations": location_list_digest(store, city),
            "postcode_lsoa": postcodes.digest,
        },
        config={"date": str(study.date)},
    )
    store.publish("locations", city, recipe, writer({"locations": (placed, LOCATIONS)}))


def _publish_folds(store: DataStore, study: Study, city: str) -> None:
    slices = read_fold_slices(store, study, city)
    recipe = Recipe(
        code_version=code_version(store, "area_folds"),
        inputs=slices.digests(),
        config={"folds": study.folds.model_dump(mode="json"), "seed": study.seed},
    )
    store.publish("area_folds", city, recipe, lambda folder: write_folds(slices, study, folder))


def _listed(postcodes: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """The list: more locations in some areas than in others, none in a few, some unknown."""
    areas = postcodes.groupby("area", sort=False).indices
    share = rng.lognormal(0, _UNEVEN, len(areas)) * (rng.random(len(areas)) >= _NOT_SEEN)
    counts = rng.multinomial(n, share / share.sum())
    at = np.concatenate(
        [
            rows[np.arange(count) * len(rows) // max(count, 1)]
            for rows, count in zip(areas.values(), counts, strict=True)
        ]
    )
    postcode = postcodes["postcode"].to_numpy(object)[at]
    postcode[rng.random(n) < _UNKNOWN] = "ZZ9 9ZZ"
    months = rng.integers(12 * _YEARS[0], 12 * _YEARS[1], n)
    dates = [f"{month // 12}-{month % 12 + 1:02d}" for month in months]
    provider, licence = np.array(_PROVIDERS, dtype=object)[(rng.random(n) < 0.3).astype(int)].T
    return pd.DataFrame(
        {
            "location_id": [f"{number:06d}" for number in range(n)],
            "postcode": postcode,
            "captured_at": dates,
            "provider": provider,
            "licence": licence,
        }
    )


# -- transfer --------------------------------------------------------------------------------------


def _publish_transfer(store: DataStore, study: Study, n_lsoas: Mapping[Pair, int]) -> None:
    """Tuned networks of every city but the first, and what is told of them."""
    source = study.transfer.source
    if source is None:
        return
    standing = Standing(store, study)
    targets = {pair: n for pair, n in n_lsoas.items() if pair.city != source}
    config = {"source": source, "transfer": study.transfer.model_dump(mode="json")}
    content = {"tuned_metrics": (empty(TUNED_METRICS), TUNED_METRICS)}
    findings = Findings(record=TunedRecord(source=source))
    names = ("labels", "locations", "hdf5_shards", "area_folds", "image_repeats")
    for pair in targets:
        reads = [f"{pair.city}/{name}" for name in names]
        recipe = recipe_of(
            standing, "fine_tuned_model", pair.key, [*reads, "source", "weights"], config
        )
        store.publish("fine_tuned_model", pair.key, recipe, writer(content, findings))
    told = ("fine_tuned_model", "lsoa_evaluation", "lsoa_predictions")
    reads = [f"{asset}/{pair.key}" for pair in targets for asset in told]
    config = {"equivalence_margin": study.transfer.equivalence_margin, "seed": study.seed}
    recipe = recipe_of(standing, "transfer_report", None, reads, config)
    content = transfer_tables(study.transfer, targets, study.seed)
    store.publish("transfer_report", None, recipe, writer(content))
