"""Waiting for a server that is away, on stand-ins for driver and storage."""

import logging
import types

import psycopg2
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from streetineq_assets.errors import InstanceError
from streetineq_assets.instance import postgres_storage as module

URL = "postgresql+psycopg2://ann:hush@db.example:5433/runs?plugin=streetineq_patience"


@pytest.fixture
def connect(monkeypatch):
    """Opens a connection of an engine like those of the storage; the driver answers as told."""
    monkeypatch.setattr(module, "_TRY_EVERY_S", 0.01)

    def opened(*answers, pool=NullPool):
        rest = iter(answers)

        def answer(*_, **__):
            said = next(rest)
            if isinstance(said, str):
                raise psycopg2.OperationalError(said)
            return said

        engine = create_engine(URL, poolclass=pool)
        monkeypatch.setattr(engine.dialect, "connect", answer)
        return engine.raw_connection().dbapi_connection

    return opened


REFUSED = 'connection to server at "db.example" failed: Connection refused'
STARTING = "FATAL:  the database system is starting up"
CROWDED = "FATAL:  sorry, too many clients already"
STRANGER = 'FATAL:  password authentication failed for user "ann"'


def connection():
    made = types.SimpleNamespace(rollback=lambda: None, close=lambda: None)
    made.cursor = made.close
    return made


@pytest.fixture(autouse=True)
def _no_first_connection(monkeypatch):
    """A dialect asks its first connection for the version of the server."""
    monkeypatch.setattr("sqlalchemy.engine.default.DefaultDialect.initialize", lambda *_: None)
    dialect = "sqlalchemy.dialects.postgresql.psycopg2.PGDialect_psycopg2"
    monkeypatch.setattr(f"{dialect}.initialize", lambda *_: None)
    monkeypatch.setattr(f"{dialect}.on_connect", lambda *_: None)


def test_a_server_that_is_away_is_waited_for_and_told_of_once(connect, caplog):
    made = connection()
    with caplog.at_level(logging.WARNING):
        assert connect(REFUSED, STARTING, CROWDED, made) is made
    (line,) = caplog.messages
    assert "db.example, port 5433, database runs" in line
    assert "hush" not in line


def test_a_server_that_does_not_come_back_is_named(connect, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    with pytest.raises(InstanceError, match=r"db\.example, port 5433") as ended:
        connect(*[REFUSED] * 1000)
    assert "hush" not in str(ended.value)


def test_a_server_that_refuses_for_good_is_not_waited_for(connect):
    with pytest.raises(psycopg2.OperationalError, match="password authentication"):
        connect(STRANGER)


def test_the_web_server_is_told_at_once(connect):
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        connect(REFUSED, pool=None)


class Storage:
    """A storage whose connection breaks off some times."""

    def __init__(self, *, breaks, is_broken=True):
        self.breaks, self.is_broken, self.n_calls = breaks, is_broken, 0

    def write(self, value):
        self.n_calls += 1
        if self.n_calls <= self.breaks:
            raise OperationalError("INSERT", {}, Exception(), connection_invalidated=self.is_broken)
        return value

    @staticmethod
    def create():
        return "plain"


def test_a_call_whose_connection_broke_off_is_made_again():
    storage = module._persistent(Storage)(breaks=2)
    assert storage.write(5) == 5
    assert storage.n_calls == 3
    assert storage.create() == "plain"


def test_a_call_is_not_made_again_for_ever():
    with pytest.raises(OperationalError):
        module._persistent(Storage)(breaks=100).write(5)


def test_another_error_is_not_tried_again():
    storage = module._persistent(Storage)(breaks=1, is_broken=False)
    with pytest.raises(OperationalError):
        storage.write(5)
    assert storage.n_calls == 1
