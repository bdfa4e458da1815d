"""From the openai client through chat server, HTTP store and platform into a database."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import asyncpg
import openai
import pytest

from reference_backends import open_postgres, open_sqlite
from reference_backends.accounting import Usage
from reference_backends.chat_events import Completion, TextDelta
from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app
from sessionstore_contract.storage import uvicorn_service
from sessionstore_contract.storage.embedded import EmbeddedServer
from sessionstore_contract.storage.platform import listener
from sessionstore_contract.storage.postgres import PostgresStorage
from tests.served import service

from .served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from reference_backends.chat_events import StreamEvent
    from sessionstore_contract.interface import Message, SessionStore

TURNS = 4


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """Lend a fresh database on an embedded server."""
    server = EmbeddedServer.join(tmp_path)
    storage = PostgresStorage(server.dsn)
    with storage.fresh() as dsn:
        yield dsn
    storage.close()
    server.leave()


@asynccontextmanager
async def platform(store: SessionStore) -> AsyncIterator[str]:
    """Serve the store on a platform with a socket of its own."""
    with listener() as taken:
        app = create_app(store, token="secret", close_store=True)
        server = await uvicorn_service.start(lambda: app, taken)
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            await uvicorn_service.stop(server)


def talk(url: str, session: str) -> None:
    """Take turns as most programs do: one after the other, streamed and not."""
    with openai.OpenAI(api_key="unused", base_url=f"{url}/v1", max_retries=0) as client:
        for number in range(TURNS):
            answer: Any = client.chat.completions.create(
                model="any",
                messages=[{"role": "user", "content": f"turn {number}"}],
                stream=number % 2 == 1,
                extra_body={"session_id": session},
            )
            if number % 2 == 1:
                chunks = [chunk.choices[0].delta.content or "" for chunk in answer]
                assert "".join(chunks).endswith(str(2 * number + 1))
            else:
                assert answer.choices[0].message.content.endswith(str(2 * number + 1))


async def turns_on(store: SessionStore) -> None:
    """Have two clients talk at once, each in a session of its own."""
    async with platform(store) as url:
        over_http = HttpSessionStore(url, token="secret")
        async with served(over_http) as chat:
            await asyncio.gather(
                *(asyncio.to_thread(talk, chat, session) for session in ("one", "two"))
            )
        await over_http.close()


def hold_against(look: Callable[[str], tuple[Any, Any]]) -> None:
    """Judge what the database itself says."""
    for session in ("one", "two"):
        messages, totals = look(session)
        assert len(messages) == 2 * TURNS
        figures = ("input_tokens", "output_tokens", "cached_tokens", "turn_count", "model")
        assert {name: totals[name] for name in figures} == {
            "input_tokens": 1000 * TURNS,
            "output_tokens": 50 * TURNS,
            "cached_tokens": 400 * TURNS,
            "turn_count": TURNS,
            "model": "model-a",
        }


async def test_totals_arrive_in_sqlite(tmp_path: Path) -> None:
    """Read from the file by SQLite itself."""
    path = str(tmp_path / "platform.db")
    await turns_on(open_sqlite(path))

    def look(session: str) -> tuple[Any, Any]:
        with closing(sqlite3.connect(path)) as database:
            row = database.execute(
                "SELECT messages, cost_data FROM sessions WHERE session_id = ?", (session,)
            ).fetchone()
        return json.loads(row[0]), json.loads(row[1])

    hold_against(look)


async def test_totals_arrive_in_postgres(postgres: str) -> None:
    """Read from the table by a client of its own."""
    await turns_on(open_postgres(postgres))
    connection = await asyncpg.connect(postgres)
    rows = await connection.fetch(
        "SELECT session_id, messages::text AS messages, cost_data::text AS totals FROM sessions"
    )
    await connection.close()
    found = {
        row["session_id"]: (json.loads(row["messages"]), json.loads(row["totals"])) for row in rows
    }
    hold_against(lambda session: found[session])


async def test_a_platform_that_is_killed_in_mid_answer_costs_neither_the_answer_nor_the_turn(
    tmp_path: Path,
) -> None:
    """When there is a platform again, the next turn brings the one before with it."""
    path = str(tmp_path / "platform.db")
    is_killed = asyncio.Event()

    async def agent(history: list[Message]) -> AsyncIterator[StreamEvent]:
        yield TextDelta("before, ")
        await is_killed.wait()
        yield TextDelta("after")
        yield Completion(Usage(10, 1, 0), "model-a")

    async def ask(client: openai.AsyncOpenAI) -> Any:
        return await client.chat.completions.create(
            model="any",
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
            extra_body={"session_id": "chat"},
        )

    async with AsyncExitStack() as closing_all:
        options = ("--store", f"sqlite:///{path}", "--token-env", "TOKEN")
        killed = closing_all.enter_context(service(*options, TOKEN="secret"))
        over_http = HttpSessionStore(killed.url, token="secret")
        closing_all.push_async_callback(over_http.close)
        await over_http.create("chat")
        chat = await closing_all.enter_async_context(served(over_http, agent))
        quick = openai.DefaultAsyncHttpxClient(verify=False)
        client = openai.AsyncOpenAI(
            api_key="unused", base_url=f"{chat}/v1", max_retries=0, http_client=quick
        )
        closing_all.push_async_callback(client.close)

        stream = await ask(client)
        text = ""
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
            if text and not is_killed.is_set():
                killed.process.kill()
                killed.process.wait()
                is_killed.set()
        assert text == "before, after"

        port = killed.url.rpartition(":")[2]
        closing_all.enter_context(service(*options, "--port", port, TOKEN="secret"))
        async for _ in await ask(client):
            pass

    with closing(sqlite3.connect(path)) as database:
        (told,) = database.execute("SELECT cost_data FROM sessions").fetchone()
    assert json.loads(told)["turn_count"] == 2
    assert json.loads(told)["input_tokens"] == 20
