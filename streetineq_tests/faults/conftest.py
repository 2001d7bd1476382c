"""A finished study for all tests of faults, copies of it, and the count of faults."""

import contextlib
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from streetineq_assets.run import run_study
from streetineq_assets.store import DataStore
from streetineq_tests.chain import write_small_study
from streetineq_tests.faults.children import Work, do, use_study
from streetineq_tests.faults.expected import Undisturbed, content_of_views, digests


class Faults:
    """The faults of a test: tried, and survived where all that must hold afterwards held."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.survived: list[str] = []

    @contextlib.contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        """Count a fault of a kind; the block brings it about and asserts what must hold."""
        self.tried.append(kind)
        yield
        self.survived.append(kind)


@pytest.fixture
def fault(record_property: Callable[[str, object], None]) -> Iterator[Faults]:
    faults = Faults()
    yield faults
    record_property("faults tried", faults.tried)
    record_property("faults survived", faults.survived)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A small study that was run with `streetineq run`; made once for all processes of pytest."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base
    root, content = base / "undisturbed", base / "undisturbed.pickle"
    with FileLock(base / "undisturbed.lock"):
        if not content.exists():
            write_small_study(root)
            use_study(root)
            made = do(Work(root, body=_run_study))
            assert made.succeeded, made.said
            store = DataStore(root)
            content.write_bytes(pickle.dumps((digests(store), content_of_views(store))))
    use_study(root)
    return Undisturbed(root, *pickle.loads(content.read_bytes()))


def _run_study(root: Path) -> str:
    run_study(DataStore(root), lambda _: None)
    return ""


@pytest.fixture
def store(undisturbed: Undisturbed, tmp_path: Path) -> DataStore:
    """A copy of the finished study, for a test to spoil."""
    return DataStore(shutil.copytree(undisturbed.root, tmp_path / "study"))
