"""Running all jobs in this process, on a stand-in for the platform: three small assets."""

import contextlib
import signal

import dagster as dg
import pytest

from streetineq_assets import run as running
from streetineq_assets.automation import WHOLE_CITY
from streetineq_assets.definitions import build_definitions
from streetineq_assets.errors import StoreError, StudyError
from streetineq_assets.instance_state import LAUNCHER
from streetineq_assets.progress import ROUGH_SECONDS
from streetineq_assets.resources import StudyResource
from streetineq_assets.run import (
    RunError,
    clean_up,
    fail_abandoned,
    only_runner,
    planned_runs,
    run_study,
)
from streetineq_assets.store import DataStore
from streetineq_tests.test_study import MINIMAL, write

CITIES = dg.StaticPartitionsDefinition(["alpha", "beta"])


@pytest.fixture
def store(tmp_path):
    write(tmp_path, MINIMAL)
    return DataStore(tmp_path)


@pytest.fixture
def state():
    """How the stand-in behaves: cities that fail, whether nothing is new, what a check says."""
    return {"fails": set(), "interrupted": False, "skipped": False, "passed": True}


@pytest.fixture
def small(monkeypatch, state):
    @dg.asset
    def labels():
        return dg.MaterializeResult(metadata={"skipped": state["skipped"]})

    @dg.asset(
        partitions_def=CITIES, check_specs=[dg.AssetCheckSpec("large_enough", asset="images")]
    )
    def images(context: dg.AssetExecutionContext):
        state["tags"] = dict(context.run.tags)
        if state["interrupted"]:
            raise KeyboardInterrupt
        if context.partition_key in state["fails"]:
            raise dg.Failure("list.csv, line 3: no postcode", allow_retries=False)
        context.log.warning("no GPU")
        yield dg.AssetCheckResult(
            passed=state["passed"],
            severity=dg.AssetCheckSeverity.WARN,
            description="3 images of at least 10",
        )
        yield dg.MaterializeResult(metadata={"skipped": state["skipped"]})

    jobs = [dg.define_asset_job("read", [labels]), dg.define_asset_job("look", [images])]
    definitions = dg.Definitions(assets=[labels, images], jobs=jobs)
    monkeypatch.setattr(running, "build_definitions", lambda root: definitions)
    in_memory = dg.DagsterInstance.ephemeral
    monkeypatch.setattr(dg.DagsterInstance, "from_config", lambda folder: in_memory())
    return definitions


def test_every_job_of_the_platform_has_a_rough_duration(store):
    jobs = build_definitions(store.root).jobs or []
    assert {job.name for job in jobs} - {WHOLE_CITY} <= set(ROUGH_SECONDS)


def test_the_plan_is_every_job_on_every_partition_in_order(small):
    assert [str(run) for run in planned_runs(small)] == ["read", "look alpha", "look beta"]


def test_the_plan_of_a_city_keeps_the_jobs_without_partitions(store):
    plan = [str(run) for run in planned_runs(build_definitions(store.root), "alpha")]
    assert plan[0] == "refresh_labels"
    assert plan[-1] == "publish_report"
    assert all(" " not in run or run.split()[1].split("/")[0] == "alpha" for run in plan)
    assert any("/" in run for run in plan)


def test_a_line_for_each_run_with_the_time_left(store, small):
    lines = []
    assert run_study(store, lines.append) == []
    assert [line.split()[0] for line in lines] == [
        "3",
        "[1/3]",
        "[2/3]",
        "warning:",
        "[3/3]",
        "all",
    ]
    assert "left" in lines[1]
    assert "left" not in lines[4]
    assert lines[3] == "warning: no GPU", "once, though each run logs it"


@pytest.mark.parametrize("allowed", [False, True])
def test_losses_are_allowed_by_the_tag_of_every_run(store, small, state, allowed):
    run_study(store, lambda _: None, allow_loss=allowed)
    assert StudyResource(root=str(store.root)).allows_loss(state["tags"]) is allowed


def test_what_was_unchanged_is_said(store, small, state):
    state["skipped"] = True
    lines = []
    run_study(store, lines.append)
    assert sum("unchanged" in line for line in lines) == 3


def test_checks_that_warn_are_returned_once_with_their_text(store, small, state):
    state["passed"] = False
    (line,) = run_study(store, lambda line: None)
    assert line == "images[alpha] and 1 more, large_enough: 3 images of at least 10"


def test_what_is_unavailable_for_one_reason_is_one_line():
    def failed(asset, name, text):
        key = dg.AssetKey(asset)
        return dg.AssetCheckEvaluation(key, name, passed=False, metadata={}, description=text)

    beta = [(f"beta/{n}", failed(f"asset_{n}", "available", "no labels")) for n in range(3)]
    other = ("alpha/0", failed("asset_0", "available", "no images"))
    blocks = [(key, failed("asset_0", "close", f"{key} is off")) for key in ("alpha/0", "beta/0")]
    assert running.check_lines([*beta, other, *blocks]) == [
        "asset_0[beta/0] and 2 more, available: no labels",
        "asset_0[alpha/0], available: no images",
        "asset_0[alpha/0] and 1 more, close: alpha/0 is off",
    ]


def test_a_failure_is_one_sentence_and_stops_the_plan(store, small, state, capfd):
    state["fails"] = {"alpha"}
    lines = []
    with pytest.raises(RunError) as failed:
        run_study(store, lines.append)
    assert str(failed.value) == "look alpha failed: list.csv, line 3: no postcode"
    assert not any("beta" in line for line in lines)
    assert capfd.readouterr().err == "", "Dagster's traces are for the UI"
    state["fails"] = set()
    run_study(store, lines.append, "beta")


def test_stopping_says_how_to_go_on(store, small, state):
    state["interrupted"] = True
    with pytest.raises(RunError, match="stopped in look alpha"):
        run_study(store, lambda line: None)


def test_an_unknown_city_is_named_with_those_that_there_are(store, small):
    with pytest.raises(StudyError, match=r"gamma.*alpha"):
        run_study(store, lambda line: None, "gamma")


def test_two_processes_do_not_run_one_study(store, small):
    with only_runner(store), pytest.raises(RunError, match="another process"):
        run_study(store, lambda line: None)


def test_runs_of_a_killed_process_are_failed(small):
    with dg.DagsterInstance.ephemeral() as instance:
        job = small.resolve_job_def("read")
        killed, other = (
            instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
            for tags in (LAUNCHER, {})
        )
        lines = []
        fail_abandoned(instance, lines.append)
        assert [killed.run_id in line for line in lines] == [True]
        status = {run.run_id: run.status for run in instance.get_runs()}
        assert status[killed.run_id] == dg.DagsterRunStatus.FAILURE
        assert status[other.run_id] == dg.DagsterRunStatus.STARTED


def test_runs_of_a_living_process_are_left_alone(store, small, monkeypatch):
    cleaned = []
    monkeypatch.setattr(running, "fail_abandoned", lambda instance, echo: cleaned.append(instance))
    with only_runner(store):
        clean_up(store, print)
    assert cleaned == []
    clean_up(store, print)
    assert len(cleaned) == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("storage: [", "line 1"),
        ("telemetry: \a", "cannot be read"),
        ("- postgres", "name: value"),
        ("storrage: {}", "storrage"),
        ("storage: {sqlite: {base_dir: {env: NOT_SET_ANYWHERE}}}", "NOT_SET_ANYWHERE"),
    ],
)
@pytest.mark.parametrize("command", [run_study, clean_up])
def test_wrong_settings_of_the_instance_are_named(store, settings, named, command):
    store.dagster_home.mkdir()
    store.instance_file.write_text(settings)
    with pytest.raises(StudyError, match=r"dagster_home/dagster\.yaml") as caught:
        command(store, print)
    assert named in str(caught.value)
    assert "Mend it" in str(caught.value)
    assert store.instance_file.read_text() == settings


def test_an_interrupt_that_dagster_takes_for_itself_stops_the_plan(store, monkeypatch):
    """Between steps it only notes Ctrl-C, and would go on with the next run."""

    @dg.asset
    def labels():
        before = signal.signal(signal.SIGINT, lambda *_: None)
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, before)

    jobs = [dg.define_asset_job(name, [labels]) for name in ("read", "read_again")]
    definitions = dg.Definitions(assets=[labels], jobs=jobs)
    monkeypatch.setattr(running, "build_definitions", lambda _: definitions)
    in_memory = dg.DagsterInstance.ephemeral()
    monkeypatch.setattr(dg.DagsterInstance, "from_config", lambda _: in_memory)
    lines = []
    with pytest.raises(RunError, match="stopped in read:"):
        run_study(store, lines.append)
    assert not any("[2/2]" in line for line in lines)


@pytest.fixture
def interruptible():
    """A shell starts what it puts into the background with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_a_job_keeps_is_let_go_when_the_next_begins(store, small, monkeypatch):
    """Not between the runs of one job, which share an encoder."""
    lines, released = [], []

    def release():
        released.append(sum(line.startswith("[") for line in lines))

    monkeypatch.setattr(running, "release_encoder", release)
    run_study(store, lines.append)
    assert released == [1, 1 + len(CITIES.get_partition_keys())]


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_comes_while_rubbish_is_collected_stops_the_plan(
    store, small, monkeypatch
):
    """Python prints an error that a finaliser raises, and goes on."""

    def collect():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(running.gc, "collect", collect)
    lines = []
    with pytest.raises(RunError, match="stopped in read"):
        run_study(store, lines.append)
    assert len([line for line in lines if line.startswith("[")]) == 1


def test_a_folder_that_cannot_be_written_is_named(store):
    store.dagster_home.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="dagster_home cannot be written"), only_runner(store):
        pass
