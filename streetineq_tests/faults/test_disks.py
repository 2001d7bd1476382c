"""A disk is full or read-only, or a study somebody else's: one sentence, and nothing is lost."""

import os
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streetineq_assets.cli import app
from streetineq_assets.store import DataStore
from streetineq_tests.faults.children import Work, do, run
from streetineq_tests.faults.expected import (
    WAREHOUSE,
    Undisturbed,
    assert_undisturbed,
    assert_whole,
    litter,
)
from streetineq_tests.faults.privileges import (
    SmallDisk,
    become_a_plain_user,
    may_mount,
    mount,
    own_mounts,
)
from streetineq_tests.faults.studies import CHAIN, Target, named, want_again

pytestmark = pytest.mark.faults
NOBODY = 65534
IMAGES, CODES = Target("street_images", "saltbridge"), Target("image_codes", "saltbridge/000")
REPORT = Target("inequality_report", None)
COMMANDS = {
    "run": ["run"],
    "serve": ["serve", "--port", "3941"],
    "daemon": ["daemon"],
    "clean": ["clean", "--yes"],
}
FULL = [*((target, 0) for target in CHAIN), (IMAGES, 8_000), (CODES, 8_000), (REPORT, 300_000)]
READERS = {
    "doctor": ["doctor"],
    "clean without --yes": ["clean"],
    "query": ["query", "SELECT count(*) FROM lsoa_labels"],
}


@pytest.fixture(scope="session")
def mounts(tmp_path_factory):
    """Skips where this user may not mount."""
    if reason := do(Work(tmp_path_factory.mktemp("mount"), body=may_mount)).said:
        pytest.skip(reason)


def is_a_sentence(said: str, *words: str) -> None:
    assert all(word in said for word in words), said
    assert "Traceback" not in said
    assert "\n" not in said.strip(), said


def command(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and what a command prints."""
    result = CliRunner().invoke(app, [*arguments, "--root", str(root)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


# -- full ------------------------------------------------------------------------------------------


def on_a_full_disk(root: Path, *, target: Target, left: int, expected: Undisturbed) -> str:
    store = DataStore(root)
    disk = SmallDisk(store.assets, left_bytes=left)
    is_a_sentence(run(Work(root, *target)), "the disk is full", target.asset, "free some space")
    assert_whole(store)
    assert [each for each in litter(store) if ".work/" not in each] == []
    disk.free()
    assert run(Work(root, *target)) == ""
    assert_undisturbed(store, expected, warehouse=target.asset == WAREHOUSE)
    return ""


@pytest.mark.parametrize(("target", "left"), FULL, ids=named)
def test_a_full_disk_is_one_sentence(mounts, store, undisturbed, fault, target, left):
    want_again(store, target)
    with fault("disk full"):
        body = partial(on_a_full_disk, target=target, left=left, expected=undisturbed)
        outcome = do(Work(store.root, body=body))
        assert outcome.succeeded, outcome.said


def with_a_full_instance(root: Path, *, arguments: list[str]) -> str:
    store = DataStore(root)
    disk = SmallDisk(store.dagster_home, left_bytes=0)
    code, said = command(root, *arguments)
    assert code == 1
    is_a_sentence(said.splitlines()[-1], "the disk is full", str(store.dagster_home))
    disk.free()
    assert run(Work(root, *IMAGES)) == ""
    return ""


@pytest.mark.parametrize("name", ["run", "serve", "clean"])
def test_a_full_disk_of_the_instance_is_one_sentence(mounts, store, undisturbed, fault, name):
    with fault("disk full"):
        outcome = do(Work(store.root, body=partial(with_a_full_instance, arguments=COMMANDS[name])))
        assert outcome.succeeded, outcome.said
        assert_undisturbed(store, undisturbed)


# -- read-only, and somebody else's ----------------------------------------------------------------


def read_only(root: Path, *, arguments: list[str], fails: bool) -> str:
    own_mounts()
    mount("--bind", root, root)
    mount("-o", "remount,bind,ro", root)
    code, said = command(root, *arguments)
    if fails:
        assert code == 1, said
        is_a_sentence(said.splitlines()[-1], str(root), "writ")
    assert (code == 1) is fails, said
    return ""


@pytest.mark.parametrize("name", [*COMMANDS, *READERS])
def test_a_read_only_study_can_be_read_and_else_is_one_sentence(
    mounts, store, undisturbed, fault, name
):
    with fault("read-only folder"):
        arguments = COMMANDS.get(name) or READERS[name]
        body = partial(read_only, arguments=arguments, fails=name in COMMANDS)
        outcome = do(Work(store.root, body=body))
        assert outcome.succeeded, outcome.said
        assert_undisturbed(store, undisturbed)


def with_read_only_assets(root: Path, *, target: Target, expected: Undisturbed) -> str:
    store = DataStore(root)
    own_mounts()
    mount("--bind", store.assets, store.assets)
    mount("-o", "remount,bind,ro", store.assets)
    is_a_sentence(run(Work(root, *target)), str(store.assets), "writ")
    mount("-o", "remount,bind,rw", store.assets)
    assert run(Work(root, *target)) == ""
    assert_undisturbed(store, expected, warehouse=target.asset == WAREHOUSE)
    return ""


@pytest.mark.parametrize("target", [IMAGES, CODES, Target("warehouse", None)], ids=named)
def test_read_only_results_are_one_sentence(mounts, store, undisturbed, fault, target):
    want_again(store, target)
    with fault("read-only folder"):
        body = partial(with_read_only_assets, target=target, expected=undisturbed)
        outcome = do(Work(store.root, body=body))
        assert outcome.succeeded, outcome.said


def as_another_user(root: Path, *, arguments: list[str], code: int) -> str:
    become_a_plain_user()
    ended, said = command(root, *arguments)
    assert ended == code, said
    if code == 1:
        is_a_sentence(said.splitlines()[-1], str(root))
    if code == 2:  # typer's box around a sentence
        assert "not readable" in " ".join(said.replace("│", "").split())
    return ""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("name", [*COMMANDS, *READERS])
def test_a_study_of_another_user_is_one_sentence(store, undisturbed, fault, name, private):
    with fault("another user's folder"):
        for path in (store.root, *store.root.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
            others = 0 if private else 0o055 if path.is_dir() else 0o044
            path.chmod((0o700 if path.is_dir() else 0o600) | others)
        code = 2 if private else int(name in COMMANDS)
        arguments = COMMANDS.get(name) or READERS[name]
        body = partial(as_another_user, arguments=arguments, code=code)
        outcome = do(Work(store.root, body=body))
        assert outcome.succeeded, outcome.said
        assert_undisturbed(store, undisturbed)
