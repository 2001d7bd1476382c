"""Which views the warehouse has: each with a name of its own, over a table that an asset makes."""

import pytest

from streetineq_assets.definitions import build_definitions
from streetineq_assets.reports.tables import warehouse_views
from streetineq_assets.tables import descriptions

WAREHOUSE_VIEWS = warehouse_views(acquires=True)


@pytest.mark.parametrize("view", WAREHOUSE_VIEWS, ids=lambda view: view.name)
def test_every_view_is_described(view):
    assert view.description.endswith(".")
    assert all(descriptions(view.schema).values())


def test_views_have_names_of_their_own():
    names = [view.name for view in WAREHOUSE_VIEWS]
    assert len(names) == len(set(names))


def test_no_two_views_show_one_file():
    files = [(view.asset, view.file) for view in WAREHOUSE_VIEWS]
    assert len(files) == len(set(files))


def test_the_main_table_of_an_asset_bears_the_assets_name():
    """But for those whose main content is no table, and for the baselines, whose name is short."""
    names = {view.name for view in WAREHOUSE_VIEWS}
    assets = {view.asset for view in WAREHOUSE_VIEWS}
    assert assets - names == {"hdf5_shards", "trained_model", "baseline_scores"}
    assert all(view.asset == view.name for view in WAREHOUSE_VIEWS if view.name in assets)


def test_baselines_come_from_their_own_asset_alone():
    """Networks trained before that asset existed hold a stale `baselines.parquet`."""
    (view,) = [view for view in WAREHOUSE_VIEWS if view.name == "baselines"]
    assert view.asset == "baseline_scores"


def test_the_warehouse_depends_on_every_asset_that_it_shows(evaluated_study):
    definitions = build_definitions(evaluated_study)
    graph = definitions.resolve_asset_graph()
    (key,) = [key for key in graph.get_all_asset_keys() if key.to_user_string() == "warehouse"]
    parents = {parent.to_user_string() for parent in graph.get(key).parent_keys}
    assert parents == {view.asset for view in warehouse_views(acquires=False)}
