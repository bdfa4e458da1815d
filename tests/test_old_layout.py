"""Places as others have left them, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from sessionstore_contract import built_upon, old_layout, row_rights, tables
from sessionstore_contract.clause import OldPlace
from sessionstore_contract.old_layout import FIRST_COLUMNS, OLD_SESSIONS, OldSession
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.storage.postgres import PostgresStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionstore_contract.storage import Storage


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Storage]:
    """Lend either storage."""
    if request.param == "sqlite":
        yield FileStorage()
        return
    server = EmbeddedServer.join(tmp_path_factory.mktemp("run"))
    opened = PostgresStorage(server.dsn)
    yield opened
    opened.close()
    server.leave()


@pytest.fixture
def place(storage: Storage) -> Iterator[str]:
    """Lend a fresh place."""
    with storage.fresh() as fresh:
        yield fresh


async def test_an_old_place_holds_the_old_sessions(place: str) -> None:
    """With the columns of then, and what somebody else has made beside them."""
    await old_layout.fill(place)
    columns = await tables.columns(place, "sessions")
    assert columns == [*FIRST_COLUMNS, "tenant", "serial"]
    for session in OLD_SESSIONS:
        found = await old_layout.messages_of(place, session.session_id)
        assert found == session.messages
    assert await old_layout.messages_of(place, "missing") is None
    assert await old_layout.look(place) == old_layout.untouched()
    assert await old_layout.look_beside(place) == old_layout.untouched_beside()


async def test_what_was_changed_is_seen(place: str) -> None:
    """A column, a table, an index or the row that is gone."""
    await old_layout.fill(place, has_cost_data=True)
    assert "cost_data" in await tables.columns(place, "sessions")
    await tables.execute(place, "DROP INDEX sessions_of_tenant", "DROP TABLE notes")
    assert await old_layout.look_beside(place) == {"notes": None, "index": False}
    await tables.execute(place, "ALTER TABLE sessions DROP COLUMN serial")
    assert "serial" not in (await old_layout.look(place) or {})
    await tables.execute(place, "DELETE FROM sessions")
    assert await old_layout.look(place) is None


async def test_a_database_of_the_kit_is_put_into_a_zone_for_a_while(place: str) -> None:
    """Who connects meanwhile is in it, and nobody afterwards; a file has no zone."""
    is_a_server = tables.kind_of(place) == "postgres"
    async with tables.in_zone(place, "EAST-14") as is_put:
        assert is_put == is_a_server
        if is_a_server:
            assert await tables.fetch(place, "SHOW TimeZone") == [["EAST-14"]]
    if is_a_server:
        assert await tables.fetch(place, "SHOW TimeZone") != [["EAST-14"]]


@pytest.mark.parametrize("place", [None, "postgresql://me@127.0.0.1:1/chats?options=-csearch_path"])
async def test_nothing_is_done_to_the_zone_of_others(place: str | None) -> None:
    """It is not even connected to: nobody listens there."""
    async with tables.in_zone(place, "EAST-14") as is_put:
        assert not is_put


async def _build_upon(place: str) -> None:
    made = old_layout.filler("reference", OldPlace.BUILT_UPON)(place)
    assert made is not None
    await made


async def test_what_was_built_on_the_table_works(place: str) -> None:
    """Each thing is seen at work, beside the old sessions and many others."""
    await _build_upon(place)
    if tables.kind_of(place) == "postgres":
        elsewhere = await tables.fetch(place, "SELECT count(*) FROM contract_elsewhere.sessions")
        assert elsewhere == [[0]]
    assert await old_layout.look(place) == old_layout.untouched()
    assert await old_layout.look_beside(place) == old_layout.untouched_beside()
    found = await built_upon.try_out(place)
    assert found == built_upon.as_built(len(OLD_SESSIONS))
    if tables.kind_of(place) == "postgres":
        schemas = await tables.fetch(place, "SELECT to_regnamespace('contract_elsewhere') IS NULL")
        assert schemas == [[True]]


async def test_what_was_built_on_the_table_and_is_gone_is_seen(place: str) -> None:
    """A view, a trigger, a column with a default and a CHECK, and rows."""
    await _build_upon(place)
    on_the_table = " ON sessions" if tables.kind_of(place) == "postgres" else ""
    await tables.execute(
        place,
        "DROP VIEW sessions_of_tenants",
        f"DROP TRIGGER sessions_numbered{on_the_table}",
        "ALTER TABLE sessions DROP COLUMN region",
    )
    await built_upon.remove_odd_rows(place)
    found = await built_upon.try_out(place)
    rows = found.pop("rows")
    assert rows == built_upon.as_built(len(OLD_SESSIONS))["rows"] - 4
    assert set(found.values()) == {None}


async def test_the_layout_tells_who_changed_it(place: str) -> None:
    """A change that is made and taken back is one; rows are none."""
    await old_layout.fill(place)
    before = await tables.layout(place)
    await old_layout.put(place, OldSession("another", [], old_layout.CREATED))
    assert await tables.layout(place) == before
    await tables.execute(place, "CREATE TABLE more (n INTEGER)", "DROP TABLE more")
    if tables.kind_of(place) == "sqlite":
        assert await tables.layout(place) != before
    await tables.execute(place, "DROP INDEX sessions_of_tenant")
    await tables.execute(place, "CREATE INDEX sessions_of_tenant ON sessions (tenant)")
    assert await tables.layout(place) != before


async def test_a_long_reader_is_in_a_transaction(place: str) -> None:
    """Rows that are written meanwhile are not held up where a place lets readers be."""
    await old_layout.fill(place)
    if tables.kind_of(place) == "sqlite":
        assert not await tables.lets_readers_be(place)
        await tables.execute(place, "PRAGMA journal_mode = WAL")
    assert await tables.lets_readers_be(place)
    async with tables.long_reader(place):
        await old_layout.put(place, OldSession("beside", [], old_layout.CREATED))
    assert await old_layout.messages_of(place, "beside") == []


async def test_places_are_left_behind_as_the_clause_says(place: str) -> None:
    """By the author's function, unless it is somebody else's place altogether."""
    left: list[tuple[str, Sequence[OldSession]]] = []

    def leave(place: str, sessions: Sequence[OldSession]) -> None:
        left.append((place, sessions))

    assert old_layout.filler(leave, OldPlace.WITHOUT_COST_DATA)(place) is None
    assert left == [(place, OLD_SESSIONS)]
    made = old_layout.filler(leave, OldPlace.FOREIGN_TABLE)(place)
    assert made is not None
    await made
    assert await tables.columns(place, "sessions") == ["id", "token", "expires_at"]
    assert len(left) == 1


async def test_an_error_of_the_table_is_told_from_one_of_the_server(place: str) -> None:
    """A refused statement says something of what is there; a server that is full says nothing."""
    await old_layout.fill(place)
    for statement in (
        "SELECT gone FROM sessions",
        "INSERT INTO sessions (session_id) VALUES ('old-session')",
    ):
        with pytest.raises(Exception, match=r"gone|unique|UNIQUE") as caught:
            await tables.execute(place, statement)
        assert tables.is_of_a_table(caught.value)
        assert tables.is_of_a_constraint(caught.value) == ("INSERT" in statement)
    for error in (
        asyncpg.TooManyConnectionsError("sorry"),
        asyncpg.CannotConnectNowError("starting"),
        ConnectionRefusedError(),
        TimeoutError(),
    ):
        assert not tables.is_of_a_table(error)


async def test_rights_to_rows_are_no_rights_to_tables(storage: Storage, place: str) -> None:
    """The role reads and writes, alters nothing, and is gone at the end."""
    if storage.name != "postgres":
        pytest.skip("SQLite has no roles")
    await old_layout.fill(place)
    limited, made = await row_rights.given(place)
    assert limited is not None
    await old_layout.put(limited, OldSession("mine", [], old_layout.CREATED))
    assert await old_layout.messages_of(limited, "mine") == []
    for statement in ("CREATE TABLE mine (n INT)", "ALTER TABLE sessions ADD COLUMN mine INT"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tables.execute(limited, statement)
    await made.aclose()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await tables.fetch(limited, "SELECT 1")
    # Who may make no role can't have it tried.
    again, more = await row_rights.given(place)
    assert again is not None
    refused, rest = await row_rights.given(again)
    assert refused is None
    for one in (rest, more):
        await one.aclose()
