"""The HTTP store over the platform over a store answers as that store does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import hypothesis
import pytest

from reference_backends.http import HttpSessionStore
from reference_backends.in_process import InProcessPlatform
from reference_backends.memory import MemorySessionStore
from reference_backends.platform import create_app
from reference_backends.postgres import PostgresSessionStore
from reference_backends.sqlite import SqliteSessionStore
from sessionstore_contract.contract.procedures.programs import EVERY, NAMES, Program, programs
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.storage.postgres import PostgresStorage
from sessionstore_contract.values import are_equal
from tests.reference_backends.asker import STORABLE_IDS
from tests.reference_backends.serving import on_a_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sessionstore_contract.interface import SessionStore

EXAMPLES = {"memory": 40, "sqlite": 15, "postgres": 12}

ODD_IDS = ["", ".", "..", "a\n", "a\x00", "\ud800", "x" * 256, *STORABLE_IDS]
ODD_VALUES: list[Any] = [
    float("nan"),
    float("-inf"),
    "a\x00b",
    "\ud800",
    {1: 2},
    b"bytes",
    {"set"},
    1.0,
    -0.0,
    10**25,
    2**53 + 1,
    1e-300,
    5e-324,
    "\u2028\U0001f4a9\r\n",
    [[[[]]], {}],
    {"": {"": None}},
    True,
    "x" * 100_000,
]
ODD_CUTOFFS: list[Any] = [
    None,
    "2024-01-02",
    datetime(2024, 1, 2),  # noqa: DTZ001 - without an offset on purpose
    datetime(999, 1, 1, tzinfo=timezone(timedelta(seconds=19815))),
    *(
        datetime.fromisoformat(f"{end}{offset}")
        for end in ("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999")
        for offset in ("-14:00", "+00:00", "+14:00")
    ),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[], Any]]]:
    folder = tmp_path_factory.mktemp("equivalence")
    server = EmbeddedServer.join(folder)
    databases, files = PostgresStorage(server.dsn), FileStorage()
    yield {"postgres": databases.fresh, "sqlite": files.fresh}
    databases.close()
    files.close()
    server.leave()


@asynccontextmanager
async def pair(kind: str, places: dict[str, Any]) -> AsyncIterator[tuple[SessionStore, ...]]:
    """Open a store, and the HTTP store over the platform over one more on a place of its own."""
    kinds: dict[str, Any] = {
        "memory": MemorySessionStore,
        "sqlite": SqliteSessionStore,
        "postgres": PostgresSessionStore,
    }
    async with AsyncExitStack() as open_:

        def opened() -> SessionStore:
            place = [] if kind == "memory" else [open_.enter_context(places[kind]())]
            store: SessionStore = kinds[kind](*place)
            open_.push_async_callback(store.close)
            return store

        # Made in a thread: PostgreSQL's places are made where no loop runs.
        plain, behind = [await asyncio.to_thread(opened) for _ in range(2)]
        platform = InProcessPlatform(lambda: behind)
        over_http = platform.open(open_.enter_context(platform.fresh()))
        open_.push_async_callback(over_http.close)
        yield plain, over_http


async def outcome(store: SessionStore, operation: str, *given: Any, **fields: Any) -> Any:
    """Answer what comes of a call: the answer, or the kind of refusal."""
    try:
        return await getattr(store, operation)(*given, **fields)
    except Exception as error:  # noqa: BLE001 - it is compared
        return f"raises {type(error).__name__}"


async def hold(stores: tuple[SessionStore, ...], operation: str, *given: Any, **fields: Any) -> Any:
    """Make the same call of both, and demand the same outcome."""
    plain, over_http = [await outcome(store, operation, *given, **fields) for store in stores]
    assert are_equal(over_http, plain), f"{operation}{given}{fields}: {over_http}, not {plain}"
    return plain


async def play(program: Program, stores: tuple[SessionStore, ...], stem: str) -> None:
    """Play a program on both at once."""
    ids = {name: f"{stem}-{name}" for name in NAMES}
    named: dict[str, None] = {}
    for one in program:
        if one.operation == "create anew":
            # The id that the one has made is given to the other.
            ids[one.name] = await stores[1].create()
            assert await stores[0].create(ids[one.name]) == ids[one.name]
        elif one.operation == "delete_before":
            await hold(stores, "delete_before", one.value)
        elif one.name == EVERY:
            for name in named:
                await hold(stores, one.operation, ids[name])
        else:
            named.setdefault(one.name)
            await call(stores, one.operation, ids[one.name], one.value)


async def call(stores: tuple[SessionStore, ...], operation: str, session: str, value: Any) -> None:
    if operation == "save":
        await hold(stores, "save", session, value)
    elif operation == "update" and value is not None:
        await hold(stores, "update", session, cost_data=value)
    else:
        await hold(stores, operation, session)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_same_programs_get_the_same_answers(kind: str, places: dict[str, Any]) -> None:
    """Drawn as those of the contract: every answer and every refusal is the same."""
    with asyncio.Runner() as runner:
        opening = pair(kind, places)
        stores = runner.run(opening.__aenter__())
        played = 0

        @hypothesis.settings(max_examples=EXAMPLES[kind], deadline=None, database=None)
        @hypothesis.given(programs())
        def one(program: Program) -> None:
            nonlocal played
            played += 1
            runner.run(play(program, stores, f"p{played}"))

        try:
            one()
        finally:
            runner.run(opening.__aexit__(None, None, None))
        assert played >= EXAMPLES[kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_odd_ids_and_values_get_the_same_answers(kind: str, places: dict[str, Any]) -> None:
    """What the one keeps the other keeps, to the kind of a number; what it refuses is refused."""

    async def try_all() -> None:
        async with pair(kind, places) as stores:
            for session in ODD_IDS:
                for operation in ("exists", "create", "create", "load", "get_cost_data"):
                    await hold(stores, operation, session)
                await hold(stores, "save", session, [{"of": session[:5].replace("\x00", "")}])
                await hold(stores, "update", session, cost_data={"n": 1})
                await hold(stores, "load", session)
            for value in ODD_VALUES:
                await hold(stores, "save", "values", [{"role": "user", "content": value}])
                await hold(stores, "update", "values", cost_data={"odd": value})
                await hold(stores, "load", "values")
                await hold(stores, "get_cost_data", "values")
            wrongs: list[Any] = [None, {}, "text", [1], 7]
            for wrong in wrongs:
                await hold(stores, "save", "values", wrong)
                await hold(stores, "update", "values", cost_data=wrong)
                await hold(stores, "load", "values")
            for session in ODD_IDS:
                await hold(stores, "delete", session)
                await hold(stores, "exists", session)
            for cutoff in ODD_CUTOFFS:
                await hold(stores, "save", "idle", [])
                await hold(stores, "delete_before", cutoff)
                await hold(stores, "exists", "idle")

    asyncio.run(try_all())


@pytest.mark.slow
def test_the_same_over_a_real_socket(tmp_path: Path) -> None:
    """Ids of every kind, and a program's worth of calls, through a server and its parser."""

    async def try_all(url: str) -> None:
        plain, over_http = SqliteSessionStore(str(tmp_path / "plain.db")), HttpSessionStore(url)
        stores = (plain, over_http)
        for session in ODD_IDS:
            for operation in ("create", "load", "exists", "get_cost_data"):
                await hold(stores, operation, session)
            await hold(
                stores, "update", session, cost_data={"of": quote(session, errors="replace")}
            )
            await hold(stores, "get_cost_data", session)
        for store in stores:
            await store.close()

    def make_app() -> Any:
        return create_app(SqliteSessionStore(str(tmp_path / "behind.db")), close_store=True)

    with on_a_port(make_app) as url:
        asyncio.run(try_all(url))
