"""What is planted in a city is told apart: pictures, the map, and the flattery of neighbours."""

import pytest

from streetineq_tests.evidence.planted import write_planted
from streetineq_tests.harness import checks, run

NETWORK, METRIC = "joint_network", "spearman_score"
SCHEMES = ("area", "spatial_block", "district")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """The three tables by name, indexed, and the checks of the matrix."""
    store = write_planted(tmp_path_factory.mktemp("planted"))
    run(store, "area_folds", "alpha")
    for scheme in SCHEMES:
        run(store, "scheme_scores", f"alpha/{scheme}")
    result = run(store, "evidence_matrix", "alpha")
    artefact = store.open("evidence_matrix", "alpha")
    tables = {}
    for name in ("evidence_matrix", "gains", "flattery"):
        table = artefact.table(f"{name}.parquet")
        table = table[table["metric"] == METRIC]
        tables[name] = table.set_index(["outcome", "scheme", "model"]).sort_index()
    return tables, checks(result)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_pictures_alone_show_is_no_mans_neighbours(evidence, scheme):
    tables, _ = evidence
    cells = tables["evidence_matrix"].loc["crime", scheme]
    assert cells.loc[NETWORK, "value"] > 0.6
    assert cells.loc[["map_knn", "map_gaussian_process", "map_msoa_mean"], "value"].max() < 0.25
    assert tables["gains"].loc[("crime", scheme, NETWORK), "lower"] > 0.2


def test_what_the_map_alone_shows_is_found_by_the_map(evidence):
    tables, _ = evidence
    assert tables["evidence_matrix"].loc[("education", "area", "map_knn"), "value"] > 0.7
    assert tables["gains"].loc[("education", "area", NETWORK), "upper"] < 0
    assert tables["gains"].loc[("education", "district", NETWORK), "lower"] < 0.1


def test_the_flattery_of_neighbours_is_found_where_it_was_planted_and_nowhere_else(evidence):
    tables, _ = evidence
    reached = tables["evidence_matrix"]["value"].xs(NETWORK, level="model")
    assert reached["education", "area"] > 0.4  # it knows the place by its texture
    assert abs(reached["education", "district"]) < 0.3
    assert tables["flattery"].loc[("education", "district", NETWORK), "lower"] > 0.1
    for scheme in ("spatial_block", "district"):
        found = tables["flattery"].loc[("crime", scheme, NETWORK)]
        assert found["lower"] < 0.05, "not shown beyond the check's limit"
        assert found["flattery"] < 0.15, "less than half of what neighbours lend"


def test_the_checks_say_so(evidence):
    _, found = evidence
    assert found["all_schemes"].passed
    assert not found["beats_the_map"].passed
    assert "in 1 of 2 outcomes" in found["beats_the_map"].description
    assert not found["not_flattered"].passed
    assert "education" in found["not_flattered"].description
