"""A database that serves a second place is as new, under a name of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from sessionstore_contract.storage.postgres import PostgresStorage

from .test_postgres import ask, execute, places, storage

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

__all__ = ["storage"]

OID = "SELECT oid::int FROM pg_database WHERE datname = current_database()"


def databases(storage: PostgresStorage, use: Callable[[str], None]) -> list[int]:
    """Use several places one after the other, and answer the databases that served them."""
    served = []
    for _ in range(6):
        with storage.fresh() as place:
            served.append(ask(place, OID))
            use(place)
        wait_for_drops(storage)
    return served


def wait_for_drops(storage: PostgresStorage) -> None:
    """Wait until what was given back is emptied or dropped, which goes on behind."""
    deadline = time.monotonic() + 20
    while storage._places._drops:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_database_serves_again(server: str, storage: PostgresStorage) -> None:
    """Places that leave nothing but tables have few databases, and each finds none of them."""
    names = set()

    def use(place: str) -> None:
        names.add(place)
        assert ask(place, "SELECT to_regclass('sessions')::text") is None
        execute(place, "CREATE TABLE sessions (id serial, at timestamptz)")

    assert len(set(databases(storage, use))) < len(names) == 6
    storage.close()
    assert places(server) == 0


def test_public_is_as_it_was(storage: PostgresStorage) -> None:
    """Owner and rights of the schema are those of a new database."""
    query = (
        "SELECT nspowner::regrole::text || nspacl::text FROM pg_namespace WHERE nspname = 'public'"
    )
    found = []

    def use(place: str) -> None:
        found.append(ask(place, query))
        execute(place, "CREATE TABLE sessions (id int)", "REVOKE ALL ON SCHEMA public FROM PUBLIC")

    databases(storage, use)
    assert len(set(found)) == 1


IN_THIS_DATABASE = "DO $$ BEGIN EXECUTE format('{}', current_database()); END $$"
CATALOGUE = "CREATE FUNCTION pg_catalog.own() RETURNS int LANGUAGE sql AS 'SELECT 1'"


@pytest.mark.parametrize(
    "left",
    [
        "CREATE SCHEMA another",
        "SELECT lo_create(0)",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "CREATE PUBLICATION everything FOR ALL TABLES",
        f"SET allow_system_table_mods = on; {CATALOGUE}",
        IN_THIS_DATABASE.format("ALTER DATABASE %I SET work_mem = 65"),
        IN_THIS_DATABASE.format("GRANT CREATE ON DATABASE %I TO PUBLIC"),
    ],
    ids=["schema", "large object", "defaults", "publication", "function", "setting", "grant"],
)
def test_a_database_with_anything_else_does_not(left: str, storage: PostgresStorage) -> None:
    """What is not in `public` is not removed piece by piece: the database goes."""
    served = databases(storage, lambda place: execute(place, left))
    assert len(set(served)) == 6


def test_who_was_left_behind_does_not_come_back(storage: PostgresStorage) -> None:
    """An old DSN leads nowhere, and an old connection is ended, although the database serves on."""
    with storage.fresh() as old:
        left = psycopg.connect(old)
        left.execute("SELECT 1")
    wait_for_drops(storage)
    databases(storage, lambda _: None)
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(old)
