"""What a server that keeps the history of a session makes of the turns in it."""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..expect import expect
from ..subject import at_once
from .carrying import KEPT, has_kept
from .clauses import should
from .leaving import SAVED, is_saved
from .script import Script
from .service import MODEL
from .stores import KitStore
from .sums import FIRST, SECOND, expect_complete
from .system import Ability
from .workshop import open_on, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..interface import Json
    from ..subject import Subject
    from .service import Service

SESSION = "chat"

ANSWER = "an answer"

IN_ORDER: list[Json] = ["prompt 1", ANSWER, "prompt 2", ANSWER]

OF_THE_SERVER = frozenset({"system", "developer"})
"""Roles in which a server speaks to its model: it may well quote there what was said."""

IS_WHAT_IS_SENT = (
    "what was said before is not in the history after a turn: whether it has each turn once was "
    "not tried"
)

NOT_SAVED_IN_TIME = (
    "an answer was not saved soon after it was given: whether the history has each turn once was "
    "not tried"
)


@should(
    "turn.history-has-each-turn-once",
    "Where the server keeps the history, each prompt and each answer stands in it once, in the "
    "order in which they were said, and nothing of another session, or of one that was deleted; "
    "nor is the agent asked with what was said in another session.",
    because="The history is what the model is asked with next. Without the prompts it has answers "
    "to nothing; what stands there twice is paid for in each turn that follows. What was said "
    "elsewhere, or was deleted in the store, is shown to whom it is not meant for.",
    remedy="Save what `load` answered, then the messages of the request, then the answer. What "
    "else is kept is the server's matter: ids, other members, messages of the roles `system` and "
    "`developer` are not looked at.",
    asks={Ability.CHAT},
)
async def history_has_each_turn_once(subject: Subject) -> None:
    for is_streamed in ways(subject):
        await _hold_two_turns(subject, is_streamed=is_streamed)
        await _hold_two_sessions(subject, is_streamed=is_streamed)
        await _begin_anew(subject, is_streamed=is_streamed)


async def _hold_two_turns(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put_messages(SESSION, [{"role": "user", "content": KEPT}])
    service = await open_on(subject, store)
    scripts = Script(FIRST, MODEL), Script(SECOND, MODEL)
    for script in scripts:
        turn = service.scripted_turn(SESSION, script, stream=is_streamed)
        await expect_complete(turn, "with a store that works")
        # Whoever saves much later has not read the one turn before the other is saved.
        if not await service.is_settled(partial(is_saved, service, SESSION)):
            subject.stand.note(NOT_SAVED_IN_TIME)
            return
    await service.shut_down()
    if not has_kept(service):
        subject.stand.note(IS_WHAT_IS_SENT)
        return
    names = {service.prompt(one): f"prompt {number}" for number, one in enumerate(scripts, 1)}
    await expect(service.seen("history", partial(_history, service, names))).to_be(
        IN_ORDER,
        rather_than={
            "prompts are not in the history": [ANSWER, ANSWER],
            "a turn is in the history again with the next one": [*IN_ORDER[:2], *IN_ORDER],
        },
    )


async def _hold_two_sessions(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    service = await open_on(subject, store)
    scripts = {session: Script(FIRST, MODEL) for session in ("one", "two")}
    for session in scripts:
        store.put_messages(session, [{"role": "user", "content": _words_in(session)}])
    turns = [
        service.scripted_turn(session, script, stream=is_streamed)
        for session, script in scripts.items()
    ]
    # That they are answered is a matter of first turns at once.
    await at_once(*turns)
    await service.shut_down()
    for session, other in (("one", "two"), ("two", "one")):
        strange = (_words_in(other), service.prompt(scripts[other]))
        kept = partial(_are_in, strange, [json.dumps(store.peek_messages(session))])
        await expect(service.seen("of_another_in_history", kept)).to_be(
            False, rather_than={"what was said in another session is in the history": True}
        )
        asked = partial(_are_in, strange, service.asked_with(scripts[session]))
        await expect(service.seen("of_another_in_question", asked)).to_be(
            False, rather_than={"the agent is asked with what was said in another session": True}
        )


def _words_in(session: str) -> str:
    return f"what was said in {session}"


async def _begin_anew(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    deleted = Script(FIRST, MODEL)
    turn = service.scripted_turn(SESSION, deleted, stream=is_streamed)
    await expect_complete(turn, "with a store that works")
    # What is saved only later may well be saved to the session that is there then.
    if not await service.is_settled(partial(is_saved, service, SESSION)):
        subject.stand.note(NOT_SAVED_IN_TIME)
        return
    await service.renewal(SESSION)
    turn = service.turn(SESSION, SECOND, stream=is_streamed)
    await expect_complete(turn, "with a store that works")
    await service.shut_down()
    kept = [json.dumps(store.peek_messages(SESSION))]
    comes_back = partial(_are_in, (service.prompt(deleted),), kept)
    await expect(service.seen("of_a_deleted_session", comes_back)).to_be(
        False, rather_than={"the history of a session that was deleted comes back": True}
    )


def _are_in(words: Iterable[str], texts: Iterable[str]) -> bool:
    """Answer whether any of these words stand in any of these texts."""
    return any(one in text for one in words for text in texts)


def _history(service: Service, names: Mapping[str, str]) -> list[Json]:
    """Answer what of the turns is in the history, in order.

    It counts once in each message, whatever members it stands in, unless that leaves out turns
    that are kept in one message together.
    """
    kept = service.store.peek_messages(SESSION) or []
    said = [_named(json.dumps(one), names) for one in kept if not _is_of_the_server(one)]
    in_full = list(chain.from_iterable(said))
    return in_full if in_full == IN_ORDER else list(chain.from_iterable(map(dict.fromkeys, said)))


def _named(message: str, names: Mapping[str, str]) -> list[Json]:
    found = re.findall("|".join(map(re.escape, (*names, SAVED))), message)
    return [names.get(one, ANSWER) for one in found]


def _is_of_the_server(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in OF_THE_SERVER
