"""A study's Dagster instance lies in the study, whatever its folder is called, or nowhere."""

import dagster as dg
import pytest

from streetineq_assets.errors import StudyError
from streetineq_assets.store import DataStore
from streetineq_assets.study_template import ensure_instance


def test_runs_are_kept_below_a_folder_of_any_name(tmp_path):
    store = DataStore(tmp_path / "city=x, it's Zoë's [study] #1: 100 %;&$HOME~*{x}@y")
    ensure_instance(store)
    with dg.DagsterInstance.from_config(str(store.dagster_home)) as instance:
        instance.run_storage.get_runs()
    assert (store.dagster_home / "history").is_dir()
    assert list(tmp_path.iterdir()) == [store.root]


@pytest.mark.parametrize("name", ["which one?", "%41", "a%2Fb"])
def test_a_folder_that_sqlite_would_take_for_another_is_refused(tmp_path, name):
    """SQLAlchemy reads `?` as the start of options, and `%41` as A, also in the path of a file."""
    store = DataStore(tmp_path / name)
    with pytest.raises(StudyError, match=r"rename that folder$") as caught:
        ensure_instance(store)
    assert str(store.root) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_study_with_another_storage_may_lie_anywhere(tmp_path):
    store = DataStore(tmp_path / "%41")
    store.dagster_home.mkdir(parents=True)
    settings = "storage:\n  postgres:\n    postgres_url: {env: URL}\n"
    store.instance_file.write_text(settings, encoding="utf-8")
    ensure_instance(store)
    assert store.instance_file.read_text(encoding="utf-8") == settings
