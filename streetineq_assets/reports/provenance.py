"""What a study's results were made of, in a form that travels: `provenance.json` of a pack.

The report prints it, a comparison of two studies reads it. It tells no time and no place on a disk.
"""

import json
from importlib.metadata import version

from pydantic import BaseModel, Field

from streetineq_assets.area_vintages import LSOA11, VINTAGES, Vintage
from streetineq_assets.findings import Scalar
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.postcode_directory import DIRECTORY
from streetineq_assets.manifests import Manifest
from streetineq_assets.reports.results import (
    SHARED,
    CityResults,
    PairResults,
    StudyResults,
    digests,
)
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study

_OF_CITIES = ("street_images", "locations", "hdf5_shards", "image_repeats", "area_folds")
_OF_PAIRS = (
    "trained_model",
    "baseline_scores",
    "location_predictions",
    "explanations",
    "lsoa_predictions",
    "lsoa_evaluation",
    "equity_audit",
)
CHAIN = (*SHARED, *_OF_CITIES, *_OF_PAIRS)
"""What a pair's results rest on, in the order in which it is made."""


class Source(BaseModel, frozen=True):
    """A file that the study was given.

    Attributes:
        title: as its publisher calls it, or what it is.
        provides: outcomes, or what else was taken of it.
        edition: year of the publication, where the study names one; else empty.
        sha256: of the file, or of the content of several.
    """

    title: str
    provides: str
    edition: str
    sha256: str


class PairProvenance(BaseModel, frozen=True):
    """How the results of one pair came about.

    Attributes:
        settings: name to value, as the report prints them; empty without networks.
        code_versions, digests: asset to the version of its code and to the digest of its content,
            of all that the pair's results rest on and that is published.
        drops_repeats: whether training left out what repeats a fold's test; None without networks.
    """

    settings: dict[str, str]
    code_versions: dict[str, str]
    digests: dict[str, str]
    drops_repeats: bool | None = None


class CityProvenance(BaseModel, frozen=True):
    """Of which place a city's results are, and where its locations went.

    Attributes:
        authorities: codes of its local authorities.
        account: rows `step, what, count`, from listed locations to predicted ones.
        encoder: what made the codes; empty where there are none.
    """

    title: str
    authorities: tuple[str, ...]
    account: tuple[dict[str, Scalar], ...]
    encoder: dict[str, Scalar]


class Provenance(BaseModel, frozen=True):
    """How the results of a study came about.

    Attributes:
        title: of the study.
        version: of the platform.
        area_vintage: of its areas; packs of earlier versions knew one.
        synthetic: why it describes no real place; empty where it does.
        libraries: name to versions, of those that shaped results.
        sources: official files, boundaries and weights, as they are published.
        pairs: by key, `city/outcome`.
        cities: by key.
        absent: key of each pair without results that stand, and why.
    """

    title: str
    version: str
    area_vintage: Vintage = LSOA11.key
    synthetic: tuple[str, ...]
    libraries: dict[str, str]
    sources: tuple[Source, ...]
    pairs: dict[str, PairProvenance]
    cities: dict[str, CityProvenance] = Field(default_factory=dict)
    absent: dict[str, str] = Field(default_factory=dict)

    def dumps(self) -> str:
        """As JSON, the same text whatever order it was read in."""
        content = self.model_dump(mode="json")
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_provenance(
    store: DataStore, study: Study, results: StudyResults, synthetic: list[str]
) -> Provenance:
    """What manifests record of the results that are published.

    Args:
        synthetic: reasons why they describe no real place.
    """
    return Provenance(
        title=study.title,
        version=version("streetineq"),
        area_vintage=study.vintage.key,
        synthetic=tuple(synthetic),
        libraries=dict(sorted(results.versions.items())),
        sources=_sources(store, results),
        pairs={
            each.pair.key: _of_pair(store, each.pair.city, each.pair.key, dict(each.made_with))
            for each in results.pairs
        },
        cities={city.key: _of_city(city, study) for city in results.cities},
        absent={e.pair.key: _why_absent(e) for e in results.pairs if not e.is_current},
    )


def artefacts(store: DataStore, study: Study) -> dict[str, str]:
    """Artefact to digest of all that results and their provenance are read from, and recipes."""
    return digests(store, study) | _recipes(store, study)


def _recipes(store: DataStore, study: Study) -> dict[str, str]:
    """Artefact to the key of its recipe, of all that provenance tells."""
    wanted: list[tuple[str, str | None]] = [(asset, None) for asset in SHARED]
    wanted += [(asset, city) for asset in _OF_CITIES for city in study.by_weight]
    wanted += [(asset, pair.key) for asset in _OF_PAIRS for pair in study.pairs]
    manifests = [store.manifest(*each) for each in wanted]
    return {f"recipe of {each.label}": each.key for each in manifests if each}


def _of_city(city: CityResults, study: Study) -> CityProvenance:
    return CityProvenance(
        title=city.title,
        authorities=study.cities[city.key].authorities,
        account=tuple(city.account),
        encoder=city.encoder.model_dump() if city.encoder else {},
    )


def _why_absent(pair: PairResults) -> str:
    if pair.disagreements:
        return f"made of something else than stands now: {'; '.join(map(str, pair.disagreements))}"
    return pair.why_absent


def _of_pair(store: DataStore, city: str, key: str, settings: dict[str, str]) -> PairProvenance:
    wanted = [(asset, None) for asset in SHARED]
    wanted += [(asset, city) for asset in _OF_CITIES]
    wanted += [(asset, key) for asset in _OF_PAIRS]
    manifests = {asset: store.manifest(asset, partition) for asset, partition in wanted}
    known = {asset: manifest for asset, manifest in manifests.items() if manifest}
    return PairProvenance(
        settings=settings,
        code_versions={asset: manifest.recipe.code_version for asset, manifest in known.items()},
        digests={asset: manifest.digest for asset, manifest in known.items()},
        drops_repeats=_drops_repeats(known.get("trained_model")),
    )


def _drops_repeats(trained: Manifest | None) -> bool | None:
    if trained is None or trained.unavailable:
        return None
    return any(name.endswith("/image_repeats") for name in trained.recipe.inputs)


def _sources(store: DataStore, results: StudyResults) -> tuple[Source, ...]:
    postcodes, labels = (store.manifest(asset) for asset in SHARED)
    found = [*_directories(postcodes), *_official_tables(labels)]
    weights = {
        (identity.weights, identity.weights_sha256): identity.backbone
        for identity in (city.encoder for city in results.cities)
        if identity
    }
    found += [
        Source(title=f"Weights of {backbone}: {name}", provides="codes", edition="", sha256=sha256)
        for (name, sha256), backbone in weights.items()
    ]
    return tuple(found)


def _directories(postcodes: Manifest | None) -> list[Source]:
    inputs = postcodes.recipe.inputs if postcodes else {}
    return [
        Source(title=DIRECTORY, provides="areas of postcodes", edition=name, sha256=sha256)
        for name, sha256 in inputs.items()
    ]


def _official_tables(labels: Manifest | None) -> list[Source]:
    """The tables by outcome, and the boundaries; not what the platform itself publishes."""
    if labels is None:
        return []
    census, iod = (*labels.recipe.config.get("editions", ()), "", "")[:2]
    editions = {"census": census, "iod": iod}
    found = []
    for name, sha256 in labels.recipe.inputs.items():
        keys = [key for key in name.split(", ") if key in OUTCOMES]
        if keys:
            folder = OUTCOMES[keys[0]].tables[0].folder
            titles = ", ".join(OUTCOMES[key].title for key in keys)
            official = " or ".join(map(str, OUTCOMES[keys[0]].tables))
            edition = editions.get(folder, "")
            found.append(Source(title=official, provides=titles, edition=edition, sha256=sha256))
        elif name == "boundaries":
            vintage = VINTAGES[labels.area_vintage or LSOA11.key]
            title = f"Boundaries of the {vintage} (Office for National Statistics)"
            found.append(Source(title=title, provides="maps", edition=vintage.year, sha256=sha256))
    return found
