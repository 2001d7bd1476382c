"""The estimate of the time left, without Dagster."""

import pytest

from streetineq_assets.progress import (
    ROUGH_SECONDS,
    FinishedRun,
    PlannedRun,
    in_words,
    rough_seconds,
    seconds_left,
)

LABELS = PlannedRun("refresh_labels")
BUCKETS = [PlannedRun("extract_codes", f"alpha/{number:03d}") for number in range(4)]
TRAINING = PlannedRun("train_and_predict", "alpha/crime")


def test_before_anything_ran_the_rough_durations_are_added():
    expected = ROUGH_SECONDS["refresh_labels"] + 4 * ROUGH_SECONDS["extract_codes"]
    assert seconds_left([], [LABELS, *BUCKETS]) == pytest.approx(expected)


def test_a_job_that_has_run_takes_the_mean_of_its_runs():
    finished = [FinishedRun("extract_codes", 100.0), FinishedRun("extract_codes", 300.0)]
    assert seconds_left(finished, BUCKETS[2:]) == pytest.approx(400.0)


def test_a_job_that_has_not_run_is_scaled_by_those_that_have():
    usual = ROUGH_SECONDS["train_and_predict"]
    fast, slow = (
        seconds_left([FinishedRun("extract_codes", seconds)] * 50, [TRAINING])
        for seconds in (0.5 * rough_seconds("extract_codes"), 2 * rough_seconds("extract_codes"))
    )
    assert 0.5 * usual < fast < 0.6 * usual
    assert 1.9 * usual < slow < 2 * usual


def test_the_first_slow_start_does_not_set_the_scale():
    after = seconds_left([FinishedRun("refresh_labels", 20.0)], BUCKETS)
    assert after < 2 * seconds_left([], BUCKETS)


def test_what_was_skipped_does_not_shorten_what_is_made():
    """A plan that is resumed: three buckets are there, the fourth took 100 s, a fifth is left."""
    skipped = [FinishedRun("extract_codes", 0.2, unchanged=True)] * 3
    made = FinishedRun("extract_codes", 100.0)
    assert seconds_left([*skipped, made], BUCKETS[:1]) == pytest.approx(100.0)
    assert seconds_left(skipped, BUCKETS[:1]) == pytest.approx(0.2)


def test_nothing_is_left_at_the_end_and_it_is_never_negative():
    finished = [FinishedRun("extract_codes", 0.0)]
    assert seconds_left(finished, []) == 0
    assert seconds_left(finished, [TRAINING]) > 0


def test_an_unknown_job_has_a_duration_too():
    assert seconds_left([], [PlannedRun("something_new")]) > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "10 s"),
        (12, "10 s"),
        (38, "40 s"),
        (54, "50 s"),
        (60, "1 min"),
        (125, "2 min"),
        (59 * 60, "59 min"),
        (60 * 60, "1 h"),
        (2 * 3600 + 9 * 60, "2 h 10 min"),
        (30 * 3600, "30 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_durations_are_rounded_as_estimates_are(seconds, text):
    assert in_words(seconds) == text


def test_a_planned_run_names_its_partition():
    assert str(LABELS) == "refresh_labels"
    assert str(TRAINING) == "train_and_predict alpha/crime"
