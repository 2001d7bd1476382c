"""The Postgres that `STREETINEQ_POSTGRES_URL` names: reading the variable, and trying the server.

A URL has a password, so it is neither logged nor put into a message; `place` says which server.
"""

import os
from importlib.util import find_spec

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import NullPool

from streetineq_assets.errors import InstanceError

VARIABLE = "STREETINEQ_POSTGRES_URL"
EXAMPLE = "postgresql://user:password@host:5432/database"
# dagster-postgres needs psycopg2; SQLAlchemy takes psycopg 3 where no driver is named.
_DRIVER = "postgresql+psycopg2"
_SCHEMES = ("postgresql", "postgres", _DRIVER)
_CONNECT_TIMEOUT_S = 10  # else the kernel's, which is minutes where a firewall swallows packets


def postgres_url() -> URL | None:
    """The database that the environment names, with the driver that Dagster needs; None without.

    Raises:
        InstanceError: the variable is empty or no URL of a Postgres database, or the driver is not
            installed.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    if not text.strip():
        raise InstanceError(
            f"{VARIABLE} is empty: set it to {EXAMPLE}, or unset it to keep runs in SQLite"
        )
    url = _parse(text.strip())
    if find_spec("dagster_postgres") is None:
        raise InstanceError(
            f"{VARIABLE} is set, but dagster-postgres is not installed: `uv sync --extra postgres` "
            "installs it; without the variable runs are kept in SQLite"
        )
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
    return url.set(drivername=_DRIVER)


def place(url: URL) -> str:
    """Server, port and database in words, without user and password."""
    host = url.host or url.query.get("host") or "the local socket"
    port = url.port or url.query.get("port") or 5432
    return f"{host}, port {port}, database {url.database}"


def require_reachable(url: URL) -> None:
    """Connect once.

    Raises:
        InstanceError: the server does not answer or refuses; the message says which and why.
    """
    engine = create_engine(url, poolclass=NullPool)
    try:
        engine.connect().close()
    except DatabaseError as error:
        raise InstanceError(
            f"the Postgres that {VARIABLE} names ({place(url)}) cannot be used: "
            f"{reason(error, url)}. Start it, or mend the variable"
        ) from None  # the cause's trace tells nobody more


def reason(error: Exception, url: URL) -> str:
    """The first line of what a driver says, without the password."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0].replace(url.password or "\0", "***").rstrip(".")


def _parse(text: str) -> URL:
    wrong = f"{VARIABLE} is no URL of a Postgres database: expected {EXAMPLE}"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not the text, nor its parts: where `@` is missing, the password is taken for the port.
        raise InstanceError(wrong) from None
    if url.drivername not in _SCHEMES:
        raise InstanceError(f"{wrong}, found {url.drivername}://")
    if not url.database:
        raise InstanceError(f"{wrong}, and this one names no database")
    return url
