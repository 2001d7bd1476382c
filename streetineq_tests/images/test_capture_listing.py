"""Views that no file is named after are shown by captures, and every capture is accounted for."""

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetineq_assets.images.capture_checks import city_findings
from streetineq_assets.images.capture_listing import terms_of_images
from streetineq_assets.images.catalogue import list_images
from streetineq_assets.images.tables import CAPTURE_USE, STREET_IMAGES
from streetineq_tests.images.captured import (
    ROUND,
    capture,
    four,
    listing,
    place,
    texts,
)
from streetineq_tests.images.pictures import write_files, write_zip


def files(*names):
    return {name: name.encode() for name in names}


def jpegs(captures):
    return files(*(f"{each['capture_id']}.jpg" for each in captures))


def use_of(found):
    """Capture to status and reason."""
    rows = found.captures.itertuples()
    return {
        row.capture_id: (row.status, None if pd.isna(row.reason) else row.reason) for row in rows
    }


class TestViews:
    def test_a_panorama_is_the_file_of_four_views(self, tmp_path):
        write_files(tmp_path, files("deep/p.jpg"))
        camera = {"pitch_deg": 3.0, "roll_deg": -2.0}
        found = listing(tmp_path, [place("L")], [capture("p", 12, panorama=True, **camera)])
        images = found.catalogue.images
        assert images["path"].tolist() == ["deep/p.jpg"] * 4
        assert images["capture_id"].tolist() == ["p"] * 4
        assert images["projection"].tolist() == ["equirectangular"] * 4
        assert images["compass_deg"].tolist() == [12] * 4
        assert images["pitch_deg"].tolist() == [3] * 4
        assert images["roll_deg"].tolist() == [-2] * 4
        assert images["status"].tolist() == ["present"] * 4
        assert texts(images["reason"]) == [None] * 4
        assert images["size_bytes"].tolist() == [len(b"deep/p.jpg")] * 4
        modified = (tmp_path / "deep/p.jpg").stat().st_mtime_ns
        assert images["modified_ns"].tolist() == [modified] * 4
        assert images["heading"].tolist() == list(ROUND)

    def test_a_photograph_in_an_archive_is_the_file_of_one(self, tmp_path):
        captures = four("f", turned=4)
        write_zip(tmp_path / "all.zip", jpegs(captures))
        images = listing(tmp_path, [place("L")], captures).catalogue.images
        assert images["path"].tolist() == ["all.zip"] * 4
        assert images["member"].tolist() == [f"f{h}.jpg" for h in ROUND]
        assert images["projection"].tolist() == ["perspective"] * 4
        assert images["compass_deg"].tolist() == [4, 94, 184, 274]

    def test_an_image_by_name_wins(self, tmp_path):
        write_files(tmp_path, files("L_b.png", "p.jpg"))
        images = listing(tmp_path, [place("L")], [capture("p", 0, panorama=True)]).catalogue.images
        assert images["path"].tolist() == ["p.jpg", "L_b.png", "p.jpg", "p.jpg"]
        assert texts(images["capture_id"]) == ["p", None, "p", "p"]
        assert texts(images["projection"])[1] is None
        modified = [(tmp_path / name).stat().st_mtime_ns for name in images["path"]]
        assert images["modified_ns"].tolist() == modified

    def test_a_city_without_captures_is_listed_as_ever(self, tmp_path):
        write_files(tmp_path, files("L_a.png", "M_c.png", "other.jpg"))
        found = listing(tmp_path, [place("L"), place("M", None)], [])
        plain = list_images(tmp_path, ["L", "M"], city="leeds", buckets=4)
        pd.testing.assert_frame_equal(found.catalogue.images, plain.images)
        pd.testing.assert_frame_equal(found.catalogue.foreign_files, plain.foreign_files)
        assert found.captures.empty

    def test_tables_are_of_their_schemas(self, tmp_path):
        write_files(tmp_path, files("p.jpg"))
        found = listing(tmp_path, [place("L")], [capture("p", 0, panorama=True)])
        (tmp_path / "out").mkdir()
        found.write(tmp_path / "out")
        for name, schema in (("street_images", STREET_IMAGES), ("captures", CAPTURE_USE)):
            written = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
            assert list(written.columns) == schema.names

    def test_a_view_without_an_image_says_why(self, tmp_path):
        places = [place("L"), place("M", 1000), place("N", None), place("O", 2000)]
        captures = [capture("f", 0), capture("blind", None, of="O")]
        write_files(tmp_path, jpegs(captures))
        images = listing(tmp_path, places, captures).catalogue.images
        reasons = dict(zip(images["location_id"] + images["view"], images["reason"], strict=True))
        assert pd.isna(reasons["La"])
        assert reasons["Lb"] == "none_faces_it"
        assert reasons["Ma"] == "no_capture"
        assert reasons["Na"] == "no_position"
        assert reasons["Oa"] == "no_compass"
        assert images["status"].tolist() == ["present"] + ["missing"] * 15


class TestFilesThatAreAway:
    def test_another_capture_is_taken(self, tmp_path):
        captures = [capture("near", 0, panorama=True), capture("p", 0, panorama=True, north_m=9)]
        write_files(tmp_path, files("p.jpg"))
        found = listing(tmp_path, [place("L")], captures)
        assert found.catalogue.images["capture_id"].tolist() == ["p"] * 4
        assert use_of(found) == {"near": ("missing", "no_file"), "p": ("used", None)}

    def test_a_view_that_it_would_have_shown_says_so(self, tmp_path):
        captures = four("f")
        write_files(tmp_path, jpegs(captures[:3]))
        images = listing(tmp_path, [place("L"), place("M", 900)], captures).catalogue.images
        assert texts(images["reason"]) == [None] * 3 + ["no_file"] + ["no_capture"] * 4

    def test_one_that_cannot_be_read_is_rejected(self, tmp_path):
        captures = four("f")
        write_files(tmp_path, jpegs(captures[:3]))
        (tmp_path / "f270.jpg").symlink_to(tmp_path / "nowhere")
        found = listing(tmp_path, [place("L")], captures)
        assert use_of(found)["f270"] == ("rejected", "unreadable")
        assert texts(found.catalogue.images["reason"]) == [None] * 3 + ["unreadable"]


class TestAccounts:
    def test_every_capture_has_a_status_and_what_is_rejected_a_reason(self, tmp_path):
        captures = [
            *four("f", north_m=3),
            capture("spare", 2, north_m=20),
            capture("gone", 0),
            capture("blind", None),
            capture("odd", None, compass_problem="compass_out_of_range"),
            capture("later", 0, day=3),
            capture("elsewhere", 0, of="X"),
            capture("far", 0, north_m=90),
            capture("aside", 40),
        ]
        write_files(tmp_path, jpegs([each for each in captures if each["capture_id"] != "gone"]))
        found = listing(tmp_path, [place("L")], captures, tolerance_deg=30)
        assert use_of(found) == {
            **{f"f{h}": ("used", None) for h in ROUND},
            "spare": ("not_needed", None),
            "gone": ("missing", "no_file"),
            "blind": ("rejected", "no_compass"),
            "odd": ("rejected", "compass_out_of_range"),
            "later": ("rejected", "in_the_future"),
            "elsewhere": ("rejected", "unlisted_location"),
            "far": ("rejected", "too_far"),
            "aside": ("rejected", "between_headings"),
        }

    def test_what_is_used_says_where_and_how_often(self, tmp_path):
        captures = [capture("p", 0, panorama=True, north_m=8), capture("n", 94, of="M")]
        write_files(tmp_path, jpegs(captures))
        places = [place("K"), place("L", 10), place("M", 1000), place("S", 60)]
        found = listing(tmp_path, places, captures).captures.set_index("capture_id")
        assert (found["n_locations"].to_dict(), found["n_views"].to_dict()) == (
            {"n": 1, "p": 2},
            {"n": 1, "p": 8},
        )
        assert found["location_id"].to_dict() == {"n": "M", "p": "L"}
        assert found.loc["p", "metres"] == pytest.approx(2, rel=0.02)
        assert found.loc["n", "metres"] == pytest.approx(1000, rel=0.02)
        assert found["offset_deg"].to_dict() == {"n": 4, "p": 0}

    def test_what_is_not_used_says_how_far_the_nearest_location_is(self, tmp_path):
        captures = [capture("far", 0, north_m=90), capture("n", 0, of="X", north_m=None)]
        write_files(tmp_path, jpegs(captures))
        found = listing(tmp_path, [place("L", 10)], captures).captures.set_index("capture_id")
        assert found.loc["far", "metres"] == pytest.approx(80, rel=0.02)
        assert pd.isna(found.loc["n", "metres"])
        assert texts(found["location_id"]) == [None, "X"]

    def test_one_that_names_a_location_is_not_too_far_from_it(self, tmp_path):
        captures = [capture(f"p{n}", 0, of="L", panorama=True, north_m=300 + n) for n in range(2)]
        write_files(tmp_path, jpegs(captures))
        found = listing(tmp_path, [place("L")], captures)
        assert use_of(found) == {"p0": ("used", None), "p1": ("not_needed", None)}

    def test_a_location_whose_images_are_by_name_needs_no_capture(self, tmp_path):
        write_files(tmp_path, files("p.jpg", *(f"L_{view}.png" for view in "abcd")))
        found = listing(tmp_path, [place("L")], [capture("p", 0, panorama=True)])
        assert use_of(found) == {"p": ("not_needed", None)}

    WORLDS = st.lists(
        st.builds(
            capture,
            st.just(""),
            st.sampled_from([None, 0, 40, 90, 180, 269]),
            of=st.sampled_from([None, None, "L", "M", "X"]),
            north_m=st.sampled_from([0, 10, 40, 300]),
            day=st.sampled_from([None, 0, 0, -500, 9]),
            panorama=st.booleans(),
        ),
        max_size=8,
    )

    @settings(max_examples=25, deadline=None)
    @given(WORLDS, st.sets(st.integers(0, 7)), st.sets(st.sampled_from("abcd")))
    def test_the_accounts_add_up_whatever_is_listed(self, tmp_path_factory, world, away, by_name):
        captures = [each | {"capture_id": f"c{n}"} for n, each in enumerate(world)]
        root = tmp_path_factory.mktemp("world")
        there = [each for n, each in enumerate(captures) if n not in away]
        write_files(root, jpegs(there) | files(*(f"M_{view}.png" for view in by_name)))
        found = listing(root, [place("L"), place("M", 20), place("N", None)], captures)
        results = {check.name: check for check in city_findings(found).checks}
        for name in ("accounting", "files_accounted", "captures_accounted"):
            assert results[name].passed, results[name].description
        images = found.catalogue.images
        assert (images["reason"].isna() == (images["status"] == "present")).all()
        used = set(images["capture_id"].dropna())
        assert used <= {each["capture_id"] for each in there}


class TestTerms:
    """Provider and licence of a location's images: of the list, of the captures, or of both."""

    @staticmethod
    def terms(places, shown, captures):
        """Rows of terms; `shown` has location, capture and whether a view has a file by name."""
        frame = pd.DataFrame(places, columns=["location_id", "provider", "licence"])
        images = pd.DataFrame(shown, columns=["location_id", "capture_id", "path"], dtype="str")
        of = pd.DataFrame(captures, columns=["capture_id", "provider", "licence"], dtype="str")
        found = terms_of_images(frame.astype("str"), images, of)
        return [tuple(texts(row)) for row in found.to_numpy().tolist()]

    def test_those_of_the_list_hold_for_images_by_name_and_for_none(self):
        assert self.terms([("L", "city", "CC0")], [("L", None, "L_a.png")], []) == [("city", "CC0")]
        assert self.terms([("L", "city", "CC0")], [("L", None, None)], []) == [("city", "CC0")]
        assert self.terms([("L", None, None)], [("L", None, None)], []) == [(None, None)]

    def test_those_of_captures_fill_what_the_list_does_not_state(self):
        shown = [("L", "p", "p.jpg")]
        assert self.terms([("L", None, None)], shown, [("p", "x", "BY")]) == [("x", "BY")]
        assert self.terms([("L", "x", None)], shown, [("p", None, "BY")]) == [("x", "BY")]
        assert self.terms([("L", "x", "BY")], shown, [("p", None, None)]) == [("x", "BY")]

    def test_where_they_differ_both_count(self):
        found = self.terms([("L", "city", None)], [("L", "p", "p.jpg")], [("p", "x", "BY")])
        assert found == [("city", "BY"), ("x", "BY")]

    def test_two_captures_of_one_location_count_each(self):
        shown = [("L", "p", "p.jpg"), ("L", "q", "q.jpg"), ("L", "p", "p.jpg")]
        found = self.terms([("L", None, None)], shown, [("p", "x", "BY"), ("q", "y", None)])
        assert found == [("x", "BY"), ("y", None)]

    def test_a_location_with_images_of_both_kinds_counts_for_both(self):
        shown = [("L", "p", "p.jpg"), ("L", None, "L_a.png")]
        found = self.terms([("L", None, None)], shown, [("p", "x", "BY")])
        assert set(found) == {("x", "BY"), (None, None)}

    def test_a_view_without_an_image_stands_under_no_terms(self):
        shown = [("L", "p", "p.jpg"), ("L", None, None)]
        assert self.terms([("L", None, None)], shown, [("p", "x", "BY")]) == [("x", "BY")]

    def test_every_location_has_at_least_one_row(self):
        places = [(name, *terms) for name, terms in zip("KLM", itertools.repeat((None, None)))]
        shown = [("L", "p", "p.jpg"), ("K", None, "K_a.png"), ("M", None, None)]
        assert len(self.terms(places, shown, [("p", "x", "BY")])) == 3
