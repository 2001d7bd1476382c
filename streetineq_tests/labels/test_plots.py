"""The plots of a city: which there are, and the same pixels from the same labels."""

import pytest

from streetineq_assets.geography import read_boundaries
from streetineq_assets.labels.plots import save_plots
from streetineq_tests.labels.official_study import PLOTTED


@pytest.fixture
def save(published, tmp_path):
    """Save the plots of some outcomes of Alpha; file name to bytes."""
    labels = published.open("lsoa_labels").table()
    edges = published.open("lsoa_labels").table("decile_edges.parquet")

    def plots(outcomes, boundaries):
        kept = labels[(labels["city"] == "alpha") & labels["outcome"].isin(outcomes)]
        save_plots(kept, edges, boundaries, {"alpha": "Alpha"}, tmp_path)
        return {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}

    return plots


@pytest.fixture
def boundaries(published):
    return read_boundaries(published.inputs("boundaries/LSOA_2011.geojson"))


def test_the_same_labels_give_the_same_bytes(save, boundaries, published):
    plots = save(PLOTTED, boundaries)
    assert set(plots) == {"distributions_alpha.png", "correlations_alpha.png", "deciles_alpha.png"}
    for name, content in plots.items():
        assert published.open("lsoa_labels").file(name).read_bytes() == content


@pytest.mark.parametrize("elsewhere", [True, False])
def test_without_boundaries_of_the_city_there_is_no_map(save, boundaries, elsewhere):
    others = boundaries.assign(area=[f"W01{i:06d}" for i in range(len(boundaries))])
    plots = save(["crime"], others if elsewhere else None)
    assert set(plots) == {"distributions_alpha.png", "correlations_alpha.png"}
