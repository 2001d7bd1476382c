"""What the doctor says of codes that are brought."""

import pytest

from streetineq_assets.codes.importing.examination import examine_codes
from streetineq_assets.encoder_settings import ImportedEncoder
from streetineq_assets.store import DataStore
from streetineq_tests.codes.importing.brought import IDS, WIDTH, write_hdf5

SETTINGS = ImportedEncoder(
    family="imported", name="CLIP", layer="pooled", preprocessing="its own", width=WIDTH
)


@pytest.fixture
def examine(tmp_path):
    """What is said of the codes of these locations, for a list of `listed`."""

    def run(listed, ids=IDS, settings=SETTINGS):
        store = DataStore(tmp_path)
        if ids:
            write_hdf5(store.inputs("codes", "leeds.h5"), location_id=ids)
        return examine_codes(store, settings, "leeds", listed)

    return run


def test_codes_of_all_locations_are_found(examine):
    status, text = examine(IDS)
    assert (status, "4 of 4 listed locations have codes" in text) == ("found", True)


def test_locations_that_are_not_listed_are_counted(examine):
    status, text = examine(IDS[:2])
    assert status == "found"
    assert "2 of 2 listed locations have codes; 2 more locations are not listed, such as" in text


def test_locations_without_codes_are_doubtful(examine):
    status, text = examine([*IDS, "L04"])
    assert (status, "4 of 5 listed locations" in text) == ("doubtful", True)


def test_no_file_is_missing(examine):
    status, text = examine(IDS, ids=None)
    assert status == "missing"
    assert text.endswith("codes/leeds.h5 (or .parquet)")


@pytest.mark.parametrize(
    ("listed", "width", "expected"),
    [(["M00"], WIDTH, "no id in common"), (IDS, 512, "encoder.width")],
    ids=["another_city", "another_width"],
)
def test_what_a_run_refuses_is_wrong(examine, listed, width, expected):
    status, text = examine(listed, settings=SETTINGS.model_copy(update={"width": width}))
    assert (status, expected in text) == ("wrong", True)
