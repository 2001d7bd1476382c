"""The executor is chosen by the environment, and what does not fit is told before a run."""

import dagster as dg
import pytest

from streetineq_assets.cluster import choice
from streetineq_assets.cluster.choice import cpus_of_step, uses_ray
from streetineq_assets.cluster.executor import ray_executor
from streetineq_assets.definitions import build_definitions
from streetineq_assets.errors import StudyError
from streetineq_assets.partitions import FEWEST_BUCKETS_PER_RUN
from streetineq_tests.studies import new_study, two_towns


@pytest.fixture
def on_ray(monkeypatch):
    """Whether Ray is installed does not matter: it is imported when a run begins."""
    monkeypatch.setenv("STREETINEQ_EXECUTOR", "ray")
    monkeypatch.setattr(choice, "find_spec", lambda name: name)


def buckets_per_run(root):
    definitions = build_definitions(new_study(root, two_towns()).root)
    codes = definitions.resolve_assets_def("image_codes")
    return codes.backfill_policy.max_partitions_per_run


def test_without_a_choice_steps_are_processes_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.delenv("STREETINEQ_EXECUTOR", raising=False)
    assert not uses_ray()
    assert buckets_per_run(tmp_path) == FEWEST_BUCKETS_PER_RUN


def test_on_a_cluster_buckets_spread_as_runs(tmp_path, on_ray):
    assert buckets_per_run(tmp_path) == 1


def test_the_code_location_has_the_executor_and_imports_no_ray(tmp_path, on_ray):
    definitions = build_definitions(new_study(tmp_path, two_towns()).root)
    assert definitions.resolve_job_def("refresh_labels").executor_def.name == "ray"


def test_ray_that_is_not_installed_is_told_with_the_command(monkeypatch):
    monkeypatch.setenv("STREETINEQ_EXECUTOR", "ray")
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name == "ray" else name)
    with pytest.raises(StudyError, match="uv sync --extra ray"):
        uses_ray()


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "nan", "inf"])
def test_cpus_of_a_step_are_a_number_above_0(monkeypatch, text):
    monkeypatch.setenv("STREETINEQ_RAY_CPUS", text)
    with pytest.raises(StudyError, match=f"STREETINEQ_RAY_CPUS is {text!r}"):
        cpus_of_step()


def test_a_run_may_ask_for_other_cpus(tmp_path, monkeypatch):
    monkeypatch.setenv("STREETINEQ_RAY_CPUS", "4")
    schema = ray_executor(tmp_path).config_schema.as_field().config_type
    assert schema.fields["num_cpus"].default_value == 4.0
    assert isinstance(ray_executor(tmp_path), dg.ExecutorDefinition)
