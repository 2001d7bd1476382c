"""A bucket to extract, for the tests of this folder."""

import pytest

from streetineq_assets.codes.extraction import extract_bucket
from streetineq_tests.codes.fakes import LOCATIONS, fake_encoder, listing
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
            root=root,
            encoder=encoder or fake_encoder(),
            target=tmp_path / name,
            work=work,
            n_buckets=1,
            **options,
        )

    run.work, run.folder = work, tmp_path
    return run
