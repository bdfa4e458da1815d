"""Fresh places on a real PostgreSQL server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest

from sessionstore_contract.storage import StorageUnavailableError, postgres_server
from sessionstore_contract.storage.dsn import Dsn, MalformedDsnError
from sessionstore_contract.storage.postgres import PostgresStorage, drop_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def storage(server: str) -> Iterator[PostgresStorage]:
    """Lend a storage on the server."""
    opened = PostgresStorage(server)
    yield opened
    opened.close()


def ask(dsn: str, query: str) -> Any:
    """Answer the first value of the query, through psycopg."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return None if row is None else row[0]


def execute(dsn: str, *statements: str) -> None:
    """Execute statements, through psycopg."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def ask_asyncpg(dsn: str, query: str) -> Any:
    """Answer the first value of the query, through asyncpg."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_a_server_without_tls_is_found_out(server: str) -> None:
    """By the first connection, so that no driver gets ready for TLS each time."""
    storage = PostgresStorage(server)
    found = [storage.is_plain]
    with storage.fresh():
        found.append(storage.is_plain)
    storage.close()
    assert found == [False, True]


def test_what_is_encrypted_or_not_known_is_not_called_plain() -> None:
    """The transport of a driver is its own affair: without one nothing is known."""
    encrypted = SimpleNamespace(get_extra_info=lambda _: object())
    assert not postgres_server._is_plain(SimpleNamespace(_transport=encrypted))  # type: ignore[arg-type]
    assert not postgres_server._is_plain(SimpleNamespace())  # type: ignore[arg-type]


def places(server: str) -> int:
    """Answer how many databases and schemas of ours are on the server."""
    databases = ask(server, "SELECT count(*) FROM pg_database WHERE datname LIKE 'contract_%'")
    schemas = ask(server, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'contract_%'")
    return int(databases) + int(schemas)


def test_places_are_isolated(storage: PostgresStorage) -> None:
    """Places that are open side by side do not see each other, in either driver."""
    with storage.fresh() as one, storage.fresh() as other:
        execute(one, "CREATE TABLE sessions (id int)")
        seen = "SELECT to_regclass('sessions')::text"
        assert ask(one, seen) == asyncio.run(ask_asyncpg(one, seen)) == "sessions"
        assert ask(other, seen) is asyncio.run(ask_asyncpg(other, seen)) is None


def test_place_is_dropped_with_connections_open(server: str, storage: PostgresStorage) -> None:
    """A connection left open in a transaction does not keep a place."""
    with storage.fresh() as place:
        left = psycopg.connect(place)
        left.execute("CREATE TABLE held (id int)")
    storage.close()
    assert places(server) == 0
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()


def test_close_drops_what_is_left(server: str) -> None:
    """A place whose end was never reached is dropped by `close`, which may be called again."""
    storage = PostgresStorage(server)
    place = storage.fresh()
    place.__enter__()
    assert places(server) >= 1
    storage.close()
    storage.close()
    assert places(server) == 0
    place.__exit__(None, None, None)
    with pytest.raises(StorageUnavailableError, match="closed"), storage.fresh():
        pass


@pytest.fixture(params=["databases", "schemas"])
def made_on(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """Lend a DSN whose role may make databases, or schemas alone."""
    if request.param == "databases":
        yield server
        return
    execute(
        server,
        "CREATE ROLE frugal LOGIN PASSWORD 'frugal'",
        "CREATE DATABASE of_frugal OWNER frugal",
    )
    yield str(Dsn("frugal", "frugal", Dsn.parse(server).addresses, "of_frugal", ()))
    execute(server, "DROP DATABASE of_frugal WITH (FORCE)", "DROP ROLE frugal")


def test_what_a_killed_process_has_left_is_found_by_its_mark(made_on: str) -> None:
    """Of this run, and of no other."""
    dsn = made_on
    ours, theirs = (PostgresStorage(dsn, mark=mark) for mark in ("0123456789ab", "ba9876543210"))
    left, kept = ours.fresh(), theirs.fresh()
    left.__enter__()
    kept.__enter__()
    while places(dsn) < 4:  # each makes one ahead
        time.sleep(0.01)
    drop_left(dsn, "0123456789ab")
    assert places(dsn) == 2
    theirs.close()
    assert places(dsn) == 0
    ours.close()


MAKING = """
import sys
from sessionstore_contract.storage.postgres import PostgresStorage
PostgresStorage(sys.argv[1], mark="0123456789ab").fresh().__enter__()
"""


def test_what_the_server_still_makes_for_a_killed_process_is_not_left(
    made_on: str, server: str
) -> None:
    """It goes on when nobody listens, and would be done after all else was dropped."""
    made_in = Dsn.parse(made_on).database or ""
    anybodys = str(Dsn.parse(server).with_database(made_in))
    catalogue = "pg_namespace" if made_in == "of_frugal" else "pg_database"
    with (
        psycopg.connect(anybodys) as holding,
        psycopg.connect(anybodys, autocommit=True) as watching,
    ):

        def count(wanted: str) -> int:
            row = watching.execute(
                f"SELECT count(*) FROM pg_stat_activity WHERE {wanted} AND query LIKE 'CREATE %'"
            ).fetchone()
            return int(row[0]) if row else 0

        holding.execute(f"LOCK TABLE {catalogue} IN SHARE MODE")
        making = subprocess.Popen([sys.executable, "-c", MAKING, made_on])
        while not count("wait_event_type = 'Lock'"):
            assert making.poll() is None
            time.sleep(0.01)
        making.kill()
        making.wait()
        drop_left(made_on, "0123456789ab")
        holding.rollback()
        while count("state = 'active' AND pid <> pg_backend_pid()"):
            time.sleep(0.01)
        assert places(made_on) == 0


def test_nothing_is_said_where_nothing_can_be_dropped() -> None:
    """The server has gone, or there never was one: the end of a run is told by others."""
    drop_left("postgresql://nobody@127.0.0.1:1/nothing", "0123456789ab")
    drop_left("nonsense", "0123456789ab")


def test_place_goes_after_an_exception(server: str, storage: PostgresStorage) -> None:
    """A clause that raises gives its place back, and its exception passes."""
    with pytest.raises(ZeroDivisionError), storage.fresh():
        _ = 1 / 0
    storage.close()
    assert places(server) == 0


def test_storages_share_a_server(server: str, storage: PostgresStorage) -> None:
    """The end of one storage leaves the places of another alone."""
    with storage.fresh() as kept:
        other = PostgresStorage(server)
        with other.fresh():
            pass
        other.close()
        assert ask(kept, "SELECT 1") == 1


def test_connections_to_a_place_are_counted(storage: PostgresStorage) -> None:
    """Those to that place, from either driver, and none of the storage's own."""
    with storage.fresh() as place, storage.fresh() as other:
        assert (storage.connections(place), storage.connections(other)) == (0, 0)
        with psycopg.connect(place), psycopg.connect(place):
            assert (storage.connections(place), storage.connections(other)) == (2, 0)
        deadline = time.monotonic() + 30
        while storage.connections(place):  # the server sees a little later that they are closed
            assert time.monotonic() < deadline
    assert storage.connections(place) is None


def test_nothing_is_made_before_the_first_place(server: str) -> None:
    """A storage that nobody asks makes no database, and knows no version."""
    storage = PostgresStorage(server)
    assert storage.server() is None
    storage.close()
    assert places(server) == 0


def test_server_is_named(storage: PostgresStorage) -> None:
    """The name and version are those of the server."""
    with storage.fresh() as place:
        version = ask(place, "SHOW server_version")
    assert storage.server() == f"PostgreSQL {version}"


def test_schema_where_no_database_may_be_made(server: str) -> None:
    """A role without CREATEDB has a schema for each place, and both drivers see that one only."""
    execute(server, "CREATE ROLE modest LOGIN PASSWORD 'm p@ss:/?#%'", "CREATE DATABASE theirs")
    execute(server, "GRANT CREATE ON DATABASE theirs TO modest")
    dsn = Dsn.parse(server)
    own = Dsn("modest", "m p@ss:/?#%", dsn.addresses, "theirs", dsn.parameters)
    storage = PostgresStorage(str(own))
    try:
        with storage.fresh() as one, storage.fresh() as other:
            execute(one, "CREATE TABLE sessions (id int)")
            seen = "SELECT to_regclass('sessions')::text"
            assert ask(one, seen) == asyncio.run(ask_asyncpg(one, seen)) == "sessions"
            assert ask(other, seen) is asyncio.run(ask_asyncpg(other, seen)) is None
            assert storage.connections(one) is None, "a connection does not show its schema"
            left = psycopg.connect(one)
            left.execute("SELECT * FROM sessions")
        storage.close()
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'contract_%'"
        assert ask(str(own), schemas) == 0
        left.close()
    finally:
        storage.close()
        execute(server, "DROP DATABASE theirs WITH (FORCE)", "DROP ROLE modest")


def test_role_that_may_make_nothing(server: str) -> None:
    """A role that may make neither databases nor schemas is told so in one line."""
    execute(server, "CREATE ROLE powerless LOGIN PASSWORD 'none'")
    dsn = Dsn.parse(server)
    own = Dsn("powerless", "none", dsn.addresses, "postgres", ())
    assert "CREATEDB" in refusal(str(own))
    execute(server, "DROP ROLE powerless")


def refusal(dsn: str) -> str:
    """Answer why there is no place, after checking that it is one line without the password."""

    def use() -> None:
        with closing(PostgresStorage(dsn)) as storage, storage.fresh():
            pass

    with pytest.raises(StorageUnavailableError) as said:
        use()
    assert "\n" not in str(said.value)
    assert "s3cret" not in repr(said.value)
    return str(said.value)


def test_server_that_is_not_there() -> None:
    """A port nobody listens on is named."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        said = refusal(f"postgresql://me:s3cret@127.0.0.1:{port}/db")
    assert said.startswith(f"no PostgreSQL answers at 127.0.0.1:{port}")
    assert "--postgres" in said


def test_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that never answers is given up."""
    monkeypatch.setattr(postgres_server, "ANSWER_TIMEOUT", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        assert "does not answer in time" in refusal(f"postgresql://me:s3cret@127.0.0.1:{port}/db")


def test_wrong_password_and_no_such_database(server: str) -> None:
    """The user or the database is named, not the password."""
    dsn = Dsn.parse(server)
    wrong = Dsn("postgres", "s3cret", dsn.addresses, "postgres", ())
    assert "refuses user 'postgres'" in refusal(str(wrong))
    assert "no database 'nowhere'" in refusal(str(dsn.with_database("nowhere")))


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://me:s3cret@host/db",
        "host=127.0.0.1 password=s3cret",
        "postgresql://me:s3cret/x@host/db",
        "postgresql://me:x@host:s3cret/db",
        "postgresql://me:x@[s3cret/db",
        "",
    ],
)
def test_malformed_dsn(dsn: str) -> None:
    """A text that is no DSN is refused without being quoted."""
    assert "DSN" in refusal(dsn)


@pytest.mark.parametrize(
    ("given", "worded"),
    [
        ("postgres://h", "postgresql://h/"),
        ("postgresql://u:p@h:1/d", "postgresql://u:p@h:1/d"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:p%40ss@h/d"),
        ("postgresql://u@[::1]:5/d?sslmode=disable", "postgresql://u@[::1]:5/d?sslmode=disable"),
        ("postgresql://u@/d?host=/tmp/x&port=7", "postgresql://u@/d?host=%2Ftmp%2Fx&port=7"),
        ("postgresql://u@%2Ftmp%2Fx:7/d", "postgresql://u@/d?host=%2Ftmp%2Fx&port=7"),
        ("postgresql://h1:1,h2:2/d", "postgresql://h1:1,h2:2/d"),
        ("postgresql://h/d?connect_timeout=3&application_name=a+b", None),
        ("postgresql://h/d?search_path=a b", "postgresql://h/d?options=-csearch_path%3Da%5C%20b"),
        ("postgresql://h/?dbname=d&user=u&password=p", "postgresql://u:p@h/d"),
    ],
)
def test_dsn_is_worded_for_both_drivers(given: str, worded: str | None) -> None:
    """Whatever libpq or asyncpg takes is reworded to what both take, and that is stable."""
    expected = worded or "postgresql://h/d?application_name=a%2Bb"
    assert str(Dsn.parse(given)) == expected
    assert str(Dsn.parse(expected)) == expected
    assert "p@ss" not in repr(Dsn.parse(given))


def test_dsn_without_a_number_for_a_port() -> None:
    """Ports and hosts that do not fit together are malformed."""
    with pytest.raises(MalformedDsnError, match="port"):
        Dsn.parse("postgresql://h/d?port=x")


def test_parameters_of_one_driver(server: str) -> None:
    """Settings of the server and of one driver only survive, or are left out, for both drivers."""
    dsn = f"{server}?connect_timeout=3&sslmode=disable&statement_timeout=7s&application_name=a b"
    storage = PostgresStorage(dsn)
    try:
        with storage.fresh() as place:
            for setting, value in (("statement_timeout", "7s"), ("application_name", "a b")):
                assert ask(place, f"SHOW {setting}") == value
                assert asyncio.run(ask_asyncpg(place, f"SHOW {setting}")) == value
    finally:
        storage.close()


def test_import_is_cheap() -> None:
    """Importing the storage imports no driver."""
    code = (
        "import sys, sessionstore_contract.storage.postgres, sessionstore_contract.storage.embedded"
    )
    code += "; sys.exit('asyncpg' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
