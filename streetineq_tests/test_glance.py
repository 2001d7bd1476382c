"""A glance at a study: every artefact as it stood then, and nothing read twice by a process."""

import os

import pandas as pd
import pytest

from streetineq_assets import glance
from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.glance import Glance
from streetineq_assets.store import DataStore
from streetineq_tests.harness import publish

FRAME = pd.DataFrame({"x": [1, 2]})


@pytest.fixture
def store(tmp_path, monkeypatch):
    """One artefact; files count as settled at once."""
    monkeypatch.setattr(glance, "SETTLED_S", 0)
    store = DataStore(tmp_path)
    publish(store, "locations", "alpha", Findings(values={"n": 2}), locations=FRAME)
    return store


def test_manifests_are_those_of_the_store_without_what_the_ui_shows(store):
    shown = store.manifest("locations", "alpha")
    seen = Glance(store.root).manifest("locations", "alpha")
    assert shown.summary["values"] == {"n": 2}
    assert seen == shown.model_copy(update={"summary": {}})


def test_what_is_published_meanwhile_is_seen_by_the_next_glance(store):
    first = Glance(store.root)
    before = first.manifest("locations", "alpha")
    assert first.manifest("locations", "beta") is None
    for city in ("alpha", "beta"):
        publish(store, "locations", city, locations=FRAME.assign(x=3))
    assert first.manifest("locations", "alpha") == before
    assert first.manifest("locations", "beta") is None
    second = Glance(store.root)
    assert second.manifest("locations", "alpha").digest != before.digest
    assert second.manifests("locations") == [
        second.manifest("locations", city) for city in ("alpha", "beta")
    ]


def test_a_manifest_is_read_again_where_its_file_is_another(store, monkeypatch):
    Glance(store.root).manifest("locations", "alpha")
    with monkeypatch.context() as patched:
        patched.setattr(glance, "read_manifest", lambda _: pytest.fail("read again"))
        assert Glance(store.root).manifest("locations", "alpha")
    file = store.manifest_file("locations", "alpha")
    state = file.stat()
    other = file.read_text(encoding="utf-8").replace('"partition": "alpha"', '"partition": "alphb"')
    file.write_text(other, encoding="utf-8")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    assert Glance(store.root).manifest("locations", "alpha") is None, "of another place"


def test_files_that_do_not_match_are_refused(store):
    store.open("locations", "alpha").file("locations.parquet").write_bytes(b"cut")
    with pytest.raises(StoreError, match="materialise locations"):
        Glance(store.root).open("locations", "alpha")
