"""What must hold after a fault, once everything that the manual promises has run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import duckdb

from streetineq_assets.cleaning import published_artefacts, unreadable_manifests
from streetineq_assets.instance_state import UNFINISHED, open_instance
from streetineq_assets.publishing import STAGING, generations
from streetineq_assets.store import WORK, DataStore

WAREHOUSE = "warehouse"  # its digest tells where the study lies


class Undisturbed(NamedTuple):
    """A study in which nothing went wrong: where it lies, and its content."""

    root: Path
    digests: Mapping[str, str]
    views: Mapping[str, object]


def digests(store: DataStore) -> dict[str, str]:
    """Of the content of every artefact, by its label."""
    return {m.label: m.digest for m in published_artefacts(store) if m.asset != WAREHOUSE}


def content_of_views(store: DataStore) -> dict[str, object]:
    """Columns, number and a digest of the rows of each view of the warehouse, durations aside."""
    with duckdb.connect(store.open(WAREHOUSE).file("streetineq.duckdb"), read_only=True) as ask:
        views = [name for (name,) in ask.execute("SHOW TABLES").fetchall()]
        return {name: _content_of_view(ask, name) for name in views}


def _content_of_view(ask: duckdb.DuckDBPyConnection, name: str) -> tuple[object, ...]:
    columns = ask.table(f'"{name}"').columns
    lasting = ", ".join(f'"{column}"' for column in columns if "seconds" not in column)
    rows = ask.execute(f'SELECT count(*), bit_xor(hash({lasting})) FROM "{name}"').fetchall()
    return columns, rows


def assert_whole(store: DataStore) -> None:
    """Every artefact can be opened: nothing is half written, whatever moment it is."""
    assert unreadable_manifests(store) == []
    for manifest in published_artefacts(store):
        store.open(manifest.asset, manifest.partition)


def assert_undisturbed(store: DataStore, expected: Undisturbed, *, warehouse: bool = False) -> None:
    """The study is as if nothing had happened, on disk and in the UI.

    Args:
        warehouse: it was made in this study; a copied one holds the original's paths.
    """
    assert digests(store) == expected.digests
    assert_whole(store)
    assert litter(store) == []
    if warehouse:
        assert content_of_views(store) == expected.views
    with open_instance(store) as instance:
        assert_truthful(store, instance)


def litter(store: DataStore) -> list[str]:
    """What unfinished work left below the study's results."""
    left = [*store.assets.rglob(f"{STAGING}*"), *store.assets.rglob("*.draft")]
    left += [path for path in store.assets.rglob(f"{WORK}/**/*") if path.name != "lock"]
    for manifest in published_artefacts(store):
        made = generations(store.folder(manifest.asset, manifest.partition))
        left += [folder for folder in made if folder.name != manifest.generation]
    return [str(path.relative_to(store.assets)) for path in left]


def assert_truthful(store: DataStore, instance: dg.DagsterInstance) -> None:
    """No run is shown as going on, none holds a slot, and events tell what the manifests say."""
    assert instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) == []
    log = instance.event_log_storage
    for pool in log.get_concurrency_keys():
        info = log.get_concurrency_info(pool)
        assert info.claimed_slots == []
        assert info.pending_steps == []
    for manifest in published_artefacts(store):
        event = _last_event(instance, manifest.asset, manifest.partition)
        if event is not None:
            told = event.asset_materialization.tags["dagster/data_version"]
            assert told == manifest.digest, manifest.label


def _last_event(
    instance: dg.DagsterInstance, asset: str, partition: str | None
) -> dg.EventLogEntry | None:
    filters = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset), asset_partitions=[partition] if partition else None
    )
    found = instance.fetch_materializations(filters, limit=1).records
    return found[0].event_log_entry if found else None
