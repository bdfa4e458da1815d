"""Systems that are right hold every clause."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract import catalogue
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.interface import SessionExistsError
from sessionstore_contract.report.explanation import explain
from sessionstore_contract.turn.carrying import KEEPS_WHAT_IT_IS_SENT
from sessionstore_contract.turn.counting import NOT_COUNTED_IN_TIME
from sessionstore_contract.turn.histories import IS_WHAT_IS_SENT, NOT_SAVED_IN_TIME
from sessionstore_contract.turn.leaving import NOT_WHERE_SEND_RAISES
from sessionstore_contract.turn.system import Ability
from sessionstore_contract.turn_trial import try_turn_clause
from sessionstore_contract.verdict import Verdict

from . import accumulators, servers
from .accumulators import asked
from .patience import try_patiently
from .reference import ACCUMULATOR, SERVER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstore_contract.interface import Json
    from sessionstore_contract.turn.system import System

SYSTEMS = [
    ACCUMULATOR,
    SERVER,
    *map(accumulators.system, accumulators.CORRECT),
    *map(servers.system, servers.CORRECT),
]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_correct_system_holds_every_clause(system: System) -> None:
    """Nobody is accused, whichever way the work is done."""
    findings = try_patiently(system, seed=1, effort=EFFORTS["quick"])
    accused = [explain(one, system.name) for one in findings if one.verdict is not Verdict.HELD]
    if Ability.CHAT not in system.abilities:
        accused = [text for text in accused if not text.startswith("not-applicable")]
    assert accused == []


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_correct_system_holds_what_is_drawn(system: System) -> None:
    """Of all clauses it alone depends on the seed."""
    (clause,) = catalogue.select(["totals-are-the-sum-of-turns"], contract=catalogue.TURN)
    findings = [
        try_turn_clause(clause, system, seed=seed, effort=EFFORTS["quick"]) for seed in (2, 3)
    ]
    assert [one.verdict for one in findings] == [Verdict.HELD] * 2


@pytest.mark.parametrize(
    ("kind", "remark"),
    [(servers.InATaskOfTheResponse, NOT_WHERE_SEND_RAISES), (servers.PlainServer, None)],
)
def test_what_is_right_on_most_servers_is_remarked(kind: Any, remark: str | None) -> None:
    """Nobody is accused of what another server would do to the application."""
    (clause,) = catalogue.select(["client-that-leaves-at-done-is-counted"], contract=catalogue.TURN)
    finding = try_turn_clause(clause, servers.system(kind), seed=1, effort=EFFORTS["quick"])
    assert finding.verdict is Verdict.HELD
    assert finding.reason == remark


class KeepsWhatItIsSent(servers.PlainServer):
    """Has clients that send the whole history each time."""

    async def save(self, one: servers.Conversation, session: str) -> None:
        messages = [*one.messages, {"role": "assistant", "content": one.text}]
        await self.guarded(lambda: self.store.save(session, messages))


@pytest.mark.parametrize(
    ("name", "remark"),
    [("unread-history*", KEEPS_WHAT_IT_IS_SENT), ("history-has*", IS_WHAT_IS_SENT)],
)
def test_a_server_that_keeps_what_it_is_sent_is_not_accused_of_it(name: str, remark: str) -> None:
    """What it saves is the history, whether or not it has read one."""
    (clause,) = catalogue.select([name], contract=catalogue.TURN)
    system = servers.system(KeepsWhatItIsSent)
    finding = try_turn_clause(clause, system, seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.reason) == (Verdict.HELD, remark)


class SaysInAnotherReason(servers.PlainServer):
    """Ends an answer that is not whole with a finish reason of its own."""

    async def speak(self, one: servers.Conversation) -> AsyncIterator[str]:
        with suppress(RuntimeError):
            async for text in super().speak(one):
                yield text

    def ending(self, one: servers.Conversation, **said: Json) -> dict[str, Json]:
        why = {} if one.is_whole else {"finish_reason": "error"}
        return super().ending(one, **{**said, **why})


class SaysInAnError(SaysInAnotherReason):
    """Ends such an answer as others, with an error before that."""

    def ending(self, one: servers.Conversation, **said: Json) -> dict[str, Json]:
        error = {} if one.is_whole else {"error": {"message": "the agent failed"}}
        return {**servers.PlainServer.ending(self, one, **said), **error}


class SaysInWords(SaysInAnotherReason):
    """Adds a sentence to such an answer, and ends it as others."""

    async def speak(self, one: servers.Conversation) -> AsyncIterator[str]:
        async for text in super().speak(one):
            yield text
        if not one.is_whole:
            one.text += "Sorry, that is all: the model is away."
            yield "Sorry, that is all: the model is away."

    def ending(self, one: servers.Conversation, **said: Json) -> dict[str, Json]:
        return servers.PlainServer.ending(self, one, **said)


@pytest.mark.parametrize("kind", [SaysInAnotherReason, SaysInAnError, SaysInWords])
def test_whoever_says_that_the_agent_failed_is_not_accused(kind: Any) -> None:
    """It may be said in several ways."""
    (clause,) = catalogue.select(["failed-agent*"], contract=catalogue.TURN)
    finding = try_turn_clause(clause, servers.system(kind), seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)


class Warns(servers.PlainServer):
    """Says beside each answer that it may not be kept; its error is null where there is none."""

    def ending(self, one: servers.Conversation, **said: Json) -> dict[str, Json]:
        return {**super().ending(one, **said), "warning": "may not be kept", "error": None}


def test_a_warning_beside_the_answer_breaks_nothing() -> None:
    """Nor does an error that is none."""
    (clause,) = catalogue.select(["store-fault-never*"], contract=catalogue.TURN)
    finding = try_turn_clause(clause, servers.system(Warns), seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)


class KeepsMore(servers.Keeps):
    """Has a title, ids and the words as they came beside what was said."""

    def kept(self, before: list[Json], one: servers.Conversation) -> list[Json]:
        asked = [{**message, "id": 1, "as_it_came": message["content"]} for message in one.messages]
        title = {"role": "system", "content": f"This chat is on {one.messages[0]['content']}"}
        return [title, *before, *asked, {"role": "assistant", "content": one.text, "id": 2}]


class KeepsInParts(servers.Keeps):
    """Has the content of a message as parts of it, and a turn as one message."""

    def kept(self, before: list[Json], one: servers.Conversation) -> list[Json]:
        asked = [{"type": "text", "text": message["content"]} for message in one.messages]
        return [*before, {"asked": asked, "answered": [{"type": "text", "text": one.text}]}]


class KeepsOneMessage(servers.Keeps):
    """Has all that was said in one message."""

    def kept(self, before: list[Json], one: servers.Conversation) -> list[Json]:
        said = before[0].get("said", before) if before else []
        return [{"role": "tool", "said": [*said, *super().kept([], one)]}]


@pytest.mark.parametrize("kind", [KeepsMore, KeepsInParts, KeepsOneMessage])
def test_a_server_keeps_the_history_as_it_likes(kind: Any) -> None:
    """Of all that is kept only prompts and answers are looked for."""
    (clause,) = catalogue.select(["history-has*"], contract=catalogue.TURN)
    finding = try_turn_clause(clause, servers.system(kind), seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.headline, finding.reason) == (Verdict.HELD, None, None)


class SettlesMuchLater(servers.InTheBackground):
    """Saves and counts when it ends."""

    async def settle(self, one: servers.Conversation) -> None:
        await self.is_ending.wait()
        async with self.one_after_the_other:
            await super().settle(one)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.is_ending = asyncio.Event()
        self.one_after_the_other = asyncio.Lock()

    async def drain(self) -> None:
        self.is_ending.set()
        await super().drain()


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("deleted-totals*", NOT_COUNTED_IN_TIME),
        ("history-has*", NOT_SAVED_IN_TIME),
    ],
)
def test_a_server_that_settles_much_later_is_not_accused(name: str, remark: str) -> None:
    """What it owes to a session that was deleted goes to the one that is there then."""
    (clause,) = catalogue.select([name], contract=catalogue.TURN)
    system = servers.system(SettlesMuchLater)
    finding = try_turn_clause(clause, system, seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.reason) == (Verdict.HELD, remark)


class AsksForTitles(servers.PlainServer):
    """Has the agent make two titles of each turn, of which it would keep one."""

    async def settle(self, one: servers.Conversation) -> None:
        for _ in range(2):
            async for _ in self.agent(["A title for:", *one.messages]):
                pass
        await super().settle(one)


class ReadsNullAsNought(accumulators.Plain):
    """Says nothing of a figure of which the provider has said nothing."""

    def checked(self, turn: Any) -> Any:
        said = {name: 0 if one is None else one for name, one in turn.usage.fields().items()}
        return super().checked(replace(turn, usage=type(turn.usage)(**said)))


class HoldsBackStreams(servers.PlainServer):
    """Sends a stream in one piece, when it is whole."""

    async def tell(self, one: servers.Conversation, send: Any) -> None:
        held: list[Any] = []

        async def hold(message: Any) -> None:
            held.append(message)

        await super().tell(one, hold)
        for message in held:
            await send(message)


class CreatesSessions(servers.PlainServer):
    """Makes the session before the turn; another request may have made it, or none can."""

    async def history(self, one: servers.Conversation) -> list[Json]:
        async def create() -> None:
            with suppress(SessionExistsError):
                await asked(self.store.create(one.session))

        if one.session is not None and not isinstance(self.store, servers.NoStore):
            await self.guarded(create)
        return await super().history(one)


class TakesTurnsOfASession(servers.PlainServer):
    """Takes one turn of a session at a time, from its beginning to its end."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.turns: dict[str | None, asyncio.Lock] = {}

    async def speak(self, one: servers.Conversation) -> AsyncIterator[str]:
        async with self.turns.setdefault(one.session, asyncio.Lock()):
            async for text in super().speak(one):
                yield text


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (AsksForTitles, "store-fault-never*"),
        (ReadsNullAsNought, "bad-figures*"),
        (HoldsBackStreams, "aborted-turn*"),
        (CreatesSessions, "store-fault-never*"),
        (CreatesSessions, "first-turns*"),
        (TakesTurnsOfASession, "aborted-turn*"),
        (TakesTurnsOfASession, "no-usage*"),
    ],
)
def test_what_is_done_otherwise_is_not_accused(kind: Any, name: str) -> None:
    """What each clause demands can be done in more than one way."""
    (clause,) = catalogue.select([name], contract=catalogue.TURN)
    make = servers.system if issubclass(kind, servers.PlainServer) else accumulators.system
    finding = try_turn_clause(clause, make(kind), seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)


@pytest.fixture
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class ConfiguresLogging(servers.PlainServer):
    """Configures it when it is made, as many do: all handlers of the root logger go."""

    def __init__(self, *given: Any) -> None:
        logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()], force=True)
        super().__init__(*given)


@pytest.mark.usefixtures("_root_as_before")
def test_a_server_that_configures_logging_is_heard() -> None:
    """By the root logger, where nobody has said another one."""
    (clause,) = catalogue.select(["store-fault-never*"], contract=catalogue.TURN)
    system = replace(servers.system(ConfiguresLogging), logger="")
    finding = try_turn_clause(clause, system, seed=1, effort=EFFORTS["quick"])
    assert (finding.verdict, finding.headline) == (Verdict.HELD, None)
