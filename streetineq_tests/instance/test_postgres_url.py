"""What `STREETINEQ_POSTGRES_URL` may say; one sentence without the password for all else."""

import importlib.util

import dagster as dg
import pytest

from streetineq_assets.errors import InstanceError
from streetineq_assets.instance import postgres_url as module
from streetineq_assets.instance.postgres_url import VARIABLE, place, postgres_url, require_reachable
from streetineq_tests.served import free_port


@pytest.fixture
def named(monkeypatch):
    """Sets the variable, and reads it."""

    def read(text):
        monkeypatch.setenv(VARIABLE, text)
        return postgres_url()

    return read


def test_without_the_variable_there_is_no_postgres(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert postgres_url() is None


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+psycopg2"], ids=lambda scheme: scheme
)
def test_any_usual_url_gets_the_driver_that_dagster_needs(named, scheme):
    url = named(f" {scheme}://ann:p%40ss@db.example:5433/runs?sslmode=require\n")
    assert url.drivername == "postgresql+psycopg2"
    assert (url.username, url.password, url.database) == ("ann", "p@ss", "runs")
    assert url.query["sslmode"] == "require"
    assert place(url) == "db.example, port 5433, database runs"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql://ann@/runs?host=/run/db", "/run/db, port 5432, database runs"),
        ("postgresql:///runs", "the local socket, port 5432, database runs"),
        ("postgresql://[::1]/runs", "::1, port 5432, database runs"),
    ],
)
def test_the_place_is_told_of_sockets_too(named, text, said):
    assert place(named(text)) == said


def test_a_server_that_swallows_packets_is_not_waited_for_by_the_minute(named):
    assert named("postgresql://h/d").query["connect_timeout"] == "10"
    assert named("postgresql://h/d?connect_timeout=60").query["connect_timeout"] == "60"


@pytest.mark.parametrize(
    ("text", "named_fact"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("mysql://ann:secret@db/runs", "mysql://"),
        ("postgresql+psycopg://ann:secret@db/runs", r"postgresql\+psycopg://"),
        ("sqlite:///secret.db", "sqlite://"),
        ("secret", "no URL"),
        ("postgresql://ann:secret", "no URL"),
        ("postgresql://ann:sec:ret@db:port/runs", "no URL"),
        ("postgresql://ann:secret@db:5432", "names no database"),
    ],
)
def test_another_value_is_refused_with_what_is_expected(named, text, named_fact):
    with pytest.raises(InstanceError, match=named_fact) as refused:
        named(text)
    message = str(refused.value)
    assert VARIABLE in message
    assert "postgresql://user:password@host:5432/database" in message
    assert "secret" not in message


def test_without_the_extra_the_remedy_is_named(named, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "dagster_postgres" else found(name)
    )
    with pytest.raises(InstanceError, match="uv sync --extra postgres"):
        named("postgresql://ann:secret@db/runs")


def test_a_server_that_is_not_there_is_named_without_the_password(named):
    port = free_port()
    url = named(f"postgresql://ann:secret@127.0.0.1:{port}/runs")
    with pytest.raises(InstanceError, match=rf"127\.0\.0\.1, port {port}") as refused:
        require_reachable(url)
    assert "refused" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("word%2F1@", "@", "password authentication failed"),
        ("/runs", "/walks", "walks.* does not exist"),
        ("/runs", "/runs?colour=red", "colour"),
    ],
)
def test_a_server_that_refuses_says_why(postgres, named, old, new, why):
    with pytest.raises(InstanceError, match=why) as refused:
        require_reachable(named(postgres.url.replace(old, new)))
    assert "p@ss" not in str(refused.value)


@pytest.mark.slow
def test_a_user_who_may_not_make_tables_is_told_so(postgres, home, named):
    postgres.psql("CREATE DATABASE foreign_runs")
    named(postgres.url.replace("/runs", "/foreign_runs"))
    with pytest.raises(InstanceError, match=r"permission denied.*must own") as refused:
        dg.DagsterInstance.from_config(str(home))
    assert f"port {postgres.port}, database foreign_runs" in str(refused.value)
    assert "p@ss" not in str(refused.value)
