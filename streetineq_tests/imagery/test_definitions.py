"""Which assets and jobs a study has that acquires images, and which one that does not."""

import pytest

from streetineq_assets.definitions import build_definitions
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.studies import new_study, two_towns


@pytest.fixture(scope="module")
def acquiring(tmp_path_factory):
    store = acquiring_study.write(tmp_path_factory.mktemp("study"), "http://127.0.0.1:9")
    return build_definitions(store.root)


def parents(definitions, asset):
    graph = definitions.resolve_asset_graph()
    (key,) = [key for key in graph.get_all_asset_keys() if key.to_user_string() == asset]
    return {parent.to_user_string() for parent in graph.get(key).parent_keys}


def names_of(definitions):
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_a_study_without_imagery_has_none_of_it(tmp_path):
    definitions = build_definitions(new_study(tmp_path / "study", two_towns()).root)
    assert not {"imagery", "imagery_plan"} & names_of(definitions)
    assert not {"plan_imagery", "fetch_imagery"} & {job.name for job in definitions.jobs}


def test_plan_and_images_come_before_the_listing(acquiring):
    assert parents(acquiring, "imagery_plan") == {"postcode_lsoa", "lsoa_boundaries"}
    assert parents(acquiring, "imagery") == {"imagery_plan"}
    assert {"imagery", "imagery_plan"} <= parents(acquiring, "street_images")
    assert "imagery_plan" in parents(acquiring, "locations")
    assert {"imagery", "imagery_plan"} <= parents(acquiring, "warehouse")


def test_the_jobs_plan_before_they_fetch_and_fetch_before_they_list(acquiring):
    names = [job.name for job in acquiring.jobs]
    wanted = ["refresh_labels", "plan_imagery", "fetch_imagery", "list_images", "extract_codes"]
    assert [name for name in names if name in wanted] == wanted


def test_a_provider_is_asked_by_one_step_at_a_time(acquiring):
    graph = acquiring.resolve_asset_graph()
    pools = {
        key.to_user_string(): graph.get(key).pools
        for key in graph.get_all_asset_keys()
        if key.to_user_string().startswith("imagery")
    }
    assert pools == {"imagery": {"imagery_mapillary"}, "imagery_plan": {"imagery_mapillary"}}


def test_loading_the_definitions_asks_nobody(acquiring):
    """The provider of this study is an address at which nothing listens."""
    assert acquiring.resolve_job_def("plan_imagery")
