"""What a killed acquisition goes on from, and that two do not go on from it at once."""

import os
import time

import pytest

from streetineq_assets.errors import StoreError
from streetineq_assets.imagery.asking import asking, forget_old_answers
from streetineq_assets.study import load_study
from streetineq_tests.imagery import acquiring_study
from streetineq_tests.imagery.acquiring_study import VARIABLE
from streetineq_tests.imagery.loopback import TOKEN

DAY_S = 24 * 3600


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, TOKEN)
    store = acquiring_study.write(tmp_path / "study", "http://127.0.0.1:9")
    return load_study(store.study_file)


def left_by_a_killed_run(work, days):
    """A recording and a picture that were last written so many days ago."""
    (work / "pictures").mkdir(parents=True)
    (work / "pictures" / "0abc").write_bytes(b"picture")
    recording = work / "recording.jsonl"
    recording.touch()
    os.utime(recording, (time.time() - days * DAY_S,) * 2)
    return recording


@pytest.mark.parametrize(("days", "stays"), [(6, True), (8, False)])
def test_answers_of_over_a_week_ago_are_asked_for_again(tmp_path, days, stays):
    recording = left_by_a_killed_run(tmp_path / "work", days)
    forget_old_answers(tmp_path / "work")
    assert recording.exists() is stays
    assert (tmp_path / "work" / "pictures" / "0abc").exists()


def test_pictures_stay_however_long_ago_they_were_fetched(study, tmp_path):
    left_by_a_killed_run(tmp_path / "work", days=400)
    with asking(study.imagery, study, tmp_path / "work", print):
        assert (tmp_path / "work" / "pictures" / "0abc").exists()


def test_two_acquisitions_of_one_partition_do_not_share_a_folder(study, tmp_path):
    with (
        asking(study.imagery, study, tmp_path, print),
        pytest.raises(StoreError, match="another process works in"),
        asking(study.imagery, study, tmp_path, print),
    ):
        pass
