"""A system on a store, as a clause uses it: turns are taken, and each is a step of the history."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ..history import Call
from . import answers
from .asgi import Application, Received
from .asking import body_of, said_of
from .script import Script, Usage
from .stores import STORED, KitStore
from .system import TOTALS, Accumulator, ChatServer, Figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..history import History
    from ..interface import Json
    from .script import Agent
    from .stores import Behaviour
    from .workshop import Workshop

MODEL = "model-a"

PATIENT_LOOKS = 100
"""At what a system does when its answer has been given, 10 ms apart."""


class Service:
    """One system on one store."""

    def __init__(
        self,
        workshop: Workshop,
        history: History,
        store: KitStore | None,
        agent: Agent,
        built: Any,
    ) -> None:
        self.workshop = workshop
        self.store = store or KitStore()
        self._history = history
        self._instance = history.new_instance()
        self._agent = agent
        self._built = built
        self._is_ended = False
        self.end_of_answer: dict[str, Json] = {}
        """What stood beside the text in the last answer of a chat server."""
        self.is_passed_off = False
        """Whether nothing in that answer said that anything had gone wrong."""
        self.application = Application(built) if isinstance(workshop.system, ChatServer) else None

    # steps --------------------------------------------------------------------------------------

    def turn(
        self,
        session: str | None,
        usage: Usage | None,
        *,
        model: str = MODEL,
        stream: bool = False,
        turn_id: str | None = None,
        known: tuple[Usage, ...] = (),
        body: Mapping[str, Json] | None = None,
    ) -> Call[str]:
        """Take a turn; the answer says whether the client's is complete."""
        return self.scripted_turn(
            session, Script(usage, model, known), stream=stream, turn_id=turn_id, body=body
        )

    def scripted_turn(
        self,
        session: str | None,
        script: Script,
        *,
        stream: bool = False,
        turn_id: str | None = None,
        body: Mapping[str, Json] | None = None,
    ) -> Call[str]:
        """Take a turn in which the agent goes by this script.

        `body` stands in the request in the place of what would; what is WITHOUT there is not.
        """

        async def method(*_: Any, **__: Any) -> str:
            return await self._take(session, script, stream=stream, turn_id=turn_id, body=body)

        said = said_of(script, stream=stream, turn_id=turn_id)
        return self._call("turn", method, session, **said, **(body or {}))

    def left_turn(
        self,
        session: str,
        script: Script,
        *,
        at: Callable[[bytes], bool],
        where: str,
        is_told: bool = False,
    ) -> Call[str]:
        """Take a streamed turn whose client leaves when it has read something."""

        async def method(*_: Any, **__: Any) -> str:
            received = await self._post(
                session, script, stream=True, turn_id=None, leaves_when=at, is_told=is_told
            )
            return f"left {where}" if at(received.body) else answers.of_stream(received)

        said = said_of(script, stream=True, turn_id=None)
        said |= {"client_leaves": where, **({"then_send": "raises"} if is_told else {})}
        return self._call("turn", method, session, **said)

    def gone_turn(
        self, session: str, script: Script, *, stream: bool, at: asyncio.Event
    ) -> Call[str]:
        """Take a turn whose client has gone when this event comes, whatever it has read."""

        async def method(*_: Any, **__: Any) -> str:
            await self._post(session, script, stream=stream, turn_id=None, leaves_at=at)
            return "left in mid-answer"

        said = said_of(script, stream=stream, turn_id=None) | {"client_leaves": "in mid-answer"}
        return self._call("turn", method, session, **said)

    def trouble(
        self, words: str, behaviour: Behaviour, operations: Iterable[str] = STORED
    ) -> Call[None]:
        """Let operations of the store behave so from now on, and say so in the history."""
        operations = tuple(operations)

        async def method(**_: Any) -> None:
            await self.store.quiet()
            self.store.behave(behaviour, operations)

        named = operations if operations != STORED else ("every_operation",)
        return self._call("the_store", method, **dict.fromkeys(named, words))

    def recovery(self) -> Call[None]:
        """Let the store hold the contract from now on."""

        async def method(**_: Any) -> None:
            await self.store.quiet()
            self.store.recover()

        return self._call("the_store", method, every_operation="works")

    def renewal(self, session: str) -> Call[None]:
        """Delete a session in the store, past the system, and make it anew."""

        async def method(**_: Any) -> None:
            self.store.renew(session)

        return self._call("the_store", method, **{session: "is deleted, and made anew"})

    def late_answers(self, until: asyncio.Event) -> Call[None]:
        """Let the store do what it was asked for, and did not do yet."""

        async def method(**_: Any) -> None:
            until.set()
            await self.store.quiet()

        return self._call("the_store", method, unanswered_calls="are made now")

    def shut_down(self, *, is_judged: bool = False) -> Call[None]:
        """End the system as its server does, with time for what is still to be written.

        That an application fails meanwhile is told where its end `is_judged`.
        """

        async def method() -> None:
            await self.end()
            if is_judged and self.application is not None and self.application.failure is not None:
                raise self.application.failure

        return self._call("shut_down", method)

    def totals(self, session: str, names: tuple[str, ...] = TOTALS) -> Call[dict[str, Json]]:
        """Read the totals out of the store, past its operations."""

        async def method(_: str) -> dict[str, Json]:
            found = self.workshop.system.totals(self.store.peek(session) or {})
            return {name: found[name] for name in names if name in found}

        return self._call("totals", method, session)

    def keeps_cached_tokens(self, session: str) -> bool:
        """Answer whether they are among the totals, as far as can be seen: they need not be."""
        found = self._seen_totals(session)
        return not found or "cached_tokens" in found

    def has_only(self, name: str, value: Json) -> bool:
        """Answer whether this is what all totals have there, of whichever session."""
        found = [one for one in map(self._seen_totals, self.store.sessions()) if one]
        return bool(found) and all(one.get(name) == value for one in found)

    def _seen_totals(self, session: str) -> Mapping[str, Json]:
        try:
            return self.workshop.system.totals(self.store.peek(session) or {})
        except Exception:  # noqa: BLE001 - the step that reads the totals will tell
            return {}

    def cost_data(self, session: str) -> Call[dict[str, Json]]:
        """Read the cost data out of the store, past its operations."""

        async def method(_: str) -> dict[str, Json]:
            return self.store.peek(session) or {}

        return self._call("cost_data", method, session)

    def seen(self, what: str, look: Callable[[], Json]) -> Call[Json]:
        """Look at something, as a step."""

        async def method() -> Json:
            return look()

        return self._call(what, method)

    def _call(self, operation: str, method: Any, *given: Any, **named: Any) -> Call[Any]:
        return Call(self._history, self._instance, operation, method, *given, **named)

    async def is_settled(self, is_so: Callable[[], bool]) -> bool:
        """Answer whether this is so in the store soon, while nothing is asked of it any more."""
        for _ in range(PATIENT_LOOKS):
            await self.store.quiet()
            if is_so():
                return True
            await asyncio.sleep(0.01)
        return False

    def has_counted(self, session: str, turns: int) -> bool:
        """Answer whether the totals say that there were so many turns."""
        return self._seen_totals(session).get("turn_count") == turns

    def asked_with(self, script: Script) -> list[str]:
        """Answer what the agent was asked with in the turn of this script."""
        prompt = self.prompt(script)
        return [one for one in self._agent.asked if prompt in one]

    def asked_again(self) -> int:
        """Answer how often the agent was asked what it had been asked before."""
        return len(self._agent.asked) - len(set(self._agent.asked))

    def prompt(self, script: Script) -> str:
        """Answer what the turn of this script is asked with."""
        return self._agent.learn(script)

    # what they do -------------------------------------------------------------------------------

    async def end(self) -> None:
        """End the system; the second time nothing happens."""
        if self._is_ended:
            return
        self._is_ended = True
        system = self.workshop.system
        if self.application is not None:
            await self.application.stop()
        elif isinstance(system, Accumulator) and system.drain is not None:
            await system.drain(self._built)

    async def _take(
        self,
        session: str | None,
        script: Script,
        *,
        stream: bool,
        turn_id: str | None,
        body: Mapping[str, Json] | None,
    ) -> str:
        system = self.workshop.system
        if isinstance(system, Accumulator):
            figures = Figures(turn_id, script.model, script.usage or Usage())
            await system.record(self._built, session or "", figures)
            return answers.COMPLETE
        received = await self._post(session, script, stream=stream, turn_id=turn_id, body=body)
        self.end_of_answer = answers.end_of(received, is_stream=stream)
        self.is_passed_off = answers.is_passed_off(received, is_stream=stream)
        return answers.of_stream(received) if stream else answers.of_whole(received)

    async def _post(
        self,
        session: str | None,
        script: Script,
        *,
        stream: bool,
        turn_id: str | None,
        body: Mapping[str, Json] | None = None,
        leaves_when: Callable[[bytes], bool] = lambda _: False,
        leaves_at: asyncio.Event | None = None,
        is_told: bool = False,
    ) -> Received:
        system = self.workshop.system
        if self.application is None or not isinstance(system, ChatServer):
            raise TypeError("an accumulator alone has no clients")
        prompt = self._agent.learn(script)
        asked = body_of(session, prompt, stream=stream, instead=body or {})
        headers = {"content-type": "application/json", **(system.headers or {})}
        if turn_id is not None and system.turn_id_header is not None:
            headers[system.turn_id_header] = turn_id
        return await self.application.post(
            system.path,
            headers,
            json.dumps(asked).encode(),
            leaves_when=leaves_when,
            leaves_at=leaves_at,
            is_told=is_told,
        )
