"""Chat servers that are right, each in its own way; mutants are made of the plain one."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.script import Ended, Known, Said
from sessionstore_contract.turn.system import ChatServer, Figures

from .accumulators import Plain, asked, log, summed
from .patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionstore_contract.interface import Json, SessionStore
    from sessionstore_contract.turn.script import Agent, Usage

MODEL = "model-a"


class NoStore:
    """Keeps nothing."""

    async def load(self, session: str) -> None:
        return None

    async def save(self, session: str, messages: list[Json]) -> None:
        return None

    async def update(self, session: str, **_: Json) -> bool:
        return False

    async def get_cost_data(self, session: str) -> dict[str, Json]:
        return {}


class Conversation:
    """One request: what was asked, and what is known of the answer."""

    def __init__(self, asked: dict[str, Json], turn_id: str | None) -> None:
        self.asked = asked
        self.session: str | None = asked.get("session_id")
        self.messages: list[Json] = asked["messages"]
        self.asked_model: str = asked["model"]
        self.is_stream = bool(asked.get("stream"))
        self.turn_id = turn_id
        self.text = ""
        self.usage: Usage | None = None
        self.model = MODEL
        self.is_whole = False


class PlainServer:
    """Saves and counts before the end of the answer, within a bound, in a task that is shielded."""

    accumulator: type[Plain] = Plain

    def __init__(self, store: SessionStore | None, agent: Agent, name: str | None = None) -> None:
        self.store: Any = NoStore() if store is None else store
        self.agent = agent
        self.counting = self.accumulator(self.store, name)
        self.tasks: set[asyncio.Task[None]] = set()

    def patience(self) -> float:
        return Patience.seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        body = (await receive())["body"]
        headers = dict(scope["headers"])
        turn_id = headers.get(b"x-request-id", b"").decode() or None
        one = Conversation(json.loads(body), turn_id)
        await (self.stream if one.is_stream else self.whole)(one, receive, send)

    async def live(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.drain()
        await send({"type": "lifespan.shutdown.complete"})

    async def drain(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=10)
        await self.counting.drain()

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        try:
            async for _ in self.speak(one):
                pass
        except RuntimeError:
            self.settle_later(one)
            await reply(send, 502, {"error": {"message": "the agent failed"}})
            return
        await asyncio.wait({self.settle_later(one)}, timeout=2 * self.patience())
        await reply(send, 200, self.ending(one, message={"role": "assistant", "content": one.text}))

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        telling = asyncio.ensure_future(self.tell(one, send))
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not telling.done():
            telling.cancel()
        with suppress(OSError, asyncio.CancelledError, RuntimeError):
            await telling

    async def tell(self, one: Conversation, send: Any) -> None:
        try:
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        finally:
            settling = self.settle_later(one)
        await asyncio.wait({settling}, timeout=2 * self.patience())
        await send(event(self.ending(one, delta={})))
        await send(DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def ending(self, one: Conversation, **said: Json) -> dict[str, Json]:
        figures = {} if one.usage is None else one.usage.fields()
        used = {
            name: figures[figure]
            for name, figure in (
                ("prompt_tokens", "input_tokens"),
                ("completion_tokens", "output_tokens"),
            )
            if figure in figures
        }
        return {"choices": [{"index": 0, "finish_reason": "stop", **said}], "usage": used or None}

    async def speak(self, one: Conversation) -> AsyncIterator[str]:
        history = await self.history(one)
        async with aclosing(self.agent([*history, *one.messages])) as said:  # type: ignore[type-var]
            async for spoken in said:
                match spoken:
                    case Said(text):
                        one.text += text
                        yield text
                    case Known(usage):
                        self.know(one, usage)
                    case Ended(usage, model):
                        self.end(one, usage, model)
        one.is_whole = True

    def know(self, one: Conversation, usage: Usage) -> None:
        one.usage = usage

    def end(self, one: Conversation, usage: Usage | None, model: str) -> None:
        one.usage, one.model = one.usage if usage is None else usage, model

    def settle_later(self, one: Conversation) -> asyncio.Task[None]:
        task = asyncio.create_task(self.settle(one))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def settle(self, one: Conversation) -> None:
        if one.session is None:
            return
        await self.save(one, one.session)
        if self.is_counted(one):
            await self.count(one, one.session)

    def is_counted(self, one: Conversation) -> bool:
        return one.usage is not None

    async def count(self, one: Conversation, session: str) -> None:
        if one.usage is not None:
            await self.counting.record(session, Figures(one.turn_id, one.model, one.usage))

    async def history(self, one: Conversation) -> list[Json]:
        if one.session is None:
            return []
        found = await self.guarded(lambda: self.store.load(one.session))
        return found if isinstance(found, list) else []

    async def save(self, one: Conversation, session: str) -> None:
        answer = {"role": "assistant", "content": one.text}

        async def add() -> None:
            before = await asked(self.store.load(session))
            await asked(self.store.save(session, [*(before or []), *one.messages, answer]))

        await self.guarded(add, 10 * self.patience())

    async def guarded(self, call: Callable[[], Any], patience: float | None = None) -> Any:
        try:
            async with asyncio.timeout(patience or self.patience()):
                return await asked(call())
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            log.warning("the store: %s", type(error).__name__)
            return None


class InTheBackground(PlainServer):
    """Says the end at once; the task that saves and counts is waited for when the server ends."""

    async def whole(self, one: Conversation, receive: Any, send: Any) -> None:
        try:
            async for _ in self.speak(one):
                pass
        except RuntimeError:
            await reply(send, 502, {"error": {"message": "the agent failed"}})
        else:
            message = {"role": "assistant", "content": one.text}
            await reply(send, 200, {"choices": [{"index": 0, "message": message}]})
        finally:
            self.settle_later(one)

    async def tell(self, one: Conversation, send: Any) -> None:
        try:
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        finally:
            self.settle_later(one)
        await send(DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LetsTheAgentFinish(PlainServer):
    """Goes on when the client has left, and counts the whole turn."""

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        async def quiet(message: Any) -> None:
            with suppress(OSError):
                await send(message)

        await quiet({"type": "http.response.start", "status": 200, "headers": []})
        with suppress(RuntimeError):
            await self.tell(one, quiet)


class Keeps(PlainServer):
    """Adds to a history that it can read what a turn is to it."""

    async def save(self, one: Conversation, session: str) -> None:
        async def add() -> None:
            before = await asked(self.store.load(session))
            await asked(self.store.save(session, self.kept(before or [], one)))

        await self.guarded(add, 10 * self.patience())

    def kept(self, before: list[Json], one: Conversation) -> list[Json]:
        return [*before, *one.messages, {"role": "assistant", "content": one.text}]


class InATaskOfTheResponse(PlainServer):
    """Settles when the response is over, as the background task of a framework does.

    Right on a server that lets `send` pass when the client has left; most do.
    """

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with suppress(RuntimeError):
            async for text in self.speak(one):
                await send(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
            await send(DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await self.settle(one)


class FramesOtherwise(PlainServer):
    """Sends what the clients read as well: other line ends, data over several lines, nulls."""

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        async def framed(message: Any) -> None:
            body = message.get("body")
            if body == DONE["body"]:
                nulls = ({"choices": None}, {"choices": [{"index": 0, "delta": None}]})
                body = b"".join(event(one)["body"] for one in nulls) + body
            elif body:
                content = json.dumps(json.loads(body.removeprefix(b"data: ")), indent=1)
                lines = "".join(f"data: {line}\n" for line in content.split("\n"))
                body = f": a remark\n{lines}\n".encode()
            await send({**message, "body": body.replace(b"\n", b"\r")} if body else message)

        await super().stream(one, receive, framed)


DONE: dict[str, Any] = {
    "type": "http.response.body",
    "body": b"data: [DONE]\n\n",
    "more_body": True,
}


def event(content: Json) -> dict[str, Any]:
    body = f"data: {json.dumps(content)}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": True}


async def reply(send: Any, status: int, content: Json) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


CORRECT = (
    PlainServer,
    InTheBackground,
    LetsTheAgentFinish,
    InATaskOfTheResponse,
    FramesOtherwise,
)


def system(kind: Any, *, bound: float = 10.0) -> ChatServer:
    """Hand a server over as its author would."""
    return ChatServer(
        kind.__name__,
        build=kind,
        build_one_of_several=kind,
        totals=summed,
        logger="tests",
        bound=bound,
    )
