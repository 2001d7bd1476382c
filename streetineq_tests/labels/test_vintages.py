"""Carrying counts and scores between the LSOAs of 2021 and those of 2011."""

import contextlib

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetineq_assets.area_vintages import LSOA11, VINTAGES
from streetineq_assets.errors import SourceError
from streetineq_assets.labels.sources import find_sources, read_sources
from streetineq_assets.labels.vintages import (
    carry_counts,
    carry_counts_of_part,
    carry_scores,
    carry_scores_of_part,
    count_changes,
    find_lookup,
    rank_anew,
    read_links,
)
from streetineq_tests.labels import official

# A is unchanged; B was split into P and Q; C and D were merged into R; E and F became S and T, and
# S took all of E and a part of F.
A, B, C, D, E, F = (f"E0100000{i}" for i in range(1, 7))
P, Q, R, S, T = (f"E0103500{i}" for i in range(1, 6))
PAIRS = [
    (A, A, "U"),
    (B, P, "S"),
    (B, Q, "S"),
    (C, R, "M"),
    (D, R, "M"),
    (E, S, "X"),
    (F, S, "X"),
    (F, T, "X"),
]
COUNTS = pd.Series({A: 10.0, P: 20.0, Q: 30.0, R: 100.0, S: 60.0, T: 8.0})
SCORES = pd.Series({A: 0.1, P: 0.2, Q: 0.4, R: 0.5, S: 0.6, T: 0.9})
WEIGHTS_2011 = pd.Series({C: 300.0, D: 100.0, E: 100.0, F: 200.0})
WEIGHTS_2021 = pd.Series({P: 100.0, Q: 300.0, S: 150.0, T: 100.0})


def lookup(tmp_path, *, exact=True):
    header = "LSOA11CD,LSOA11NM,LSOA21CD,LSOA21NM" + (",CHGIND" if exact else "") + ",LAD22CD"
    rows = [
        f"{a},Place,{b},Place" + (f",{change}" if exact else "") + ",E09000001"
        for a, b, change in reversed(PAIRS)
    ]
    return official.write(tmp_path / "links.csv", "\n".join([header, *rows]), encoding="utf-8-sig")


@pytest.fixture
def links(tmp_path):
    return read_links(lookup(tmp_path))


def test_the_indicators_are_read_or_follow_from_the_links(tmp_path, links):
    assert list(links.itertuples(index=False, name=None)) == sorted(PAIRS)
    pd.testing.assert_frame_equal(read_links(lookup(tmp_path, exact=False)), links)


def test_areas_of_each_kind_are_counted_by_areas_of_2011(links):
    assert count_changes(links) == {"U": 1, "S": 1, "M": 2, "X": 2}


def test_counts_add_up_where_split_and_divide_by_persons_where_merged(links):
    carried = carry_counts(COUNTS, links, target_weights=WEIGHTS_2011)
    assert carried[A] == 10
    assert carried[B] == 50  # 20 + 30
    assert carried[C] == 75  # 300 of 400 persons
    assert carried[D] == 25
    assert carried[E] == pytest.approx(20)  # a third of S
    assert carried[F] == pytest.approx(48)  # two thirds of S, and T
    assert carried.sum() == pytest.approx(COUNTS.sum())


def test_scores_are_weighted_means_where_split_and_whole_where_merged(links):
    carried = carry_scores(SCORES, links, source_weights=WEIGHTS_2021, target_weights=WEIGHTS_2011)
    assert carried[A] == 0.1
    assert carried[B] == pytest.approx((100 * 0.2 + 300 * 0.4) / 400)
    assert carried[C] == carried[D] == 0.5
    assert carried[E] == pytest.approx(0.6)
    assert carried[F] == pytest.approx((150 * 2 / 3 * 0.6 + 100 * 0.9) / (150 * 2 / 3 + 100))


def test_weights_are_asked_for_only_where_they_matter(links):
    regular = links[links["change"] != "X"]
    assert carry_scores(SCORES, regular, source_weights=WEIGHTS_2021)[C] == 0.5
    unchanged = links[links["change"] == "U"]
    assert carry_counts(COUNTS, unchanged).to_dict() == {A: 10.0}
    assert carry_scores(SCORES, unchanged).to_dict() == {A: 0.1}
    with pytest.raises(SourceError, match=f"{P} .*2021"):
        carry_scores(SCORES, regular)
    with pytest.raises(SourceError, match="persons or households of 2011"):
        carry_counts(COUNTS, regular)


def test_one_missing_part_makes_the_whole_missing(links):
    counts, scores = COUNTS.copy(), SCORES.copy()
    counts[P] = scores[P] = np.nan
    assert np.isnan(carry_counts(counts, links, target_weights=WEIGHTS_2011)[B])
    carried = carry_scores(scores, links, source_weights=WEIGHTS_2021, target_weights=WEIGHTS_2011)
    assert np.isnan(carried[B])
    assert carried.notna().sum() == 5


def test_of_a_part_of_the_country_whole_areas_alone_are_carried(links):
    """B lacks its half Q; C and D have R between them, and nothing says how many persons each."""
    counts = carry_counts_of_part(COUNTS[[A, P, R]], links, LSOA11)
    assert counts.to_dict() == {A: 10, C: 50, D: 50}
    scores = carry_scores_of_part(SCORES[[A, P, R]], links, LSOA11)
    assert scores.to_dict() == {A: 0.1, C: 0.5, D: 0.5}


def test_the_other_way_parts_take_the_whole_s_and_joined_areas_their_mean(links):
    of_2011 = pd.Series({A: 0.1, B: 0.3, C: 0.2, D: 0.6, E: 0.4})
    scores = carry_scores_of_part(of_2011, links, VINTAGES["lsoa21"])
    assert scores.to_dict() == {A: 0.1, P: 0.3, Q: 0.3, R: pytest.approx(0.4)}  # S, T: F lacks
    weights = pd.Series({C: 300.0, D: 100.0, E: 1.0, F: 1.0})
    whole = pd.concat([of_2011, pd.Series({F: 0.8})])
    equal = pd.Series(1.0, index=[P, Q, S, T])
    carried = carry_scores(
        whole, links, to=VINTAGES["lsoa21"], source_weights=weights, target_weights=equal
    )
    assert carried[R] == pytest.approx((300 * 0.2 + 100 * 0.6) / 400)
    assert carried[T] == 0.8
    counts = carry_counts(
        pd.Series({A: 1.0, B: 4.0, C: 2.0, D: 3.0, E: 5.0, F: 8.0}),
        links,
        to=VINTAGES["lsoa21"],
        target_weights=pd.Series({P: 1.0, Q: 3.0, S: 1.0, T: 1.0}),
    )
    assert counts.to_dict() == {A: 1, P: 1, Q: 3, R: 5, S: 9, T: 4}
    assert counts.sum() == 23


def test_an_area_that_the_source_lacks_is_named(links):
    with pytest.raises(SourceError, match=f"count for {P}"):
        carry_counts(COUNTS.drop(P), links, target_weights=WEIGHTS_2011)


def test_ranks_are_made_anew():
    scores = pd.Series({A: 0.3, B: 0.9, C: np.nan, D: 0.3})
    ranks = rank_anew(scores)
    assert ranks[B] == 1
    assert ranks[A] == ranks[D] == 2
    assert pd.isna(ranks[C])
    assert rank_anew(scores, worst="low")[B] == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CHGIND", "CHANGE", None),
        ("LSOA21CD", "LSOA22CD", '"LSOA21CD".*"LSOA22CD"'),
        (",U,", ",Z,", r"""column "CHGIND": 'Z'.*U, S, M or X"""),
        (P, "P", "'P' .*LSOA"),
    ],
)
def test_a_malformed_lookup_is_refused(tmp_path, old, new, message):
    path = lookup(tmp_path)
    official.write(path, path.read_text(encoding="utf-8-sig").replace(old, new))
    if message is None:
        assert set(read_links(path)["change"]) == {"U", "S", "M", "X"}
    else:
        with pytest.raises(SourceError, match=message):
            read_links(path)


@given(st.sets(st.sampled_from(range(len(PAIRS))), min_size=1))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_rows_that_are_missing_from_a_lookup_are_noticed(tmp_path, links, kept):
    """It is refused, or holds every link of each area that it has."""
    path = tmp_path / "part.csv"
    rows = [",".join(PAIRS[i]) for i in kept]
    official.write(path, "\n".join(["LSOA11CD,LSOA21CD,CHGIND", *rows]))
    with contextlib.suppress(SourceError):
        part = read_links(path)
        theirs = links["lsoa11"].isin(part["lsoa11"]) | links["lsoa21"].isin(part["lsoa21"])
        pd.testing.assert_frame_equal(part, links[theirs].reset_index(drop=True))


@pytest.mark.parametrize("kind", ["lsoa11", "lsoa21"])
def test_a_lookup_of_best_fit_is_refused_and_the_exact_one_is_wanted(tmp_path, links, kind):
    """It has one row per area of one vintage, and no indicator."""
    best = links.drop_duplicates(kind)[["lsoa11", "lsoa21"]]
    path = tmp_path / "best.csv"
    best.set_axis(["LSOA11CD", "LSOA21CD"], axis=1).to_csv(path, index=False)
    with pytest.raises(SourceError, match=r"best\.csv .*best-fit.*Exact Fit Lookup"):
        read_links(path)


def test_a_split_area_with_one_of_its_rows_says_what_it_is_marked_as(tmp_path):
    path = lookup(tmp_path)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    official.write(path, "\n".join(line for line in lines if Q not in line))
    with pytest.raises(SourceError, match=rf"{B} to {P} is marked S \(split\).*unchanged"):
        read_links(path)


def test_the_first_edition_has_another_heading_and_workbooks_have_notes(tmp_path, links):
    path = lookup(tmp_path)
    first = path.read_text(encoding="utf-8-sig").replace("LSOA11CD", "F_LSOA11CD")
    pd.testing.assert_frame_equal(read_links(official.write(path, first)), links)
    book = openpyxl.Workbook()
    book.active.append(["Notes"])
    sheet = book.create_sheet("lookup")
    for line in first.splitlines():
        sheet.append(line.split(","))
    book.save(tmp_path / "links.xlsx")
    path.unlink()
    assert find_lookup(tmp_path) == tmp_path / "links.xlsx"
    pd.testing.assert_frame_equal(read_links(tmp_path / "links.xlsx"), links)


# -- a whole source on the LSOAs of 2021 -----------------------------------------------------------


def file_7_of_2025(inputs):
    """The Indices of 2025: each domain's score is the area's score; population as the weights."""
    domains = official.DOMAINS
    header = ["LSOA code (2021)", "Local Authority District code (2024)"]
    for domain in domains:
        rate = " (rate)" if domain in ("Income", "Employment") else ""
        header += [f"{domain} Score{rate}", f"{domain} Rank (where 1 is most deprived)"]
    header.append("Total population: mid 2022")
    population = {A: 50, **{area: int(n) for area, n in WEIGHTS_2021.items()}, R: 70}
    rows = [
        [area, "E09000001", *[SCORES[area] - 0.5, 1] * len(domains), population[area]]
        for area in SCORES.index
    ]
    lines = [",".join(f'"{cell}"' for cell in row) for row in [header, *rows]]
    return official.write(inputs / "iod" / "File_7_2025.csv", "\n".join(lines))


def test_the_indices_of_2025_are_carried_and_ranked_anew(tmp_path):
    file_7_of_2025(tmp_path)
    (tmp_path / "boundaries").mkdir()
    lookup(tmp_path / "boundaries")
    sources = find_sources(tmp_path)
    assert sources.problems == ()
    assert sources.of("crime").edition == "2025"
    crime = read_sources(sources)["crime"].frame["national_rank"]
    # Scores of 2011, less a half: F .75, E .6, C and D .5, B .35, A .1 (F takes half of S).
    weight = 150 / 2
    assert (weight * 0.6 + 100 * 0.9) / (weight + 100) > 0.75
    assert crime.to_dict() == {F: 1, E: 2, C: 3, D: 3, B: 5, A: 6}


@pytest.mark.parametrize(("part", "whole"), [("File_7", "links"), ("links", "File_7")])
def test_a_file_of_one_city_and_a_lookup_of_all_do_not_go_together(tmp_path, part, whole):
    """Nor the other way round: carried scores are ranked anew among all of England."""
    (tmp_path / "boundaries").mkdir()
    paths = {"File_7": file_7_of_2025(tmp_path), "links": lookup(tmp_path / "boundaries")}
    lines = paths[part].read_text(encoding="utf-8-sig").splitlines()
    official.write(paths[part], "\n".join(line for line in lines if A not in line))
    with pytest.raises(SourceError, match=rf"{part}.*lacks 1 .*{whole}.*{A}.*all of England"):
        read_sources(find_sources(tmp_path))


def test_a_lookup_is_found_whatever_the_case_of_its_suffix(tmp_path):
    lookup(tmp_path).rename(tmp_path / "LOOKUP.CSV")
    assert find_lookup(tmp_path) == tmp_path / "LOOKUP.CSV"


def test_without_the_lookup_the_indices_of_2025_say_what_they_want(tmp_path):
    file_7_of_2025(tmp_path)
    (problem,) = find_sources(tmp_path).problems
    assert "File_7_2025.csv" in problem
    assert "LSOAs of 2021" in problem
    assert "Exact Fit Lookup" in problem


def test_what_lies_where_the_lookup_is_wanted_is_named(tmp_path):
    file_7_of_2025(tmp_path)
    official.write(tmp_path / "boundaries" / "lookup.geojson", "{}")
    (problem,) = find_sources(tmp_path).problems
    assert "lookup.geojson" in problem
