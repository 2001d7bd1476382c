"""One pair: what explaining its scores reads, and the files of `explanations`.

The published networks are run once more over the codes of their test locations. What they make of
all views is compared with the published scores, so that an explanation is of these and no others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetineq_assets.codes.identity import EncoderIdentity, require_encoder
from streetineq_assets.codes.shown_pictures import find_pictures, read_licences, show_pictures
from streetineq_assets.devices import Device
from streetineq_assets.digests import digest_frame
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import (
    Findings,
    Unavailable,
    blocking_failures,
    unavailable_findings,
)
from streetineq_assets.images.catalogue import HEADINGS, VIEWS
from streetineq_assets.images.rights import terms_digest
from streetineq_assets.models.bundles.bundle import network_bytes, open_networks
from streetineq_assets.models.dataset import Codes, open_codes
from streetineq_assets.models.pair_training import network_file
from streetineq_assets.models.reader import CodeShape
from streetineq_assets.models.tables import TrainingRecord
from streetineq_assets.predictions import explanation_checks as checks
from streetineq_assets.predictions.checks import inputs_available
from streetineq_assets.predictions.exemplars import choose_exemplars
from streetineq_assets.predictions.influence import SplitNetwork, location_influence, view_scores
from streetineq_assets.predictions.tables import EXEMPLARS, EXPLANATIONS, INFLUENCES
from streetineq_assets.profiles import Profile
from streetineq_assets.store import Artefact, DataStore
from streetineq_assets.study import Pair, Study
from streetineq_assets.tables import conform, empty, write

_CODES = "image_codes"
EXPLANATION_FILES = {"explanations": EXPLANATIONS, "exemplars": EXEMPLARS}
_NO_MEAN = Unavailable(
    "networks that take a mean of the views", "what one view adds cannot be told exactly"
)
_READING = (
    "Influences are of the network's score, in logits, each with all else left as it is: they do "
    "not add up. They say what this network reads from these images, not what makes a place well "
    "or badly off."
)


@dataclass(frozen=True)
class ExplanationSources:
    """What the explanation of a pair reads.

    Attributes:
        trained, predicted: networks and locations.
        shards: the city's codes; None, as the next two, where the pair has no predictions.
        licences: `location_id, provider, licence, creator` of the city's locations.
        listing: `street_images`, where the study shows images.
    """

    store: DataStore
    study: Study
    pair: Pair
    trained: Artefact
    predicted: Artefact
    shards: Artefact | None = None
    licences: pd.DataFrame | None = None
    listing: Artefact | None = None

    @property
    def unavailable(self) -> Unavailable | None:
        """Why there is nothing to explain."""
        return self.trained.manifest.unavailable or self.predicted.manifest.unavailable

    def digests(self) -> dict[str, str]:
        """Of each slice, for the recipe."""
        artefacts = {
            "trained_model": self.trained,
            "location_predictions": self.predicted,
            "hdf5_shards": self.shards,
            "street_images": self.listing,
        }
        found = {name: each.digest for name, each in artefacts.items() if each}
        return found | ({} if self.licences is None else {"licences": digest_frame(self.licences)})

    def config(self) -> dict[str, Any]:
        """The settings that shape it, for the recipe."""
        return {"rights": self.study.rights.model_dump(mode="json"), "terms": terms_digest()}


def read_explanation_sources(store: DataStore, study: Study, pair: Pair) -> ExplanationSources:
    """Open what the explanation reads.

    Raises:
        StoreError: an artefact is absent or damaged; the message names what to materialise.
    """
    trained = store.open("trained_model", pair.key)
    predicted = store.open("location_predictions", pair.key)
    found = ExplanationSources(store, study, pair, trained, predicted)
    if found.unavailable:
        return found
    shows = study.rights.show_images
    return ExplanationSources(
        store,
        study,
        pair,
        trained,
        predicted,
        shards=store.open("hdf5_shards", pair.city),
        licences=read_licences(store, pair.city),
        listing=store.open("street_images", pair.city) if shows else None,
    )


def write_unavailable(why: Unavailable, folder: Path) -> Findings:
    """The empty tables of a pair that cannot be explained."""
    for name, fields in EXPLANATION_FILES.items():
        write(empty(fields), fields, folder / f"{name}.parquet")
    return unavailable_findings(why, checks.EXPLANATIONS)


def write_explanations(sources: ExplanationSources, folder: Path, device: Device) -> Findings:
    """Write the tables of `EXPLANATION_FILES`, and say what was found.

    Args:
        device: what the networks run on, held by the caller.

    Raises:
        StoreError: a network of the predictions is not there.
        TrainingError: the codes are of another encoder, or not finite.
    """
    assert sources.shards is not None
    predicted, record = sources.predicted.table(), _record(sources)
    codes = open_codes([sources.shards], sources.study.training.memory_budget_mb * 2**20)
    require_encoder(record.encoder, EncoderIdentity.from_attributes(codes.reader.attributes))
    networks = split_networks(sources.trained, codes.shape, predicted["fold"].unique())
    if networks is None:
        return write_unavailable(_NO_MEAN, folder)
    rows = rows_of(codes, predicted["location_id"])
    lacking = checks.codes_of_predictions(predicted, rows)
    if lacking:
        return Findings(checks=[lacking])
    scores = scores_of(codes, rows, predicted["fold"].to_numpy(), networks)
    explained = explain(predicted, scores)
    mixed = bool(record.mixed_precision)
    found = [
        inputs_available(),
        checks.explains_the_predictions(predicted, scores[:, 0], mixed_precision=mixed),
        checks.no_location_carries_an_area(explained),
        checks.no_view_decides(explained),
    ]
    if blocking_failures(found):
        return Findings(checks=found)
    exemplars = find_exemplars(sources, explained)
    write(explained, EXPLANATIONS, folder / "explanations.parquet")
    write(exemplars, EXEMPLARS, folder / "exemplars.parquet")
    findings = _findings(explained, exemplars)
    findings.checks, findings.values = found, findings.values | device.report()
    return findings


def split_networks(
    trained: Artefact, shape: CodeShape, folds: Iterable[int]
) -> dict[int, SplitNetwork] | None:
    """The networks of these folds, cut where they take a weighted mean of the views.

    None where one takes no mean, for which what is computed here would not be exact.

    Args:
        shape: of the codes to be explained.

    Raises:
        StoreError: a fold has no network.
        SourceError: this Keras cannot open one.
    """
    from streetineq_assets.models.heads import HEADS
    from streetineq_assets.models.pooling import split_at_views

    profile = Profile.model_validate(trained.manifest.recipe.config["profile"])
    members, names = network_bytes(trained), {network_file(int(fold)) for fold in folds}
    if absent := sorted(names - set(members)):
        raise StoreError(
            f"{trained.manifest.label} has no {', '.join(absent)}, by which its locations were "
            "predicted: materialise trained_model and location_predictions again"
        )
    found = {}
    # Which views are there counts in their means alone, and these are taken apart.
    networks = open_networks(
        {name: members[name] for name in names}, profile, shape.width, views=shape.views
    )
    for fold, network in networks.items():
        parts = split_at_views(network)
        if parts is None:
            return None
        found[fold] = SplitNetwork(parts, HEADS[profile.head])
    return found


def rows_of(codes: Codes, location_ids: pd.Series) -> np.ndarray:
    """(n,) rows of the codes that are of these locations; -1 where there is none."""
    return pd.Index(codes.reader.location_ids.astype(str)).get_indexer(location_ids.astype(str))


def scores_of(
    codes: Codes, rows: np.ndarray, folds: np.ndarray, networks: dict[int, SplitNetwork]
) -> np.ndarray:
    """As `influence.view_scores`, of rows in any order."""
    order = np.argsort(rows)
    scores = np.empty((len(rows), 1 + codes.reader.views), np.float32)
    scores[order] = view_scores(codes, rows[order], folds[order], networks)
    return scores


def explain(predicted: pd.DataFrame, scores: np.ndarray) -> pd.DataFrame:
    """The table of explained locations (`tables.EXPLANATIONS`).

    Args:
        predicted: `tables.LOCATION_PREDICTIONS`.
        scores: (n, 1 + V), with all views and without each in turn; NaN where that cannot be.
    """
    influence = np.full((len(scores), len(INFLUENCES)), np.nan, np.float32)
    influence[:, : scores.shape[1] - 1] = scores[:, :1] - scores[:, 1:]
    frame = predicted.assign(
        n_locations=predicted.groupby("area")["area"].transform("size"),
        location_influence=location_influence(predicted),
        **dict(zip(INFLUENCES, influence.T, strict=True)),
    )
    return conform(frame, EXPLANATIONS)


def find_exemplars(sources: ExplanationSources, explained: pd.DataFrame) -> pd.DataFrame:
    """The pair's exemplars with their pictures (`tables.EXEMPLARS`)."""
    assert sources.licences is not None
    chosen = choose_exemplars(explained)
    pictures = (
        find_pictures(
            sources.store,
            sources.pair.city,
            chosen,
            listing=sources.listing,
            bucket_file=partial(_encoded_file, sources),
            views=sources.study.views,
        )
        if sources.listing
        else None
    )
    shown = show_pictures(chosen, sources.licences, sources.study.rights, pictures)
    return conform(shown, EXEMPLARS)


def _encoded_file(sources: ExplanationSources, bucket: str) -> Path | None:
    """The codes of a bucket; None where the shards were made of others than stand there now."""
    assert sources.shards is not None
    manifest = sources.store.intact(_CODES, bucket)
    if manifest is None or sources.shards.manifest.recipe.inputs.get(bucket) != manifest.digest:
        return None
    return sources.store.path_of(manifest) / "image_codes.h5"


def _record(sources: ExplanationSources) -> TrainingRecord:
    return sources.trained.manifest.read_record(TrainingRecord)


def _findings(explained: pd.DataFrame, exemplars: pd.DataFrame) -> Findings:
    shown = exemplars.drop(columns=["city", "outcome", "thumbnail"]).astype(object)
    areas = explained.drop_duplicates("area")
    return Findings(
        values={
            "n_explained": len(explained),
            "n_lsoas": len(areas),
            "n_lsoas_of_one_location": int((areas["n_locations"] == 1).sum()),
            "n_thumbnails": int(exemplars["thumbnail"].notna().sum()),
        },
        tables={
            "views": _views(explained),
            "exemplars": shown.where(shown.notna(), None).to_dict("records"),
        },
        notes={"reading": _READING},
        holdings={"locations": len(explained)},
    )


def _views(explained: pd.DataFrame) -> list[dict[str, Any]]:
    """How much each view pushes, over all locations."""
    return [
        {
            "view": view,
            "heading_degrees": HEADINGS[view],
            "mean_influence": float(explained[name].mean()),
            "mean_size_of_influence": float(explained[name].abs().mean()),
        }
        for view, name in zip(VIEWS, INFLUENCES, strict=True)
        if explained[name].notna().any()
    ]
