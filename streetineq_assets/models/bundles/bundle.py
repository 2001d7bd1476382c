"""Model bundles: trained networks in one file that another machine can predict with.

A bundle is a zip archive: `bundle.json` with the encoder's identity, the outcome, the cities that
were learned from with the outcome's decile edges there (unless the labels were made again since),
the training's manifest and the metrics; one `.keras` file per fold; `areas.txt` with the codes of
the areas that taught them, a line each; and `MODEL_CARD.md`. Every member's sha256 stands in
`bundle.json`.
Networks open without running code from the file, and predictions are refused for codes of another
encoder: same layer, other weights would give numbers that mean nothing.
"""

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity, require_encoder
from streetineq_assets.errors import SourceError, StoreError, TrainingError
from streetineq_assets.images.catalogue import VIEWS
from streetineq_assets.manifests import Manifest
from streetineq_assets.models.bundles.model_card import model_card
from streetineq_assets.models.bundles.provenance import (
    compare_labels,
    learned_labels,
    read_taught_areas,
    stale_labels,
    stale_sentence,
)
from streetineq_assets.models.bundles.schema import (
    AREAS_MEMBER,
    BundleDescription,
    read_description,
)
from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.pair_training import ASSET, network_file, network_fold
from streetineq_assets.models.tables import PROBABILITIES, SCORES, TrainingRecord
from streetineq_assets.profiles import Profile
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study, load_study
from streetineq_assets.tables import descriptions

if TYPE_CHECKING:  # importing it takes the 8 s of TensorFlow
    import keras

# 3: the areas that taught were not listed; 2: the encoder's identity lacked mixed precision.
FORMAT_VERSION = 4
SUFFIX = ".streetineq"
_ABOUT = "bundle.json"
_CARD = "MODEL_CARD.md"
_LARGEST_MEMBER_BYTES = 2**30
_CHUNK_ROWS = 256
ALLOW_STALE = "add --allow-stale to use it as it is"
# What a file raises that is no zip, is encrypted or packed in another way (RuntimeError), or whose
# description is no JSON or not ours.
_NO_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
_NO_DESCRIPTION = (ValueError, KeyError, TypeError)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose members were checked against its own account of them.

    Attributes:
        path: the file.
        about: what `bundle.json` says.
        description: of this, what is relied on.
    """

    path: Path
    about: dict[str, Any]
    description: BundleDescription

    @cached_property
    def areas(self) -> frozenset[str] | None:
        """Codes of the areas that taught the networks; None where an earlier version exported them.

        Raises:
            SourceError: there are not as many as the description says.
        """
        wanted = self.description.n_areas
        if wanted is None:
            return None
        with zipfile.ZipFile(self.path) as archive:
            codes = frozenset(archive.read(AREAS_MEMBER).decode().split())
        if len(codes) != wanted:
            raise SourceError(
                f"{self.path}: {AREAS_MEMBER} lists {len(codes)} areas, bundle.json says {wanted}; "
                "export it again"
            )
        return codes

    def stale_labels(self, store: DataStore, study: Study) -> str | None:
        """What to say where a city of the study taught the networks by other labels than stand now.

        None where the labels are the same, and of cities that the study does not have.
        """
        training = self.about.get("training", {}).get("recipe", {})
        outcomes = training.get("config", {}).get("outcomes", [self.description.outcome])
        here = [key for key in self.description.trained_on if key in study.cities]
        here = [
            key for key in here if self.description.learned_from(key, study.cities[key].authorities)
        ]
        learned = learned_labels(training.get("inputs", {}), here)
        return stale_sentence(self.path.name, compare_labels(store, learned, outcomes).others)

    def networks(
        self, *, views: int = len(VIEWS), masked: bool = False
    ) -> dict[int, "keras.Model"]:
        """Fold to network: (n, views, width) codes -> the head's outputs.

        Args:
            views, masked: of the codes to be scored, as `network.load_network`.

        Raises:
            SourceError: one is not of the profile, or this Keras cannot open it.
        """
        with zipfile.ZipFile(self.path) as archive:
            names = map(network_file, self.description.folds)
            members = {name: archive.read(name) for name in names}
        try:
            width = self.description.encoder.width
            return open_networks(
                members, self.description.profile, width, views=views, masked=masked
            )
        except SourceError as error:
            raise SourceError(f"{self.path}: {error}") from error


def open_networks(
    members: Mapping[str, bytes],
    profile: Profile,
    width: int,
    *,
    views: int = len(VIEWS),
    masked: bool = False,
) -> dict[int, "keras.Model"]:
    """Fold to network, from the bytes of `fold_<k>.keras` files.

    Args:
        profile, width, views, masked: as `load_network`.

    Raises:
        SourceError: as `load_network`.
    """
    from streetineq_assets.models.network import load_network

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(members):
            path = Path(folder) / name
            path.write_bytes(members[name])
            found[network_fold(name)] = load_network(
                path, profile, width, views=views, masked=masked
            )
    return found


def export_bundle(
    store: DataStore,
    pair: Pair,
    target: Path,
    metrics: pd.DataFrame | None = None,
    made_with: Mapping[str, str] | None = None,
    *,
    allow_stale: bool = False,
) -> Path:
    """Write the bundle of a trained pair.

    Args:
        target: the file to write; it is replaced whole or not at all.
        metrics: `lsoa_evaluation`'s `model, scheme, metric, value, lower, upper, n_lsoas`, if made.
        made_with: settings of the pair, name to value, for the model card.
        allow_stale: export networks whose labels were made again since.

    Raises:
        StoreError: the pair is not trained, or an earlier version trained it.
        TrainingError: the pair is unavailable, or was trained on other labels than stand now.
    """
    trained = store.open(ASSET, pair.key)
    if trained.manifest.unavailable:
        raise TrainingError(f"{pair} has no networks: {trained.manifest.unavailable}")
    if (stale := stale_labels(store, trained.manifest)) and not allow_stale:
        raise TrainingError(f"{stale}: materialise it again, or {ALLOW_STALE}")
    members = network_bytes(trained)
    areas = read_taught_areas(trained)
    about = _about(store, trained, pair, metrics) | {"made_with": dict(made_with or {})}
    about["folds"] = sorted(map(network_fold, members))
    about["n_areas"] = None if areas is None else len(areas)
    if areas is not None:
        members[AREAS_MEMBER] = "".join(f"{code}\n" for code in sorted(areas)).encode()
    members[_CARD] = model_card(about).encode()
    about["members"] = {name: _sha256(content) for name, content in sorted(members.items())}
    members[_ABOUT] = json.dumps(about, indent=2, sort_keys=True, default=str).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    draft.replace(target)
    return target


def network_bytes(trained: Artefact) -> dict[str, bytes]:
    """File name to bytes of each fold's network.

    Raises:
        StoreError: an earlier version left the networks with the city's joint ones.
    """
    files = [name for name in trained.manifest.files if name.endswith(".keras")]
    if not files:
        label = trained.manifest.label
        raise StoreError(
            f"{label} was made by an earlier version, which left its networks in joint_model: "
            f"materialise {label} again"
        )
    return {name: trained.file(name).read_bytes() for name in files}


def open_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises:
        SourceError: the file is absent, is no bundle, is of a later format, is damaged, or its
            description lacks a field or has one of another shape.
    """
    if not path.is_file():
        raise SourceError(f"no model bundle at {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(_member(archive, _ABOUT, path))
            if about["format_version"] > FORMAT_VERSION:
                raise SourceError(
                    f"{path} has format {about['format_version']}, this version reads up to "
                    f"{FORMAT_VERSION}: install a later streetineq"
                )
            description = read_description(about, path)
            for name, digest in about["members"].items():
                if _sha256(_member(archive, name, path)) != digest:
                    raise SourceError(f"{path}: {name} is damaged; get the bundle again")
    except (*_NO_ZIP, *_NO_DESCRIPTION) as error:
        raise SourceError(f"{path} is not a model bundle ({error}); get it again") from error
    return Bundle(path, about, description)


def import_bundle(path: Path, store: DataStore) -> Path:
    """Check a bundle and copy it to `inputs/models/`, where study.toml can name it.

    Raises:
        SourceError: as `open_bundle` and `Bundle.networks`, or another of that name is there.
    """
    bundle = open_bundle(path)
    bundle.networks()
    target = store.inputs(
        "models", f"{bundle.description.city}_{bundle.description.outcome}{SUFFIX}"
    )
    content = path.read_bytes()
    if target.exists() and target.read_bytes() != content:
        raise SourceError(f"another bundle is at {target}: move it away first")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.write_bytes(content)
    draft.replace(target)
    return target


def predict(bundle: Bundle, codes: Codes) -> pd.DataFrame:
    """Deciles of locations from their codes alone; no label is needed.

    The networks of all folds vote: a location's score is their mean. Codes may be of more or fewer
    views than the networks learned from, since neither a mean nor attention counts them; fewer
    views make scores that spread more widely, so that their order says more than their deciles.

    Args:
        codes: of new images, by the encoder that the bundle names.

    Returns:
        `location_id, h, decile, p_1 .. p_10`, in the order of the codes.

    Raises:
        TrainingError: the codes are of another encoder, or not finite.
    """
    from streetineq_assets.models import binomial
    from streetineq_assets.models.heads import HEADS

    require_encoder(
        bundle.description.encoder, EncoderIdentity.from_attributes(codes.reader.attributes)
    )
    shape, head = codes.shape, HEADS[bundle.description.profile.head]
    networks = list(bundle.networks(views=shape.views, masked=shape.masked).values())
    scores, probabilities, start = [], [], 0
    for features in codes.chunks(np.arange(codes.reader.n_rows), _CHUNK_ROWS):
        stop = start + len(features)
        given, present = features.astype(np.float32), codes.present(np.arange(start, stop))
        start = stop
        outputs = [network(given if present is None else [given, present]) for network in networks]
        scores.append(np.mean([np.asarray(head.score(o)) for o in outputs], axis=0))
        votes = [np.exp(np.asarray(head.log_probabilities(o))) for o in outputs]
        probabilities.append(np.mean(votes, axis=0))
    h = np.concatenate(scores) if scores else np.empty(0, np.float32)
    p = np.concatenate(probabilities) if scores else np.empty((0, len(PROBABILITIES)), np.float32)
    frame = pd.DataFrame({"location_id": np.asarray(codes.reader.location_ids).astype(str)})
    frame = frame.assign(h=h, decile=binomial.most_probable(p))
    return frame.assign(**dict(zip(PROBABILITIES, p.T, strict=True)))


def in_sample(
    bundle: Bundle, location_ids: pd.Series, location_areas: pd.DataFrame | None, *, by_city: bool
) -> np.ndarray:
    """Which locations lie in areas that taught the networks: (n,) bool.

    Args:
        location_ids: (n,) of one city.
        location_areas: `location_id, area` of those of its locations that are in an area; None
            where none is known.
        by_city: what is said of a location whose area is not known, and of all where the bundle
            does not list its areas: whether the city taught the networks.
    """
    seen = np.full(len(location_ids), by_city)
    if bundle.areas is None or location_areas is None:
        return seen
    area = location_areas.set_index("location_id")["area"].reindex(location_ids).to_numpy()
    known = ~pd.isna(area)
    seen[known] = pd.Series(area[known]).isin(bundle.areas)
    return seen


def _about(
    store: DataStore, trained: Artefact, pair: Pair, metrics: pd.DataFrame | None
) -> dict[str, Any]:
    study, manifest = load_study(store.study_file), trained.manifest
    record = manifest.read_record(TrainingRecord)
    titles = {key: known.title for key, known in study.cities.items()}
    edges = _edges(store, manifest, record.trained_on, pair.outcome)
    return {
        "format_version": FORMAT_VERSION,
        "study": study.title,
        "synthetic": study.synthetic or record.synthetic,
        "city": pair.city,
        "city_title": titles[pair.city],
        "outcome": pair.outcome,
        "trained_on": {key: titles.get(key, key) for key in record.trained_on},
        "authorities": {
            key: list(study.cities[key].authorities)
            for key in record.trained_on
            if key in study.cities
        },
        "encoder": record.encoder.model_dump(),
        "n_views": record.n_views,
        "profile": manifest.recipe.config["profile"],
        "record": record.model_dump(mode="json", exclude={"encoder"}),
        "training": json.loads(manifest.model_dump_json(exclude={"files"})),
        "decile_edges": json.loads(edges.to_json(orient="records")),
        "metrics": [] if metrics is None else json.loads(metrics.to_json(orient="records")),
        "columns": descriptions(SCORES),
    }


def _edges(
    store: DataStore, trained: Manifest, cities: Sequence[str], outcome: str
) -> pd.DataFrame:
    """The deciles' edges in the cities whose labels are still those that were learned from."""
    outcomes = trained.recipe.config.get("outcomes", (outcome,))
    learned = learned_labels(trained.recipe.inputs, cities)
    same = compare_labels(store, learned, outcomes).same
    edges = store.open("lsoa_labels").table("decile_edges.parquet")
    return edges[edges["city"].isin(same) & (edges["outcome"] == outcome)]


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _LARGEST_MEMBER_BYTES:
        raise SourceError(f"{path}: {name} has {size} bytes, more than any network")
    with archive.open(name) as member:
        return member.read(_LARGEST_MEMBER_BYTES + 1)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
