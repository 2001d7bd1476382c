"""The contact sheet of a city's shards: pictures where they may be shown, else ids, and credits."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from streetineq_assets.codes import packing
from streetineq_assets.codes.plots import plot_contact_sheet
from streetineq_assets.codes.shown_pictures import CREDIT
from streetineq_assets.plotting import INLINE_LIMIT_BYTES, save_jpeg
from streetineq_tests.codes.encoded_study import IDS
from streetineq_tests.harness import metadata

TEXTS = (*CREDIT, "conditions", "why_not_shown")
SHOWN = "\n[rights]\nshow_images = true\n"


def jpeg(seed, size=(192, 120)):
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 19, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def sheet(n_queries=5, n_nearest=4, **columns):
    size = n_nearest + 1
    rows = [
        {"query": n // size, "rank": n % size, "location_id": f"L{n}", "view": "a", "cosine": 0.5}
        | dict.fromkeys(TEXTS)
        | {"thumbnail": jpeg(n)}
        for n in range(n_queries * size)
    ]
    frame = pd.DataFrame(rows).assign(**columns).astype(dict.fromkeys(TEXTS, object))
    return frame.where(frame.notna(), None)


def below(figure):
    return figure.get_supxlabel()


class TestPlot:
    def test_each_view_has_its_number_its_id_and_its_cosine(self):
        shown = sheet(1, 2, cosine=[1.0, 0.834, 0.5], location_id=["A", "B", "C" * 40])
        figure = plot_contact_sheet(shown, "Leeds", synthetic=False)
        titles = [axis.get_title("left") for axis in figure.axes]
        assert titles == ["1. A a", "2. B a  0.83", f"3. {'C' * 16}… a  0.50"]
        assert all(axis.images for axis in figure.axes)
        assert "SYNTHETIC" not in figure.get_suptitle()

    def test_what_is_synthetic_is_called_so(self):
        assert "SYNTHETIC" in plot_contact_sheet(sheet(), "X", synthetic=True).get_suptitle()

    def test_credits_name_who_took_which_picture_under_which_licence(self):
        shown = sheet(
            *(1, 3),
            provider="Mapillary",
            licence="CC BY-SA 4.0",
            creator=["Ann", "Bo", "Ann", None],
            conditions="attribution",
        )
        terms = "Mapillary; CC BY-SA 4.0; attribution; made smaller"
        assert below(plot_contact_sheet(shown, "X", synthetic=False)).splitlines() == [
            f"1, 3: Ann; {terms}",
            f"2: Bo; {terms}",
            f"4: creator not listed; {terms}",
        ]

    def test_what_is_not_shown_has_the_reason_in_its_place(self):
        shown = sheet(1, 1, thumbnail=[jpeg(0), None], why_not_shown=[None, "terms do not allow"])
        figure = plot_contact_sheet(shown, "X", synthetic=False)
        assert [bool(axis.images) for axis in figure.axes] == [True, False]
        assert below(figure).splitlines()[1] == "2: not shown: terms do not allow"

    def test_it_is_small_whoever_took_its_pictures(self, tmp_path):
        creators = [f"photographer {n} of a club with a long name" for n in range(25)]
        shown = sheet(creator=creators, provider="Mapillary", licence="CC BY-SA 4.0")
        shown["conditions"] = "CC BY-SA 4.0: name the photographer and Mapillary"
        save_jpeg(plot_contact_sheet(shown, "X", synthetic=False), tmp_path / "sheet.jpg")
        assert (tmp_path / "sheet.jpg").stat().st_size < INLINE_LIMIT_BYTES

    def test_rows_of_few_neighbours_leave_places_empty(self):
        shown = sheet(2, 2).iloc[:-1]
        assert len(plot_contact_sheet(shown, "X", synthetic=False).axes) == 6


@pytest.fixture
def drawn(monkeypatch):
    """The last sheet that was drawn, as a frame."""
    kept = {}

    def plot(shown, title, *, synthetic):
        kept["shown"], kept["synthetic"] = shown, synthetic
        return plot_contact_sheet(shown, title, synthetic=synthetic)

    monkeypatch.setattr(packing, "plot_contact_sheet", plot)
    return kept


def license_all(platform, provider, licence):
    platform.list_locations(IDS)
    file = platform.store.inputs("locations") / "alpha.csv"
    header, *lines = file.read_text().splitlines()
    rest = [f"{line},{provider},{licence},Ann" for line in lines]
    file.write_text("\n".join([f"{header},provider,licence,creator", *rest]))
    platform.run("locations")


def set_rights(platform, text):
    settings = platform.store.study_file
    settings.write_text(settings.read_text().split("\n[rights]")[0] + text)


def packed(platform):
    return metadata(platform.run("hdf5_shards"), "hdf5_shards")


class TestAsset:
    def test_a_study_that_shows_no_images_has_ids(self, done, drawn):
        (done.store.folder("hdf5_shards", "alpha") / "manifest.json").unlink()
        shown = packed(done)
        assert shown["contact_sheet_plot"].startswith("![contact_sheet](data:image/jpeg")
        assert drawn["shown"]["thumbnail"].isna().all()
        assert drawn["shown"]["why_not_shown"].str.contains("show_images").all()
        assert drawn["synthetic"]

    def test_pictures_follow_licences_and_rights(self, done, drawn):
        before = done.store.open("hdf5_shards", "alpha").digest
        set_rights(done, SHOWN)
        license_all(done, "own", "")
        assert not packed(done)["skipped"]
        assert drawn["shown"]["thumbnail"].notna().all()
        assert set(drawn["shown"]["creator"]) == {"Ann"}
        assert packed(done)["skipped"]
        license_all(done, "google", "")
        assert not packed(done)["skipped"]
        assert drawn["shown"]["thumbnail"].isna().all()
        set_rights(done, "")
        assert not packed(done)["skipped"]
        assert done.store.open("hdf5_shards", "alpha").digest == before, "codes are the same"
