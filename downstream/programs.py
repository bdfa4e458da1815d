"""What was found in fipsagents, each shown by a few calls and without the kit.

    python programs.py [NAME ...]

Each program prints what it sees, and raises where the finding is not to be seen (any longer). For
PostgreSQL the DSN of a database that may be emptied is in DSN, for HTTP the URL of a platform in
PLATFORM.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
from chat import accumulator_on, server_on
from fipsagents.baseagent.events import ContentDelta, StreamComplete, StreamMetrics
from fipsagents.server.http import HttpSessionStore
from fipsagents.server.sessions import PostgresSessionStore, SessionStore, SqliteSessionStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

HELLO = [{"role": "user", "content": "hello"}]
PROGRAMS: dict[str, Callable[[], Coroutine[Any, Any, str]]] = {}


def program(make: Callable[[], Coroutine[Any, Any, str]]) -> Callable[[], Coroutine[Any, Any, str]]:
    PROGRAMS[make.__name__.replace("_", "-")] = make
    return make


def sqlite_file() -> str:
    return str(Path(tempfile.mkdtemp()) / "chats.db")


def demand(seen: bool, what: object) -> None:
    if not seen:
        raise SystemExit(f"not to be seen: {what}")


async def both() -> list[SessionStore]:
    return [SqliteSessionStore(sqlite_file()), await postgres()]


async def postgres() -> PostgresSessionStore:
    """Empty the database and open a store on it."""
    connection = await asyncpg.connect(os.environ["DSN"])
    await connection.execute("DROP TABLE IF EXISTS sessions")
    await connection.close()
    return PostgresSessionStore(os.environ["DSN"])


async def outcome(call: Coroutine[Any, Any, Any], seconds: float = 20) -> str:
    try:
        return repr(await asyncio.wait_for(call, seconds))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


# every store ------------------------------------------------------------------------------------


@program
async def ids_of_60_bits() -> str:
    """Generated ids have 16 hexadecimal digits of a UUID, one of which is always 4."""
    stores = await both()
    ids = [await store.create() for store in stores for _ in range(100)]
    thirteenth = {one.removeprefix("sess_")[12] for one in ids}
    demand(thirteenth == {"4"}, thirteenth)
    for store in stores:
        await store.close()
    return f"the 13th digit of {ids[0]!r} and of 199 others is 4: 60 bits of them are random"


@program
async def save_of_none_is_stored() -> str:
    """`save(id, None)` raises after it has committed `null` in place of the history."""
    said = []
    for store in await both():
        session = await store.create()
        await store.save(session, HELLO)
        raised = await outcome(store.save(session, None))  # type: ignore[arg-type]
        found = await store.load(session)
        demand(raised.startswith("TypeError") and found is None, (raised, found))
        said.append(f"{type(store).__name__}: raised {raised!r}, then load answers {found}")
        await store.close()
    return "; ".join(said)


@program
async def number_keys_become_text() -> str:
    """A key that is a number is stored as a text."""
    said = []
    for store in [*await both(), HttpSessionStore(os.environ["PLATFORM"])]:
        session = await store.create()
        await store.update(session, cost_data={1: "one"})  # type: ignore[dict-item]
        found = await store.get_cost_data(session)
        demand(found == {"1": "one"}, found)
        said.append(f"{type(store).__name__}: {{1: 'one'}} is read as {found}")
        await store.close()
    return "; ".join(said)


@program
async def empty_update_is_activity() -> str:
    """`update(id, cost_data={})`, which changes nothing, keeps a session from being removed."""
    said = []
    for store in await both():
        session = await store.create()
        await asyncio.sleep(0.05)
        cutoff = datetime.now(UTC)
        await asyncio.sleep(0.05)
        await store.update(session, cost_data={})
        removed = await store.delete_before(cutoff)
        demand(removed == 0, removed)
        said.append(f"{type(store).__name__}: {removed} removed")
        await store.close()
    return "; ".join(said)


@program
async def closed_store_opens_again() -> str:
    """After `close` every operation works again, and nobody closes what it opens."""
    said = []
    for store in await both():
        await store.close()
        said.append(f"{type(store).__name__}: exists answers {await store.exists('x')}")
        await store.close()
    return "; ".join(said)


@program
async def foreign_table_is_altered() -> str:
    """A table `sessions` of another program gets nine more columns."""
    path = sqlite_file()
    theirs = "CREATE TABLE sessions (id TEXT, token TEXT)"
    with sqlite3.connect(path) as database:
        database.execute(theirs)
    on_sqlite, on_postgres = SqliteSessionStore(path), await postgres()
    connection = await asyncpg.connect(os.environ["DSN"])
    await connection.execute(theirs)
    for store in (on_sqlite, on_postgres):
        await outcome(store.exists("x"))
        await store.close()
    found = [
        [row[1] for row in database.execute("PRAGMA table_info(sessions)")],
        [
            row[0]
            for row in await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'sessions'::regclass "
                "AND attnum > 0 ORDER BY attnum"
            )
        ],
    ]
    await connection.close()
    demand(all(len(columns) == 11 for columns in found), found)
    return f"it has {', '.join(found[0])} on SQLite and {len(found[1])} columns on PostgreSQL"


@program
async def empty_id_is_another() -> str:
    """`create("")` makes a session of another id, and `save` and `load` take the empty one."""
    said = []
    for store in await both():
        made = await store.create("")
        await store.save("", HELLO)
        demand(made != "" and await store.load("") == HELLO, made)
        said.append(f"{type(store).__name__}: create answers {made!r}, load('') the messages")
        await store.close()
    return "; ".join(said)


# SQLite -----------------------------------------------------------------------------------------


@program
async def offset_of_cutoff_is_ignored() -> str:
    """`delete_before` compares texts: a cutoff of an hour ago at +05:00 removes a live session."""
    store = SqliteSessionStore(sqlite_file())
    session = await store.create()
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    removed = await store.delete_before(hour_ago.astimezone(timezone(timedelta(hours=5))))
    demand(removed == 1 and not await store.exists(session), removed)
    await store.close()
    return f"{removed} removed, which was made just now"


@program
async def halves_of_a_character_are_joined() -> str:
    """A text of two lone surrogates comes back as the one character that they are halves of."""
    store = SqliteSessionStore(sqlite_file())
    session = await store.create()
    await store.save(session, [{"role": "user", "content": "\ud83d\ude00"}])
    found = await store.load(session)
    demand(found == [{"role": "user", "content": "\U0001f600"}], found)
    await store.close()
    return f"load answers {found!a}"


@program
async def update_beside_housekeeping_is_lost() -> str:
    """A session is removed although its update beside `delete_before` is answered True."""
    for _ in range(20):
        store = SqliteSessionStore(sqlite_file())
        sessions = [await store.create() for _ in range(20)]
        await asyncio.sleep(0.05)
        cutoff = datetime.now(UTC)
        updates = [store.update(one, cost_data={"turns": 1}) for one in sessions]
        came = await asyncio.gather(*updates[:10], store.delete_before(cutoff), *updates[10:])
        answers = [*came[:10], *came[11:]]
        there = [await store.exists(one) for one in sessions]
        await store.close()
        lost = sum(
            answer is True and not is_there for answer, is_there in zip(answers, there, strict=True)
        )
        if lost:
            return f"{lost} of 20 sessions are gone whose update was answered True"
    raise SystemExit("not to be seen in 20 rounds")


@program
async def first_use_at_once_fails_on_sqlite() -> str:
    """Of operations that come first at once on one store, some fail, or all but one."""
    for _ in range(20):
        store = SqliteSessionStore(sqlite_file())
        came = await asyncio.gather(*(outcome(store.exists("x")) for _ in range(16)))
        failed = [one for one in came if one != "False"]
        await outcome(store.close())
        if failed:
            return f"{len(failed)} of 16 failed: {failed[0]}"
    raise SystemExit("not to be seen in 20 rounds")


@program
async def first_use_of_several_fails_on_sqlite() -> str:
    """Of several stores that are first used at once on one new file, some fail."""
    for _ in range(20):
        path = sqlite_file()
        stores = [SqliteSessionStore(path) for _ in range(5)]
        came = await asyncio.gather(*(outcome(one.create(), 30) for one in stores))
        failed = [one for one in came if "Error" in one]
        for one in stores:
            await outcome(one.close())
        if failed:
            return f"{len(failed)} of 5 failed: {failed[0]}"
    raise SystemExit("not to be seen in 20 rounds")


@program
async def updates_at_once_are_lost() -> str:
    """Of updates of different keys at once, all of which answer True, one stands."""
    store = SqliteSessionStore(sqlite_file())
    session = await store.create()
    answers = await asyncio.gather(
        *(store.update(session, cost_data={f"key {n}": n}) for n in range(20))
    )
    found = await store.get_cost_data(session)
    demand(all(answers) and len(found) < 20, found)
    await store.close()
    return f"20 times True, and then {found}"


@program
async def duplicate_create_locks_the_file() -> str:
    """After a `create` that raised, no other connection can write, until this one writes again."""
    path = sqlite_file()
    first, other = SqliteSessionStore(path), SqliteSessionStore(path)
    await first.create("taken")
    await other.exists("taken")
    raised = await outcome(first.create("taken"))
    locked = await outcome(other.save("another", HELLO))
    demand("locked" in locked, locked)
    await first.close()
    await other.close()
    return f"create: {raised}; save of another store: {locked}"


@program
async def several_stores_lock_each_other_out() -> str:
    """Writes of several stores on one file at once end in "database is locked"."""
    path = sqlite_file()
    stores = [SqliteSessionStore(path) for _ in range(3)]
    for one in stores:
        await one.exists("x")
    await stores[0].save("chat", HELLO)
    failed: list[str] = []
    for number in range(20):
        calls = [
            call
            for one in stores
            for call in (one.update("chat", cost_data={"n": number}), one.save("chat", HELLO))
        ]
        came = await asyncio.gather(*map(outcome, calls))
        failed = [one for one in came if one not in {"None", "True"}]
        if failed:
            break
    demand(bool(failed), failed)
    for one in stores:
        await outcome(one.close())
    return f"{failed[0]}"


@program
async def cancelled_create_locks_the_file() -> str:
    """A `create` that is cancelled while it waits leaves a transaction open: no other can write."""
    path = sqlite_file()
    first, other = SqliteSessionStore(path), SqliteSessionStore(path)
    await first.exists("x")
    await other.exists("x")
    for number in range(200):
        task = asyncio.ensure_future(first.create(f"chat {number}"))
        for _ in range(number % 4 + 1):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0.01)  # what was begun in the thread ends
        if "locked" in (locked := await outcome(other.save("another", HELLO))):
            await first.close()
            await other.close()
            return f"after {number + 1} cancellations save of another store: {locked}"
    raise SystemExit("not to be seen after 200 cancellations")


@program
async def closes_at_once_hang() -> str:
    """Of two `close` at once one never comes back."""
    store = SqliteSessionStore(sqlite_file())
    await store.exists("x")
    closes = [asyncio.ensure_future(store.close()) for _ in range(2)]
    _, pending = await asyncio.wait(closes, timeout=10)
    demand(len(pending) == 1, pending)
    for one in pending:
        one.cancel()
    return f"{len(pending)} of 2 has not come back after 10 s"


@program
async def forgotten_close_hangs_the_process() -> str:
    """A process that uses a store and does not close it never ends."""
    source = (
        "import asyncio, sys\n"
        "from fipsagents.server.sessions import SqliteSessionStore\n"
        "store = SqliteSessionStore(sys.argv[1])\n"
        "asyncio.run(store.create())\n"
        "print('done', flush=True)\n"
    )
    command = [sys.executable, "-c", source, sqlite_file()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - it is alone
    said = process.stdout.readline() if process.stdout else b""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"said {said.decode().strip()!r}, and had not ended 10 s later"
    raise SystemExit("not to be seen: it ended")


def _old_place() -> str:
    path = sqlite_file()
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, messages TEXT NOT NULL, "
            "created_at TEXT NOT NULL, updated_at TEXT NOT NULL)"
        )
    return path


@program
async def migrations_at_once_fail_on_sqlite() -> str:
    """Of several stores that migrate one file at once, some fail."""
    for _ in range(20):
        path = _old_place()
        stores = [SqliteSessionStore(path) for _ in range(4)]
        came = await asyncio.gather(*(outcome(one.exists("x"), 30) for one in stores))
        for one in stores:
            await outcome(one.close())
        if failed := [one for one in came if one != "False"]:
            return f"{len(failed)} of 4 failed: {failed[0]}"
    raise SystemExit("not to be seen in 20 rounds")


# PostgreSQL -------------------------------------------------------------------------------------


@program
async def list_as_cost_data() -> str:
    """`update` with a list turns cost data into an array; then `get_cost_data` answers a list."""
    store = await postgres()
    session = await store.create()
    await store.update(session, cost_data={"turns": 1})
    answer = await store.update(session, cost_data=[1])  # type: ignore[arg-type]
    found = await store.get_cost_data(session)
    demand(isinstance(found, list), found)
    await store.close()
    return f"update answers {answer}, get_cost_data answers {found}"


@program
async def update_of_null_is_lost() -> str:
    """Where cost data is NULL, which a column made elsewhere allows, an update is lost."""
    store = await postgres()
    session = await store.create()
    connection = await asyncpg.connect(os.environ["DSN"])
    await connection.execute("ALTER TABLE sessions ALTER COLUMN cost_data DROP NOT NULL")
    await connection.execute("UPDATE sessions SET cost_data = NULL")
    await connection.close()
    answer = await store.update(session, cost_data={"turns": 1})
    found = await store.get_cost_data(session)
    demand(answer is True and found == {}, found)
    await store.close()
    return f"update answers {answer}, get_cost_data answers {found}"


@program
async def large_floats_become_integers() -> str:
    """JSONB keeps 1e16 as the integer 10000000000000000."""
    store = await postgres()
    session = await store.create()
    await store.update(session, cost_data={"n": 1e16})
    found = await store.get_cost_data(session)
    demand(isinstance(found["n"], int), found)
    await store.close()
    return f"{{'n': 1e16}} is read as {found}"


@program
async def naive_cutoff_is_local() -> str:
    """A cutoff without a time zone is read in that of the process."""
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    store = await postgres()
    await store.create()
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None)
    removed = await store.delete_before(hour_ago)
    os.environ["TZ"] = "UTC"
    time.tzset()
    demand(removed == 1, removed)
    await store.close()
    return f"in New York {removed} is removed, which was made just now"


@program
async def first_use_at_once_fails_on_postgres() -> str:
    """Of operations that come first at once on an empty database, some fail."""
    for _ in range(10):
        store = await postgres()
        came = await asyncio.gather(*(outcome(store.exists("x")) for _ in range(5)))
        await store.close()
        if failed := [one for one in came if one != "False"]:
            return f"{len(failed)} of 5 failed: {failed[0].splitlines()[0]}"
    raise SystemExit("not to be seen in 10 rounds")


@program
async def first_use_at_once_leaves_connections() -> str:
    """Operations that come first at once make a pool each; `close` closes one of them."""
    store = await postgres()
    await asyncio.gather(*(outcome(store.exists("x")) for _ in range(5)))
    await store.close()
    connection = await asyncpg.connect(os.environ["DSN"])
    left = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    await connection.close()
    demand(left >= 10, left)
    return f"after close {left} connections are open"


@program
async def first_use_of_several_fails_on_postgres() -> str:
    """Of several stores that are first used at once on an empty database, some fail."""
    for _ in range(10):
        stores = [await postgres(), *(PostgresSessionStore(os.environ["DSN"]) for _ in range(3))]
        came = await asyncio.gather(*(outcome(one.exists("x")) for one in stores))
        for one in stores:
            await one.close()
        if failed := [one for one in came if one != "False"]:
            return f"{len(failed)} of 4 failed: {failed[0].splitlines()[0]}"
    raise SystemExit("not to be seen in 10 rounds")


@program
async def opening_waits_for_readers() -> str:
    """Opening a store on a current table waits for every transaction that has read from it."""
    first = await postgres()
    await first.exists("x")
    connection = await asyncpg.connect(os.environ["DSN"])
    reading = connection.transaction()
    await reading.start()
    await connection.fetch("SELECT * FROM sessions")
    second = PostgresSessionStore(os.environ["DSN"])
    opened = asyncio.ensure_future(outcome(second.exists("x"), 60))
    await asyncio.sleep(3)
    served = await outcome(first.exists("x"), 5)
    is_waiting = not opened.done()
    await reading.rollback()
    await connection.close()
    await opened
    demand(is_waiting and served.startswith("TimeoutError"), (is_waiting, served))
    await first.close()
    await second.close()
    return "the second store waits; behind it so does exists of the first one, for 5 s and more"


@program
async def stuck_session_takes_the_pool() -> str:
    """Ten updates that wait for one locked row leave no connection for any other session."""
    store = await postgres()
    await store.create("stuck")
    await store.create("other")
    connection = await asyncpg.connect(os.environ["DSN"])
    held = connection.transaction()
    await held.start()
    await connection.execute("SELECT * FROM sessions WHERE session_id = 'stuck' FOR UPDATE")
    tasks = [asyncio.ensure_future(store.update("stuck", cost_data={"n": n})) for n in range(10)]
    await asyncio.sleep(1)
    served = await outcome(store.exists("other"), 5)
    await held.rollback()
    await connection.close()
    await asyncio.gather(*tasks)
    await store.close()
    demand(served.startswith("TimeoutError"), served)
    return "exists of another session has not come back after 5 s"


@program
async def password_in_an_exception() -> str:
    """What a server repeats of the DSN's password is in the exception that `create` raises."""
    secret = "hunter2-secret"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        body = b"SFATAL\0C28P01\0Mno entry with " + secret.encode() + b"\0\0"
        writer.write(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = PostgresSessionStore(f"postgresql://u:{secret}@127.0.0.1:{port}/d?sslmode=disable")
    raised = await outcome(store.create())
    server.close()
    demand(secret in raised, raised)
    return raised


@program
async def refused_row_is_quoted() -> str:
    """The exception of a row that a constraint refuses has the row in it: what the chat says."""
    store = await postgres()
    session = await store.create()
    connection = await asyncpg.connect(os.environ["DSN"])
    await connection.execute("ALTER TABLE sessions ADD CHECK (false) NOT VALID")
    await connection.close()
    raised = await outcome(store.save(session, HELLO))
    await store.close()
    demand(HELLO[0]["content"] in raised, raised)
    return raised


# HTTP -------------------------------------------------------------------------------------------


@program
async def second_loop_ends_the_process() -> str:
    """To use a store in a second loop ends the process in one of a few tries: SIGSEGV."""
    await (await postgres()).close()
    for tries in range(1, 41):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--two-loops"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if await process.wait() == -signal.SIGSEGV:
            return f"process {tries} of at most 40 ended by SIGSEGV"
    raise SystemExit("not to be seen: 40 processes ended by themselves")


async def in_two_loops() -> None:
    """Use a store in this loop, in that of a thread, and in this one again."""
    store = PostgresSessionStore(os.environ["DSN"])
    session = await store.create()

    async def use() -> None:
        for _ in range(4):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(store.exists(session), 2)

    await use()
    thread = threading.Thread(target=lambda: asyncio.run(use()))
    thread.start()
    while thread.is_alive():  # noqa: ASYNC110 - this loop is to be busy as well
        await asyncio.sleep(0.001)
    await use()
    await asyncio.wait_for(store.close(), 2)


@program
async def delete_before_pretends() -> str:
    """`delete_before` over HTTP asks nobody and answers 0, as if nothing had been idle."""
    store = HttpSessionStore("http://127.0.0.1:9")
    answer = await store.delete_before(datetime.now(UTC))
    demand(answer == 0, answer)
    await store.close()
    return f"with no service anywhere it answers {answer}"


@program
async def id_reaches_another_session() -> str:
    """Ids are put into the path as they are: `victim?x=1` is `victim`."""
    store = HttpSessionStore(os.environ["PLATFORM"])
    await store.create("victim")
    await store.save("victim", HELLO)
    await store.save("victim?x=1", [{"role": "user", "content": "overwritten"}])
    found = await store.load("victim")
    demand(found != HELLO, found)
    slash = await store.create("a/b"), await outcome(store.save("a/b", HELLO))
    await store.close()
    return f"load('victim') answers {found}; create('a/b') works, and save of it raises {slash[1]}"


@program
async def missing_route_is_missing_session() -> str:
    """Any 404, also that of a gateway or of a route that is not there, is a missing session."""
    gateway = httpx.MockTransport(lambda _: httpx.Response(404, text="<h1>no such host</h1>"))
    store = HttpSessionStore("http://127.0.0.1:9", transport=gateway)
    found = await store.load("chat"), await store.update("chat", cost_data={"turns": 1})
    demand(found == (None, False), found)
    await store.close()
    return f"load answers {found[0]} and update {found[1]}, from a server that is no platform"


@program
async def refusal_is_quoted() -> str:
    """The exception of a refusal has its body in it, also where that repeats what was sent."""
    echo = httpx.MockTransport(lambda request: httpx.Response(422, content=request.content))
    store = HttpSessionStore("http://127.0.0.1:9", transport=echo)
    raised = await outcome(store.save("chat", HELLO))
    await store.close()
    demand(HELLO[0]["content"] in raised, raised)
    return raised


# the chat server --------------------------------------------------------------------------------


TURN = StreamMetrics(prompt_tokens=10, completion_tokens=5)


class FailsOnce(SqliteSessionStore):
    """Loses its connection in one operation, the first time."""

    operation = ""

    def fail(self, operation: str) -> None:
        if operation == self.operation:
            self.operation = ""
            raise ConnectionError("the connection was lost")

    async def load(self, session_id: str) -> Any:
        self.fail("load")
        return await super().load(session_id)

    async def get_cost_data(self, session_id: str) -> Any:
        self.fail("get_cost_data")
        return await super().get_cost_data(session_id)

    async def update(self, session_id: str, **fields: Any) -> Any:
        self.fail("update")
        return await super().update(session_id, **fields)


async def counted_on() -> tuple[FailsOnce, Any]:
    """Answer a store with the session `chat`, and what adds up turns on it."""
    store = FailsOnce(sqlite_file())
    await store.create("chat")
    return store, accumulator_on(store)


async def hello(_: list[Any]) -> AsyncIterator[Any]:
    yield ContentDelta("Hello")
    yield StreamComplete("stop", TURN)


async def post(store: Any) -> httpx.Response:
    """Have the server answer a request."""
    server = server_on(store, hello)
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    async with (
        server._lifespan(server.app),
        httpx.AsyncClient(transport=transport, base_url="http://chat") as client,
    ):
        asked = {"model": "cheapest", "messages": HELLO, "session_id": "chat"}
        return await client.post("/v1/chat/completions", json=asked)


@program
async def cached_tokens_stay_nought() -> str:
    """`cached_tokens` is 0 in all totals: what an agent reports of a turn has no such figure."""
    store, counting = await counted_on()
    await counting._persist_cost_data("chat", TURN, "m")
    found = await store.get_cost_data("chat")
    demand(found["cached_tokens"] == 0 and not hasattr(TURN, "cached_tokens"), found)
    return f"cost data is {found}, and a turn's figures are {list(vars(TURN))}"


@program
async def model_is_the_word_of_the_client() -> str:
    """The model of the totals, by which they are priced, is the one that the request names."""
    store = FailsOnce(sqlite_file())
    await post(store)
    found = await store.get_cost_data("chat")
    demand(found["model"] == "cheapest", found)
    return f"asked for a model that there is not, cost data has {found}"


@program
async def negative_figures_are_added() -> str:
    """A negative figure lowers the totals."""
    store, counting = await counted_on()
    for tokens in (10, -4):
        turn = StreamMetrics(prompt_tokens=tokens, completion_tokens=0)
        await counting._persist_cost_data("chat", turn, "m")
    found = await store.get_cost_data("chat")
    demand(found["input_tokens"] == 6, found)
    return f"after turns of 10 and -4 tokens cost data is {found}"


@program
async def failed_load_is_an_error_to_the_client() -> str:
    """A `load` that fails, before the agent is asked, is answered with 500."""
    store = FailsOnce(sqlite_file())
    store.operation = "load"
    answer = await post(store)
    demand(answer.status_code == 500, answer.text)
    return f"the answer is {answer.status_code} {answer.text!r}"


@program
async def stored_text_breaks_the_turn() -> str:
    """Where cost data holds a text for a sum, each turn of the session raises after its answer."""
    store, counting = await counted_on()
    await store.update("chat", cost_data={"input_tokens": "many"})
    raised = await outcome(counting._persist_cost_data("chat", TURN, "m"))
    demand(raised.startswith("ValueError"), raised)
    return f"counting the turn raises {raised}"


@program
async def failed_read_forgets_the_totals() -> str:
    """When totals can't be read once, the turn's own figures take their place."""
    store, counting = await counted_on()
    for _ in range(3):
        await counting._persist_cost_data("chat", TURN, "m")
    store.operation = "get_cost_data"
    await counting._persist_cost_data("chat", TURN, "m")
    found = await store.get_cost_data("chat")
    demand(found["input_tokens"] == 10 and found["turn_count"] == 1, found)
    return f"after 4 turns of 10 tokens, before the last of which reading failed, it is {found}"


@program
async def failed_write_loses_the_turn() -> str:
    """When totals can't be written once, the turn is never counted."""
    store, counting = await counted_on()
    for operation in ("update", ""):
        store.operation = operation
        await counting._persist_cost_data("chat", TURN, "m")
    found = await store.get_cost_data("chat")
    demand(found["turn_count"] == 1, found)
    return f"after 2 turns, the first of which could not be written, it is {found}"


@program
async def turns_at_once_are_lost() -> str:
    """Of turns of one session that are counted at once, some are not in the totals."""
    store, counting = await counted_on()
    await asyncio.gather(*(counting._persist_cost_data("chat", TURN, "m") for _ in range(10)))
    found = await store.get_cost_data("chat")
    demand(found["turn_count"] < 10, found)
    return f"after 10 turns at once it is {found}"


@program
async def client_that_leaves_at_done_is_not_counted() -> str:
    """A streamed turn whose client leaves at `[DONE]`, as OpenAI's does, is not counted."""
    store = FailsOnce(sqlite_file())
    server = server_on(store, hello)
    async with server._lifespan(server.app):
        stream = server._stream(list(HELLO), "m", session_id="chat")
        async for chunk in stream:
            if "[DONE]" in chunk:
                break
        await stream.aclose()
        found = await store.get_cost_data("chat")
        demand(found == {}, found)
    return f"when the client has closed at [DONE], cost data is {found}"


def main(names: list[str]) -> int:
    """Run each in a process of its own; answer how many did not show what they are to show."""
    missed = 0
    with tempfile.TemporaryDirectory() as files:
        for name in names:
            # What a store leaves behind would keep a process: each ends hard when it has spoken.
            command = [sys.executable, __file__, "--one", name]
            environment = {**os.environ, "TMPDIR": files}
            try:
                ended = subprocess.run(command, env=environment, timeout=120, check=False)
                missed += ended.returncode != 0
            except subprocess.TimeoutExpired:
                print(f"{name}: has not ended after 120 s", flush=True)
                missed += 1
    return missed


def one(name: str) -> None:
    """Run one, and end the process."""
    try:
        print(f"{name}: {asyncio.run(PROGRAMS[name]())}", flush=True)
    except BaseException as error:
        print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--two-loops"]:
        asyncio.run(in_two_loops())
        os._exit(0)
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    sys.exit(main(sys.argv[1:] or list(PROGRAMS)) and 1)
