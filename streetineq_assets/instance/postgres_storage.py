"""Dagster's storage in Postgres, which waits for a server that is away for some minutes.

Dagster itself gives up after ten seconds, and at once where a connection breaks off. Then a step
that has worked for hours fails, and a run whose process cannot say that it ended stays unfinished.
"""

import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from sqlalchemy import URL, event
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import CreateEnginePlugin, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from streetineq_assets.errors import InstanceError
from streetineq_assets.instance.postgres_url import VARIABLE, place, postgres_url, reason

PATIENCE_S = 300.0
_TRY_EVERY_S = 1.0
_BREAKS = 5  # of its connection that one call outlives
_PLUGIN = "streetineq_patience"
# Refusals that end by themselves: a server that starts or stops, connections that others hold.
_PASSING = ("starting up", "shutting down", "recovery", "too many", "remaining connection slots")
_log = logging.getLogger(__name__)


def _asks_again(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, called again where its connection broke off.

    What was written and not confirmed is written twice: an event may then stand twice in a log.
    """

    @functools.wraps(method)
    def asks(*args: Any, **kwargs: Any) -> Any:
        for _ in range(_BREAKS):
            try:
                return method(*args, **kwargs)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                _log.warning("the connection to Postgres broke off: once more")
        return method(*args, **kwargs)

    return asks


def _persistent(storage: type[Any]) -> type[Any]:
    """A storage whose public methods outlive a restart of the server."""
    methods = {
        name: _asks_again(getattr(storage, name))
        for name in dir(storage)
        if not name.startswith("_")
        and isinstance(inspect.getattr_static(storage, name), FunctionType)
    }
    return type(storage.__name__, (storage,), methods)


_RunStorage = _persistent(PostgresRunStorage)
_EventLogStorage = _persistent(PostgresEventLogStorage)
_ScheduleStorage = _persistent(PostgresScheduleStorage)


class PostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the database that the environment of this process names."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super(DagsterPostgresStorage, self).__init__()  # not its own, which makes the plain three
        self._inst_data = inst_data
        self._run_storage = _RunStorage(postgres_url)
        self._event_log_storage = _EventLogStorage(postgres_url)
        self._schedule_storage = _ScheduleStorage(postgres_url)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """It has no settings: the URL has a password, and settings are shown."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> "PostgresStorage":
        """Open the database, and make Dagster's tables in an empty one.

        Raises:
            InstanceError: the variable is not set in this process, or wrong; the server does not
                answer, or does not let its user make tables.
        """
        url = postgres_url()
        if url is None:
            raise InstanceError(
                f"the study's runs are in Postgres, but {VARIABLE} is not set in this process: set "
                "it for all that take part, such as code servers and the nodes of a cluster"
            )
        url = url.update_query_dict({"plugin": _PLUGIN}, append=True)
        try:
            return cls(url.render_as_string(hide_password=False), inst_data)
        except DBAPIError as error:
            raise InstanceError(
                f"Dagster's tables cannot be made or read in Postgres ({place(url)}): "
                f"{reason(error, url)}. The user of {VARIABLE} must own the database"
            ) from error


class Patience(CreateEnginePlugin):
    """Has the engines of this storage wait for their server.

    Those of the web server do not: it keeps connections in a pool, and a page is better told soon.
    """

    def update_url(self, url: URL) -> URL:
        """The URL without what is the plug-in's own: nothing is."""
        return url

    def engine_created(self, engine: Engine) -> None:
        """Wait in each connection that is opened."""
        if isinstance(engine.pool, NullPool):
            event.listen(engine, "do_connect", functools.partial(_connect, engine.url))


def _connect(url: URL, dialect: Dialect, _record: Any, arguments: Any, options: Any) -> Any:
    """A connection, as soon as the server answers.

    Raises:
        InstanceError: it did not answer for `PATIENCE_S`.
    """
    deadline, is_told = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError as error:
            if not _passes(str(error)):
                raise
            said = f"Postgres ({place(url)}) does not answer: {reason(error, url)}"
            if time.monotonic() > deadline:
                raise InstanceError(f"{said}, for {PATIENCE_S:.0f} s: start it") from None
        if not is_told:
            _log.warning(f"{said}. Waiting for up to {PATIENCE_S:.0f} s")
            is_told = True
        time.sleep(_TRY_EVERY_S)


def _passes(message: str) -> bool:
    """Whether it may help to try again: a server that refuses for good says FATAL."""
    return "FATAL" not in message or any(words in message for words in _PASSING)


plugins.register(_PLUGIN, __name__, Patience.__name__)
