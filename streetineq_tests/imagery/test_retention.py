"""A provider that forbids what a study does: refused, or, by an agreement, encoded and not kept."""

import numpy as np
import pytest

from streetineq_assets.codes.bucket_file import Bucket
from streetineq_tests.harness import failed, failure, metadata, run
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import BUCKETS
from streetineq_tests.imagery.loopback import TOKEN, Loopback

VARIABLE = "GOOGLE_MAPS_API_KEY"
ENCODER = """
[encoder]
backbone = "mobilenet_v2"
layer = "block_1_expand"
weights = "random"
batch_size = 8
"""
AGREEMENT = """
[rights.agreements.google_street_view]
allows = ["derive_codes"]
reason = "made up for a test"
"""


@pytest.fixture(scope="module", autouse=True)
def token():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, TOKEN)
        yield


@pytest.fixture(scope="module")
def provider():
    with Loopback(acquiring_study.world(per_point=1), "google_street_view") as server:
        yield server


def written(root, provider, text=""):
    store = acquiring_study.write(root, provider.url, "google_street_view")
    settings = store.study_file.read_text()
    store.study_file.write_text(
        settings.replace("[cities.alpha]", f"{text}{ENCODER}[cities.alpha]")
    )
    return store


def test_without_an_agreement_the_terms_are_quoted_and_what_to_write(provider, tmp_path):
    store = written(tmp_path / "study", provider)
    text = failure(run(store, "imagery_plan", "alpha", fails=True))
    assert "[rights.agreements.google_street_view]" in text
    assert 'allows = ["derive_codes"]' in text
    assert "3.2.3" in text
    assert provider.n_requests == 0


@pytest.fixture(scope="module")
def encoded(provider, tmp_path_factory):
    store = written(tmp_path_factory.mktemp("study"), provider, AGREEMENT)
    run(store, "imagery_plan", "alpha")
    for key in BUCKETS:
        run(store, "imagery", key)
    had = {key: "captures.tar" in store.open("imagery", key).manifest.files for key in BUCKETS}
    before = {key: store.open("imagery", key).digest for key in BUCKETS}
    listed = run(store, "street_images", "alpha")
    run(store, "image_codes", keys=(BUCKETS[0], BUCKETS[-1]))
    return store, had, before, listed


def test_pictures_are_there_until_their_codes_are(encoded):
    store, had, _, listed = encoded
    assert all(had.values())
    assert "rights" not in failed(listed)
    for key in BUCKETS:
        assert "captures.tar" not in store.open("imagery", key).manifest.files
        assert not list(store.folder("imagery", key).rglob("*.tar"))


def test_the_codes_stay_and_so_does_what_is_known_of_each_picture(encoded):
    store, _, before, _ = encoded
    for key in BUCKETS:
        artefact = store.open("imagery", key)
        assert artefact.digest == before[key]
        rows = artefact.table()
        assert rows["sha256"].notna().all()
        with Bucket(store.open("image_codes", key).file("image_codes.h5")) as bucket:
            assert sorted(bucket.contents.location_ids) == sorted(rows["location_id"].unique())
            assert np.isfinite(bucket.read(slice(None))).all()


def test_nothing_is_out_of_date_since(encoded):
    store, *_ = encoded
    for asset, key in (("imagery", BUCKETS[0]), ("street_images", "alpha")):
        assert metadata(run(store, asset, key), asset)["skipped"]
    assert metadata(run(store, "image_codes", BUCKETS[0]), "image_codes")["skipped"]
    assert metadata(run(store, "imagery", BUCKETS[0]), "imagery")["pictures_deleted"]


def test_pictures_of_an_open_licence_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(acquiring_study.VARIABLE, TOKEN)
    with Loopback(acquiring_study.world(per_point=1)) as server:
        store = acquiring_study.write(tmp_path / "study", server.url)
        settings = store.study_file.read_text()
        store.study_file.write_text(settings.replace("[cities.alpha]", f"{ENCODER}[cities.alpha]"))
        run(store, "imagery_plan", "alpha")
        for key in BUCKETS:
            run(store, "imagery", key)
    run(store, "street_images", "alpha")
    run(store, "image_codes", keys=(BUCKETS[0], BUCKETS[-1]))
    for key in BUCKETS:
        assert "captures.tar" in store.open("imagery", key).manifest.files
