"""Which file a path of `street_images` is: the study's own, or one that was acquired."""

import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.findings import Findings
from streetineq_assets.images.files import imagery_path, locate
from streetineq_assets.manifests import Recipe
from streetineq_assets.store import DataStore


@pytest.fixture
def store(tmp_path):
    """A study whose part 003 was acquired."""
    store = DataStore(tmp_path)

    def write(folder):
        (folder / "captures.tar").write_bytes(b"of 003")
        (folder / "captures.parquet").write_bytes(b"table")
        return Findings()

    store.publish("imagery", "leeds/003", Recipe(code_version="1"), write)
    return store


def test_a_path_without_scheme_lies_in_the_city_s_folder(store):
    assert locate(store, "leeds", "deep/1.tar") == store.root / "inputs/images/leeds/deep/1.tar"


def test_an_acquired_file_is_the_published_one_also_after_it_was_made_again(store):
    path = imagery_path("003", "captures.tar")
    assert path == "imagery://003/captures.tar"
    assert locate(store, "leeds", path).read_bytes() == b"of 003"

    def write(folder):
        (folder / "captures.tar").write_bytes(b"again")
        (folder / "captures.parquet").write_bytes(b"table")
        return Findings()

    store.publish("imagery", "leeds/003", Recipe(code_version="2"), write)
    assert locate(store, "leeds", path).read_bytes() == b"again"


@pytest.mark.parametrize(
    ("city", "path"),
    [
        ("leeds", "imagery://004/captures.tar"),
        ("london", "imagery://003/captures.tar"),
        ("leeds", "imagery://003/other.tar"),
        ("leeds", "imagery://003/../003/manifest.json"),
        ("leeds", "imagery://003/../../../../study.toml"),
        ("leeds", "imagery://003/"),
        ("leeds", "imagery://003"),
    ],
)
def test_what_was_not_published_is_a_path_where_nothing_is(store, city, path):
    (store.root / "study.toml").write_text("secret")
    assert not locate(store, city, path).exists()
    assert store.assets in locate(store, city, path).parents


@pytest.mark.parametrize("path", ["imagery://../x/captures.tar", "imagery:///etc/passwd"])
def test_a_part_that_is_none_is_refused(store, path):
    with pytest.raises(StoreError, match="is not the name of an asset or partition"):
        locate(store, "leeds", path)
