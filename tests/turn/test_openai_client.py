"""The official openai client talks to the reference chat server over a real socket."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from reference_backends import open_memory
from reference_backends.accounting import Usage
from reference_backends.chat_events import Completion, TextDelta, UsageSoFar
from reference_backends.chat_server import Settings
from reference_backends.prices import Price
from sessionstore_contract.turn.stores import KitStore, answering, hanging, raising, slow

from .served import USAGE, WORDS, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reference_backends.chat_events import StreamEvent

TEXT = "".join(WORDS)
HELLO: Any = [{"role": "user", "content": "hello"}]


def client(url: str, **rest: Any) -> openai.AsyncOpenAI:
    # Reading the certificates that nobody asks for would take longer than the test.
    quick = openai.DefaultAsyncHttpxClient(verify=False)
    rest = {"max_retries": 0, **rest}
    return openai.AsyncOpenAI(api_key="unused", base_url=f"{url}/v1", http_client=quick, **rest)


def plain(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, verify=False)


def synchronous(url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="unused", base_url=f"{url}/v1", max_retries=0)


async def ask(url: str, session: str | None = None, **rest: Any) -> Any:
    body = {} if session is None else {"session_id": session}
    async with client(url) as one:
        return await one.chat.completions.create(
            model="gpt-anything", messages=HELLO, extra_body=body, **rest
        )


async def test_an_answer_in_one_piece() -> None:
    """Text, usage, finish reason, and the server's own name for the model."""
    async with served(None) as url:
        answer = await ask(url)
    assert answer.choices[0].message.content == f"{TEXT}1"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "model-a"
    assert answer.usage.prompt_tokens == USAGE.input_tokens
    assert answer.usage.total_tokens == 1050
    assert answer.usage.prompt_tokens_details.cached_tokens == 400


@pytest.mark.parametrize("includes_usage", [False, True])
async def test_an_answer_in_pieces(includes_usage: bool) -> None:
    """With `include_usage` the last chunk has it, and no choices; without, none has it."""
    options: Any = {"include_usage": True} if includes_usage else openai.omit
    async with served(None) as url, client(url) as one:
        stream = await one.chat.completions.create(
            model="m", messages=HELLO, stream=True, stream_options=options
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == f"{TEXT}1"
    assert len({chunk.id for chunk in chunks}) == 1
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [one.completion_tokens for one in usages] == ([50] if includes_usage else [])
    assert [len(chunk.choices) for chunk in chunks[-1:]] == [0 if includes_usage else 1]


async def test_the_history_grows_by_each_turn() -> None:
    """The second turn is answered from the first: three messages, not one."""
    store = KitStore()
    async with served(store) as url:
        await ask(url, "chat")
        answer = await ask(url, "chat")
    assert answer.choices[0].message.content == f"{TEXT}3"
    history = store.peek_messages("chat") or []
    assert [message["role"] for message in history] == ["user", "assistant"] * 2


async def test_the_usual_synchronous_client_is_counted_with_a_slow_store() -> None:
    """It closes at [DONE]: each of six turns is saved and counted."""
    store = KitStore()
    store.behave(slow(0.01))

    def talk_to(url: str) -> None:
        with synchronous(url) as one:
            for _ in range(6):
                stream = one.chat.completions.create(
                    model="m", messages=HELLO, stream=True, extra_body={"session_id": "chat"}
                )
                assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    async with served(store) as url:
        await asyncio.to_thread(talk_to, url)
    assert (store.peek("chat") or {})["turn_count"] == 6
    assert len(store.peek_messages("chat") or []) == 12


async def test_usage_with_dollars() -> None:
    """Cached tokens at their own price; what has no price is said."""
    prices = {"model-a": Price(prompt="0.01", completion="0.03", cached="0.001")}
    store = KitStore()
    store.put("chat")
    async with served(store, settings=Settings(prices=prices)) as url:
        await ask(url, "chat")
        await ask(url, "chat")
        async with plain(url) as http:
            told = (await http.get("/v1/sessions/chat/usage")).json()
            missing = await http.get("/v1/sessions/nobody/usage")
    assert told == {
        "session_id": "chat",
        "input_tokens": 2000,
        "output_tokens": 100,
        "cached_tokens": 800,
        "turn_count": 2,
        "model": "model-a",
        "models": {"model-a": {"input_tokens": 2000, "output_tokens": 100, "cached_tokens": 800}},
        "dollars": pytest.approx(0.0158),
        "unpriced": {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0},
    }
    assert missing.status_code == 404


async def test_each_models_tokens_are_priced_at_its_own_price() -> None:
    """Also those of a model that is not the last one, and of one without a price."""
    models = iter(["dear", "cheap", "free"])

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        yield TextDelta("x")
        yield Completion(Usage(1000, 0, 0), next(models))

    prices = {"dear": Price(1, 1), "cheap": Price("0.1", "0.1")}
    store = KitStore()
    async with served(store, agent, Settings(prices=prices)) as url:
        for _ in range(3):
            await ask(url, "chat")
        async with plain(url) as http:
            told = (await http.get("/v1/sessions/chat/usage")).json()
    assert told["dollars"] == pytest.approx(1.1)
    assert told["unpriced"]["input_tokens"] == 1000
    assert told["model"] == "free"


async def test_a_request_id_is_the_turns_id_and_comes_back() -> None:
    """A turn that is sent again is counted once."""
    store = KitStore()
    async with served(store) as url:
        for _ in range(2):
            answer = await ask(url, "chat", extra_headers={"X-Request-ID": "turn-1"})
            assert answer._request_id == "turn-1"
        assert len((await ask(url, "chat"))._request_id) == 32
    assert (store.peek("chat") or {})["turn_count"] == 2


async def test_a_client_that_hangs_up_is_billed_for_what_is_known() -> None:
    """The agent is stopped, and what it had reported is counted."""
    stopped = asyncio.Event()

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        try:
            yield UsageSoFar(Usage(70, 1, 0), "model-a")
            yield TextDelta("begun")
            await asyncio.Event().wait()
        finally:
            stopped.set()

    store = KitStore()
    async with served(store, agent) as url:
        async with client(url) as one:
            stream = await one.chat.completions.create(
                model="m", messages=HELLO, stream=True, extra_body={"session_id": "chat"}
            )
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            await stream.close()
        await asyncio.wait_for(stopped.wait(), 10)
    assert (store.peek("chat") or {})["input_tokens"] == 70
    assert (store.peek_messages("chat") or [])[-1]["content"] == "begun"


@pytest.mark.parametrize("usage", [None, {"input_tokens": 3}])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_whatever_the_agent_has_for_usage_there_is_an_answer(
    is_stream: bool, usage: Any
) -> None:
    """Of an end that says none, what was known before it is counted; what is no usage is not."""

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        yield UsageSoFar(Usage(70, 1, 0))
        yield TextDelta("whole")
        yield Completion(usage)

    store = KitStore()
    options: Any = {"stream_options": {"include_usage": True}} if is_stream else {}
    async with served(store, agent) as url, client(url) as one:
        answer: Any = await one.chat.completions.create(
            model="m",
            messages=HELLO,
            stream=is_stream,
            extra_body={"session_id": "chat"},
            **options,
        )
        if is_stream:
            answer = [chunk async for chunk in answer][-1]
    expected = 70 if usage is None else 0
    assert answer.usage.prompt_tokens == expected
    assert (store.peek("chat") or {}).get("input_tokens", 0) == expected
    assert (store.peek_messages("chat") or [])[-1]["content"] == "whole"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_agent_that_fails_is_an_error_to_the_client(is_stream: bool) -> None:
    """No answer without its end passes for a whole one, and the agent is not asked again."""
    asked = 0

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        nonlocal asked
        asked += 1
        yield TextDelta("begun")
        raise RuntimeError("the provider went away")

    async with (
        served(None, agent) as url,
        client(url, max_retries=openai.DEFAULT_MAX_RETRIES) as one,
    ):

        async def read() -> None:
            answer: Any = await one.chat.completions.create(
                model="m", messages=HELLO, stream=is_stream
            )
            async for _ in answer:
                pass

        with pytest.raises(openai.APIError, match="the agent failed"):
            await read()
    assert asked == 1


async def test_the_answer_is_there_while_the_store_still_hangs() -> None:
    """And the turn is counted when the store comes back, before the server has ended."""
    store, back = KitStore(), asyncio.Event()
    store.put("chat")
    async with served(store, settings=Settings(patience=0.05)) as url:
        store.behave(hanging(back))
        answer = await ask(url, "chat")
        assert answer.choices[0].message.content == f"{TEXT}1"
        assert store.peek("chat") == {}
        back.set()
    assert (store.peek("chat") or {})["turn_count"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": ["hi"]}',
        b'{"messages": [{"role": "user"}], "session_id": 7}',
        b'{"messages": [{"role": "user"}], "session_id": ""}',
        b'{"messages": [{"role": "user"}], "stream_options": 3}',
        b"[" * 100_000,
    ],
)
async def test_a_request_that_is_none_is_refused(body: bytes) -> None:
    """With 400 and an error that clients can read; no agent is asked."""
    asked: list[Any] = []

    async def agent(history: Any) -> AsyncIterator[StreamEvent]:
        asked.append(history)
        yield Completion()

    async with served(None, agent) as url, plain(url) as http:
        answer = await http.post("/v1/chat/completions", content=body)
    assert asked == []
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def raw(url: str, *, session: str = "chat", is_stream: bool = False, **rest: Any) -> str:
    """Answer the bytes of an answer, but for what no two answers have alike."""
    body = {"messages": HELLO, "session_id": session, "stream": is_stream, **rest}
    async with plain(url) as http:
        answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    return re.sub(r'"chatcmpl-\w+"|"created":\d+', "", answer.text)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class PanicError(BaseException):
    """As drivers that are written in Rust raise it."""


@pytest.mark.parametrize(
    "behaviour",
    [
        raising(RuntimeError("away")),
        raising(UnspeakableError()),
        raising(PanicError()),  # a store raises anything
        answering(None),
        answering([7]),
        answering({"input_tokens": "many"}),
        hanging(asyncio.Event()),
    ],
    ids=["raises", "unspeakable", "panics", "none", "list", "texts", "hangs"],
)
async def test_the_answer_is_the_same_byte_for_byte_whatever_the_store_does(behaviour: Any) -> None:
    """In one piece and in pieces, to its last chunk."""

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        for word in WORDS:
            yield TextDelta(word)
        yield Completion(USAGE, "model-a", "length")

    options: Any = {"stream_options": {"include_usage": True}}
    store = KitStore()
    store.put("chat")
    patience = Settings(patience=0.02, drain_patience=0.01)
    async with served(None, agent) as url:
        right = [await raw(url, is_stream=one, **options) for one in (False, True)]
    async with served(store, agent, patience) as url:
        store.behave(behaviour)
        found = [await raw(url, is_stream=one, **options) for one in (False, True)]
    assert found == right
    assert right[1].endswith("data: [DONE]\n\n")


async def test_a_turn_that_can_not_be_saved_is_counted() -> None:
    """A text that no store takes, in the first message: the session is made, to be billed."""
    store = open_memory()
    messages: Any = [{"role": "user", "content": "\x00"}]
    async with served(store) as url:
        await raw(url, messages=messages)
        assert (await store.get_cost_data("chat"))["turn_count"] == 1
    assert await store.load("chat") == []


@pytest.mark.parametrize(
    ("pieces", "kept"), [(("a \ud83d", "\ude00"), "a \U0001f600"), (("a \ud83d",), "a \ufffd")]
)
async def test_a_character_that_comes_in_halves_is_kept_whole(pieces: Any, kept: str) -> None:
    """Models end, and pause, in the middle of a surrogate pair, which no store takes."""

    async def agent(_: Any) -> AsyncIterator[StreamEvent]:
        for piece in pieces:
            yield TextDelta(piece)
        yield Completion(Usage(1, 1, 0))

    store = open_memory()
    async with served(store, agent) as url:
        for is_stream in (False, True):
            assert "a \\ud83d" in await raw(url, is_stream=is_stream)
    history = await store.load("chat") or []
    assert [one["content"] for one in history[1::2]] == [kept, kept]


async def test_a_turn_is_counted_when_the_server_ends_while_its_save_hangs() -> None:
    """The history is given up for it."""
    store = KitStore()
    for session in ("chat", "other"):
        store.put(session)
    store.behave(hanging(asyncio.Event()), ["save"])
    async with served(store, settings=Settings(patience=0.02, drain_patience=0.2)) as url:
        for session in ("chat", "other"):
            await raw(url, session=session)
        assert store.peek("chat") == {}
    for session in ("chat", "other"):
        assert (store.peek(session) or {})["turn_count"] == 1


async def test_a_store_that_can_not_be_cancelled_does_not_hold_up_the_answer() -> None:
    """A driver that swallows the cancellation and goes on waiting."""
    back = asyncio.Event()

    async def stubborn(do: Any) -> Any:
        while not back.is_set():
            with suppress(asyncio.CancelledError):
                await back.wait()
        return await do()

    store = KitStore()
    store.put("chat")
    async with served(store, settings=Settings(patience=0.05)) as url:
        store.behave(stubborn)
        assert (await ask(url, "chat")).choices[0].message.content == f"{TEXT}1"
        back.set()


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end() -> None:
    """With 413, as clients know it."""
    async with (
        served(None, settings=Settings(max_body_bytes=1000)) as url,
        plain(url) as http,
    ):
        answer = await http.post("/v1/chat/completions", content=b" " * 5000)
    assert answer.status_code == 413
