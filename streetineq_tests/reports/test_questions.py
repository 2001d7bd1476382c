"""Ready questions answer as an independent calculation does, also where values are missing."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.geography import of_most_postcodes
from streetineq_assets.labels.tables import LSOA_LABELS, POSTCODE_LSOA
from streetineq_assets.predictions.tables import (
    COMPARISONS,
    LOCATION_PREDICTIONS,
    LSOA_PREDICTIONS,
)
from streetineq_assets.reports.questions import QUESTIONS
from streetineq_assets.reports.tables import WAREHOUSE_VIEWS
from streetineq_assets.reports.warehouse import build_warehouse
from streetineq_assets.store import DataStore
from streetineq_assets.study import Study
from streetineq_assets.tables import conform, descriptions
from streetineq_tests.harness import publish

CITIES = {"alpha": ["E09000001", "E09000002"], "beta": ["E09000003"]}
STUDY = Study.model_validate(
    {
        "title": "t",
        "date": "2017-08-01",
        "cities": {
            city: {
                "title": city,
                "authorities": codes,
                "buckets": 1,
                "outcomes": ["crime", "education"],
            }
            for city, codes in CITIES.items()
        },
    }
)
KEYS = ["city", "outcome"]
RULES = ["mean_score", "shrunk_score", "mean_decile", "fixed_borders"]


def predicted(city: str, outcome: str, n: int, seed: int) -> pd.DataFrame:
    """Areas of a pair, of which some lack an actual decile, an interval, or enough locations."""
    rng = np.random.default_rng(seed)
    deciles = {f"decile_{rule}": rng.integers(1, 11, n) for rule in RULES}
    by_rule = pd.DataFrame(deciles)
    by_rule.iloc[:3] = 4  # whatever the rule
    decile = by_rule["decile_mean_score"]
    has_interval = rng.random(n) < 0.8
    lower = pd.Series(np.maximum(decile - rng.integers(0, 4, n), 1)).where(has_interval)
    upper = pd.Series(np.minimum(decile + rng.integers(0, 4, n), 10)).where(has_interval)
    n_locations = rng.integers(1, 7, n)
    published = pd.Series(n_locations >= 3)
    wide = (upper - lower > 6).astype("boolean").mask(~has_interval).mask(~published, True)
    frame = by_rule.assign(
        city=city,
        outcome=outcome,
        area=[f"E01{city[0]}{number:04d}" for number in range(n)],
        actual_decile=pd.Series(rng.integers(1, 11, n)).where(rng.random(n) < 0.8),
        score=np.round(rng.normal(size=n), 1),  # with ties
        score_shrunk=0.0,
        decile=decile,
        n_locations=n_locations,
        n_images=4 * n_locations,
        fold=0,
        lower=lower,
        upper=upper,
        rank_change=by_rule.max(axis=1) - by_rule.min(axis=1),
        is_published=published,
        too_uncertain_to_rank=wide,
        expected_decile=np.nan,
        **{f"p_{each}": np.nan for each in range(1, 11)},
    )
    return conform(frame, LSOA_PREDICTIONS)


PREDICTED = pd.concat(
    [
        predicted("alpha", "crime", 80, 1),
        predicted("alpha", "education", 80, 2),
        predicted("beta", "crime", 40, 3),
    ],
    ignore_index=True,
)


def postcodes() -> pd.DataFrame:
    """Of all areas but one: some in two authorities, some in as many of each, some in none."""
    rng = np.random.default_rng(4)
    areas = PREDICTED[["city", "area"]].drop_duplicates().iloc[1:]
    rows = areas.loc[areas.index.repeat(4)].reset_index(drop=True)
    rows["authority"] = [rng.choice([*CITIES[city], None]) for city in rows["city"]]
    tied = rows["area"] == "E01a0007"
    rows.loc[tied, "authority"] = ["E09000002", "E09000001", "E09000002", "E09000001"]
    outside = pd.DataFrame({"area": ["E01a0007"] * 3, "authority": None, "city": None})
    rows = pd.concat([rows, outside], ignore_index=True)
    unused = dict.fromkeys(("oa", "msoa", "lat", "lon", "usertype", "introduced", "terminated"))
    return conform(rows.assign(postcode=rows.index.astype(str), **unused), POSTCODE_LSOA)


POSTCODES = postcodes()


def labels() -> pd.DataFrame:
    """Of every predicted area, of three that were not, and of an outcome without predictions."""
    known = PREDICTED[[*KEYS, "area", "actual_decile"]]
    more = pd.DataFrame({"area": ["E01a9997", "E01a9998", "E01a9999"], "actual_decile": [1, 2, 3]})
    more = pd.concat([more.assign(city="alpha", outcome=key) for key in ("crime", "living")])
    frame = pd.concat([known, more], ignore_index=True)
    frame = frame.assign(decile=frame["actual_decile"], value=1.0, national_rank=pd.NA)
    return conform(frame, LSOA_LABELS)


def locations() -> pd.DataFrame:
    """As many in each area as it says, and one in an area that is not ranked."""
    known = PREDICTED.loc[PREDICTED.index.repeat(PREDICTED["n_locations"]), [*KEYS, "area"]]
    one = pd.DataFrame({"city": ["alpha"], "outcome": ["crime"], "area": ["E01a9998"]})
    frame = pd.concat([known, one], ignore_index=True)
    unused = {"fold": 0, "weight": 1, "n_views": 4, "h": 0.0, "decile": 5, "actual_decile": pd.NA}
    probabilities = {f"p_{each}": 0.1 for each in range(1, 11)}
    frame = frame.assign(location_id=frame.index.astype(str), **unused, **probabilities)
    return conform(frame, LOCATION_PREDICTIONS)


def comparisons() -> pd.DataFrame:
    rows = [
        ("map_best", "kappa_quadratic", 0.2, 0.1, 0.3),
        ("map_best", "spearman_score", 0.2, 0.0, 0.3),
        ("map_best", "mae", -0.2, -0.3, -0.1),
        ("map_knn", "kappa_quadratic", 0.3, 0.2, 0.4),
    ]
    alpha = pd.DataFrame(rows, columns=["baseline", "metric", "difference", "lower", "upper"])
    beta = alpha.assign(city="beta", lower=[-0.4, None, None, None], upper=[-0.1, None, None, None])
    frame = pd.concat([alpha.assign(city="alpha"), beta])
    frame = frame.assign(outcome="crime", scheme="area", unit=None, n_lsoas=40)
    return conform(frame, COMPARISONS)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> DataStore:
    store = DataStore(tmp_path_factory.mktemp("asked"))
    publish(store, "postcode_lsoa", None, postcode_lsoa=POSTCODES)
    publish(store, "lsoa_labels", None, lsoa_labels=labels())
    for asset, table in {
        "lsoa_predictions": {"lsoa_predictions": PREDICTED},
        "location_predictions": {"location_predictions": locations()},
        "lsoa_evaluation": {"comparisons": comparisons()},
    }.items():
        ((name, frame),) = table.items()
        for (city, outcome), rows in frame.groupby(KEYS):
            publish(store, asset, f"{city}/{outcome}", **{name: rows})
    return store


@pytest.fixture(scope="module")
def warehouse(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("warehouse") / "w.duckdb"
    built = build_warehouse(store, STUDY, WAREHOUSE_VIEWS, path, QUESTIONS)
    assert built.left_out == {}
    with duckdb.connect(path, read_only=True) as connection:
        yield connection


def ask(warehouse, sql: str) -> pd.DataFrame:
    """The answer, a missing value as NaN or None."""
    return warehouse.execute(sql).df()


def test_worst_areas_are_those_of_the_worst_off_fifth_that_can_be_ranked(warehouse):
    found = ask(warehouse, "FROM worst_areas")
    expected = []
    for key, areas in PREDICTED.groupby(KEYS):
        certain = [*areas[areas["too_uncertain_to_rank"].eq(False).fillna(False)].itertuples()]
        assert 0 < len(certain) < len(areas)
        assert not any(pd.isna(area.lower) for area in certain)
        for area in certain:
            before = sum((a.decile, a.score) < (area.decile, area.score) for a in certain)
            if area.decile <= 2:
                expected.append((*key, before + 1, area.area, area.decile))
    columns = [*KEYS, "rank", "area", "decile"]
    assert [*found[columns].itertuples(index=False, name=None)] == sorted(expected)


def test_worst_areas_have_what_their_rank_rests_on(warehouse):
    found = ask(warehouse, "FROM worst_areas")
    columns = [*KEYS, "area", "lower", "upper", "score", "actual_decile", "n_locations"]
    expected = found[[*KEYS, "area"]].merge(PREDICTED, how="left")[columns]
    pd.testing.assert_frame_equal(
        found[columns].astype("float64", errors="ignore"),
        expected.astype("float64", errors="ignore"),
        check_dtype=False,
    )
    assert found["actual_decile"].isna().any()


def test_an_area_lies_in_the_authority_of_most_of_its_postcodes(warehouse):
    """By the platform's own rule: of two with as many, the first in order."""
    by_city = {
        city: of_most_postcodes(rows, "authority") for city, rows in POSTCODES.groupby("city")
    }
    assert by_city["alpha"]["E01a0007"] == "E09000001", "a tie"
    areas = PREDICTED.assign(
        authority=[
            by_city[city].get(lsoa)
            for city, lsoa in zip(PREDICTED["city"], PREDICTED["area"], strict=True)
        ]
    )
    assert areas["authority"].isna().any()
    expected = areas.groupby([*KEYS, "authority"], dropna=False).size()
    found = ask(warehouse, "FROM agreement_by_district").set_index([*KEYS, "authority"])["n_lsoas"]
    assert {k: v for k, v in found.items() if pd.notna(k[2])} == {
        k: v for k, v in expected.items() if pd.notna(k[2])
    }
    assert found.sum() == expected.sum() == len(PREDICTED)


def test_agreement_by_district_leaves_out_what_is_missing(warehouse):
    found = ask(warehouse, "FROM agreement_by_district WHERE authority IS NOT NULL")
    for row in found.to_dict("records"):
        places = of_most_postcodes(POSTCODES[POSTCODES["city"] == row["city"]], "authority")
        inside = places[places == row["authority"]].index
        pair = (PREDICTED["city"] == row["city"]) & (PREDICTED["outcome"] == row["outcome"])
        areas = PREDICTED[pair & PREDICTED["area"].isin(inside)].dropna(subset="actual_decile")
        error = areas["decile"].to_numpy(float) - areas["actual_decile"].to_numpy(float)
        assert row["n_compared"] == len(areas) < row["n_lsoas"]
        assert row["mean_error"] == pytest.approx(error.mean())
        assert row["mae"] == pytest.approx(np.abs(error).mean())
        assert row["within_1"] == pytest.approx((np.abs(error) <= 1).mean())
        assert row["within_2"] == pytest.approx((np.abs(error) <= 2).mean())
        known = areas.dropna(subset=["lower", "upper"])
        held = [a.lower <= a.actual_decile <= a.upper for a in known.itertuples()]
        assert row["n_intervals"] == len(held) < len(areas)
        assert row["coverage"] == pytest.approx(np.mean(held))


def test_areas_of_no_known_authority_and_districts_without_deciles_are_rows_of_their_own(
    tmp_path,
):
    store = DataStore(tmp_path / "study")
    one = PREDICTED.query("city == 'beta'").head(1)
    bare = one.assign(actual_decile=pd.NA, lower=pd.NA, upper=pd.NA)
    publish(
        store, "lsoa_predictions", "beta/crime", lsoa_predictions=conform(bare, LSOA_PREDICTIONS)
    )
    publish(store, "postcode_lsoa", None, postcode_lsoa=POSTCODES.head(0))
    build_warehouse(store, STUDY, WAREHOUSE_VIEWS, tmp_path / "w.duckdb", QUESTIONS)
    with duckdb.connect(tmp_path / "w.duckdb", read_only=True) as connection:
        (row,) = connection.execute("FROM agreement_by_district").fetchall()
    assert row == ("beta", "crime", None, 1, 0, None, None, None, None, 0, None)


def test_rank_changes_are_the_areas_whose_decile_depends_on_the_rule(warehouse):
    found = ask(warehouse, "FROM rank_changes")
    by_rule = PREDICTED[[f"decile_{rule}" for rule in RULES]]
    change = by_rule.max(axis=1) - by_rule.min(axis=1)
    expected = PREDICTED.assign(rank_change=change)[change > 0].sort_values(
        [*KEYS, "rank_change", "area"], ascending=[True, True, False, True]
    )
    assert 0 < len(expected) < len(PREDICTED)
    columns = [*KEYS, "area", "rank_change", "decile", *by_rule.columns, "n_locations"]
    pd.testing.assert_frame_equal(
        found[columns], expected[columns].reset_index(drop=True), check_dtype=False
    )


def test_a_lead_over_the_best_map_is_one_where_its_interval_leaves_out_zero(warehouse):
    found = ask(warehouse, "FROM network_against_map")
    rows = [*found[["city", "metric", "lead", "verdict"]].itertuples(index=False, name=None)]
    assert [(c, m, lead, None if pd.isna(v) else v) for c, m, lead, v in rows] == [
        ("alpha", "kappa_quadratic", 0.2, "ahead"),
        ("alpha", "spearman_score", 0.2, "undecided"),
        ("beta", "kappa_quadratic", 0.2, "behind"),
        ("beta", "spearman_score", 0.2, None),
    ]


def test_locations_to_add_are_in_areas_that_are_not_published_or_not_ranked(warehouse):
    found = ask(warehouse, "FROM locations_to_add")
    few = PREDICTED[PREDICTED["n_locations"] < 3]
    expected = [(*row, True) for row in few[[*KEYS, "area", "n_locations"]].itertuples(index=False)]
    expected += [
        ("alpha", "crime", code, n, False)
        for code, n in [("E01a9997", 0), ("E01a9998", 1), ("E01a9999", 0)]
    ]
    columns = [*KEYS, "area", "n_locations", "is_ranked"]
    rows = [*found[columns].itertuples(index=False, name=None)]
    assert rows == sorted(expected, key=lambda row: (*row[:2], row[3], row[2]))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_is_documented_and_has_the_columns_that_it_says(warehouse, question):
    answer = warehouse.table(question.name).to_arrow_table().schema
    assert (answer.names, answer.types) == (question.schema.names, question.schema.types)
    assert (question.name,) in warehouse.execute("SHOW TABLES").fetchall()
    ((comment,),) = warehouse.execute(
        f"SELECT comment FROM duckdb_views() WHERE view_name = '{question.name}'"
    ).fetchall()
    assert comment == question.description
    assert comment.endswith(".")
    columns = warehouse.execute(
        f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{question.name}'"
    ).fetchall()
    assert dict(columns) == descriptions(question.schema)
    assert all(dict(columns).values())


def test_names_of_questions_are_their_own():
    views = {view.name for view in WAREHOUSE_VIEWS}
    names = [question.name for question in QUESTIONS]
    assert len({*views, *names}) == len(views) + len(names)
    assert all(set(question.needs) <= views for question in QUESTIONS)


def test_a_question_whose_tables_are_not_published_is_left_out_with_the_reason(tmp_path):
    store = DataStore(tmp_path)
    publish(store, "lsoa_predictions", "beta/crime", lsoa_predictions=PREDICTED.tail(40))
    built = build_warehouse(store, STUDY, WAREHOUSE_VIEWS, tmp_path / "w.duckdb", QUESTIONS)
    assert set(built.rows) == {"lsoa_predictions", "worst_areas", "rank_changes"}
    assert built.left_out["agreement_by_district"] == "nothing is published for postcode_lsoa"
    assert "lsoa_labels and location_predictions" in built.left_out["locations_to_add"]
    assert set(built.left_out) | set(built.rows) >= {question.name for question in QUESTIONS}


def test_a_table_of_an_earlier_version_leaves_out_its_questions_and_is_shown(tmp_path):
    store = DataStore(tmp_path)
    before = PREDICTED.tail(40).drop(columns=["too_uncertain_to_rank", "is_published"])
    publish(store, "lsoa_predictions", "beta/crime", lsoa_predictions=before)
    built = build_warehouse(store, STUDY, WAREHOUSE_VIEWS, tmp_path / "w.duckdb", QUESTIONS)
    assert built.rows == {"lsoa_predictions": 40}
    why = built.left_out["worst_areas"]
    assert "earlier version" in why
    assert "is_published, too_uncertain_to_rank" in why
