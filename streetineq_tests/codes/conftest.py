"""A bucket to extract, and a study of two, for the tests of this folder."""

import shutil

import dagster as dg
import pytest

from streetineq_assets.codes import assets as codes
from streetineq_assets.codes.extraction import extract_bucket
from streetineq_tests.codes.encoded_study import Platform
from streetineq_tests.codes.fakes import LOCATIONS, fake_encoder, listing
from streetineq_tests.harness import failed
from streetineq_tests.images.pictures import views_of, write_files, write_tar, write_zip


@pytest.fixture
def root(tmp_path):
    """Twenty locations with all their images, in files and archives of every kind."""
    files = views_of(LOCATIONS)
    groups = [dict(list(files.items())[start : start + 20]) for start in range(0, 80, 20)]
    write_files(tmp_path / "images", {f"deep/{name}": data for name, data in groups[0].items()})
    write_tar(tmp_path / "images" / "1.tar", groups[1])
    # All a's, then all b's: views of a location are far apart.
    write_tar(tmp_path / "images" / "2.tgz", dict(sorted(groups[2].items(), key=lambda f: f[0][4])))
    write_zip(tmp_path / "images" / "3.zip", groups[3])
    return tmp_path / "images"


@pytest.fixture
def extract(tmp_path, root):
    work = tmp_path / "work"
    work.mkdir()

    def run(ids=LOCATIONS, encoder=None, *, name="codes.h5", **options):
        return extract_bucket(
            listing(root, ids),
            locate=root.joinpath,
            encoder=encoder or fake_encoder(),
            target=tmp_path / name,
            work=work,
            n_buckets=1,
            **options,
        )

    run.work, run.folder = work, tmp_path
    return run


# -- a study of listed images, and of their codes --------------------------------------------------


@pytest.fixture(scope="module")
def shared_instance():
    """One for all tests that do not ask it what was materialised before."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def listed(tmp_path_factory, shared_instance):
    """A study whose images and locations are listed."""
    platform = Platform(tmp_path_factory.mktemp("listed"), shared_instance)
    platform.write()
    assert not failed(platform.run("street_images"))
    assert failed(platform.run("locations")) == {"locations_matched"}, "12 of them, 10 postcodes"
    return platform


@pytest.fixture(scope="module")
def packed(tmp_path_factory, listed):
    """A study from images to shards, by the encoder without TensorFlow."""
    platform = copy_of(listed, tmp_path_factory.mktemp("packed") / "study")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codes, "kept_encoder", lambda *_, **__: fake_encoder())
        platform.run_buckets()
        platform.run("hdf5_shards")
    return platform


def copy_of(platform, root):
    shutil.copytree(platform.root, root)
    return Platform(root, platform.instance)


@pytest.fixture
def platform(tmp_path, listed):
    """A copy of the listed study, to be changed."""
    return copy_of(listed, tmp_path / "study")


@pytest.fixture
def done(tmp_path, packed, fake):
    """A copy of the packed study, to be changed."""
    return copy_of(packed, tmp_path / "study")


@pytest.fixture
def fake(monkeypatch):
    """The encoder without TensorFlow; a list of the batches that it encoded."""
    encoder = fake_encoder(batch_size=8)
    monkeypatch.setattr(codes, "kept_encoder", lambda *_, **__: encoder)
    return encoder
