"""Titles are text: no formula of Matplotlib's, no markup of the report's.

That the rest of the report escapes them is asked in `reports/page/test_render`.
"""

import pytest

from streetineq_assets.plotting import new_figure, png_bytes
from streetineq_assets.reports.results import read_results
from streetineq_assets.store import DataStore
from streetineq_assets.study import load_study
from streetineq_tests.reports import made_up_study
from streetineq_tests.reports.page.rendered import report

TITLES = ["$x_{$", "$\\input{/etc/passwd}$", "a $ b", "<script>alert(1)</script>", "{{ 7 * 7 }}"]


@pytest.mark.parametrize("title", TITLES)
def test_a_plot_shows_a_title_as_it_is(attempt, title):
    figure, axis = new_figure()
    axis.plot([0, 1], [0, 1], label=title)
    axis.set(title=title, xlabel=title)
    axis.set_yticks([0, 1], [title, title])
    figure.legend()
    figure.suptitle(title)
    attempt.fails(png_bytes(figure).startswith(b"\x89PNG"), title)


def test_the_report_shows_a_citys_title_as_it_is(attempt, tmp_path):
    made_up_study.write(tmp_path / "study")
    store, title = DataStore(tmp_path / "study"), "$x_{$ <b>Alpha</b>"
    text = store.study_file.read_text(encoding="utf-8")
    store.study_file.write_text(text.replace('"Alpha"', f'"{title}"'), encoding="utf-8")
    results = read_results(store, load_study(store.study_file))
    assert title in {pair.city_title for pair in results.pairs}
    page = report(results, load_study(store.study_file))
    attempt.fails("<b>Alpha" not in page, title)
