"""Turns that are cut off: by clients that leave, or by an agent that fails."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

from ..expect import expect, violated
from .answers import is_done
from .clauses import must, should
from .script import TEXT, Script, Usage
from .service import MODEL
from .stores import KitStore, slow
from .sums import FIRST, SECOND, expect_complete, expect_totals, total
from .system import TOTALS, Ability
from .workshop import open_on

if TYPE_CHECKING:
    from ..subject import Subject
    from .service import Service

SESSION = "chat"
SUMS = tuple(name for name in TOTALS if name != "model")
"""Which model answers is said at the end by some, and is not known before."""
SAVED = json.dumps(TEXT)[1:-1]
"""An answer, as it stands in a history."""
BEFORE = Usage(100, 1, 30)
KNOWN = Usage(100, 4, 30)
"""What is known of FIRST in mid-answer, and was known before that."""

NOT_WHERE_SEND_RAISES = (
    "on a server whose send raises for a client that has left (ASGI 2.4), the turn is lost"
)


@must(
    "turn.client-that-leaves-at-done-is-counted",
    "A streaming client that closes as soon as it has read `[DONE]` leaves a turn that is saved "
    "and counted, with a slow store too.",
    because="OpenAI's synchronous client closes at `[DONE]`, and servers cancel what still runs "
    "for a client that has left.",
    remedy="Save and count before `[DONE]` is sent, within a bound; or in a task that is not the "
    "request's, and that the end of the server waits for. A background task of the response is "
    "not that: where `send` raises for a client that has left (ASGI 2.4), it is never begun. (That "
    "is remarked, not judged: not every server does so.)",
    asks={Ability.CHAT},
    evidence=["origin"],
)
async def client_that_leaves_at_done_is_counted(subject: Subject) -> None:
    for seconds, with_what in ((0.0, "a quick store"), (0.01, "a slow store")):
        service, session = await _leave_at_done(subject, seconds, is_told=False)
        left = f"with {with_what} a turn whose client leaves at [DONE]"
        is_there = partial(is_saved, service, session)
        await expect(service.seen("is_saved", is_there)).to_be(
            True, rather_than={f"{left} is not saved": False}
        )
        await expect_totals(
            service, session, total(FIRST), rather_than={f"{left} is not counted": {}}
        )
    service, session = await _leave_at_done(subject, 0.0, is_told=True)
    found = await service.totals(session, ("turn_count",))
    if not is_saved(service, session) or found.get("turn_count") != 1:
        subject.stand.note(NOT_WHERE_SEND_RAISES)


async def _leave_at_done(subject: Subject, seconds: float, *, is_told: bool) -> tuple[Service, str]:
    store = KitStore()
    if seconds:
        store.behave(slow(seconds))
    service = await open_on(subject, store)
    turn = service.left_turn(
        SESSION, Script(FIRST, MODEL), at=is_done, where="at [DONE]", is_told=is_told
    )
    await expect(turn).to_be("left at [DONE]")
    await service.shut_down()
    return service, SESSION


def is_saved(service: Service, session: str) -> bool:
    """Answer whether an answer is in the history."""
    # Wherever in a message the text stands: there are several shapes of them.
    return SAVED in json.dumps(service.store.peek_messages(session))


@should(
    "turn.aborted-turn-counts-what-is-known",
    "A turn that was cut off, by its client or by its agent, or that ends without usage, counts "
    "the usage known by then, once, and the turn after it is answered and counted.",
    because="The provider has been paid for what it said until then. A lock that the turn has not "
    "given back stops the session for ever.",
    remedy="Keep the last usage that was reported on the way, and count it in the task that also "
    "counts complete turns; an end that says none leaves it. (Letting the agent finish, and "
    "counting all of it, is right as well.) Give back what the turn holds in `finally`.",
    asks={Ability.CHAT, Ability.USAGE_MIDWAY},
    evidence=["openai-agents-python#1975"],
)
async def aborted_turn_counts_what_is_known(subject: Subject) -> None:
    for is_streamed in (True, False):
        await _client_leaves(subject, is_streamed=is_streamed)
    for is_streamed in (False, True):
        await _agent_fails(subject, is_streamed=is_streamed)
        await _agent_ends_without_usage(subject, is_streamed=is_streamed)


async def _client_leaves(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    hold, gone = asyncio.Event(), asyncio.Event()
    script = Script(FIRST, MODEL, (BEFORE, KNOWN), hold=hold, meanwhile=gone.set)
    await service.gone_turn(SESSION, script, stream=is_streamed, at=gone)
    # The server hears of it before the agent goes on.
    await store.quiet()
    hold.set()
    await expect_complete(service.turn(SESSION, SECOND), "after one whose client left")
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(KNOWN, SECOND),
        total(FIRST, SECOND),
        rather_than={
            "a turn whose client left is not counted": total(SECOND),
            "a turn whose client left is counted twice": total(KNOWN, FIRST, SECOND),
            "usage on the way is added up": total(BEFORE, KNOWN, SECOND, count=2),
            "of usage on the way the first is counted": total(BEFORE, SECOND),
        },
        names=SUMS,
    )


async def _agent_fails(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    failure = RuntimeError("the provider went away")
    script = Script(FIRST, MODEL, (BEFORE, KNOWN), failure=failure)
    # Whatever it answers: what its client is to see of it is a clause of its own.
    await service.scripted_turn(SESSION, script, stream=is_streamed).perform(is_expected=True)
    await expect_complete(service.turn(SESSION, SECOND), "after one whose agent failed")
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(KNOWN, SECOND),
        rather_than={"a turn whose agent failed is not counted": total(SECOND)},
        names=SUMS,
    )


async def _agent_ends_without_usage(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    script = Script(None, MODEL, (BEFORE, KNOWN))
    await expect_complete(
        service.scripted_turn(SESSION, script, stream=is_streamed), "where its end says no usage"
    )
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(KNOWN),
        rather_than={"a turn that ends without usage is not counted": {}},
        names=SUMS,
    )


@should(
    "turn.failed-agent-is-seen",
    "The answer of a turn whose agent failed in mid-answer is not given out as complete: there is "
    "an error in it, a finish reason other than `stop`, no end, or words that say so.",
    because="Half of an answer that ends with `stop` is taken for all of it: it is shown, stored "
    "and acted upon, and nobody asks again.",
    remedy="Unstreamed, answer a status of 500 or above. In a stream, send a chunk with an `error` "
    "(OpenAI's clients raise on it), or another `finish_reason`, or end it without `[DONE]`.",
    asks={Ability.CHAT},
)
async def failed_agent_is_seen(subject: Subject) -> None:
    for is_streamed in (False, True):
        store = KitStore()
        store.put(SESSION)
        service = await open_on(subject, store)
        script = Script(FIRST, MODEL, failure=RuntimeError("the provider went away"))
        turn = service.scripted_turn(SESSION, script, stream=is_streamed)
        cut = await turn.perform(is_expected=True)
        if service.is_passed_off:
            violated(
                "a turn whose agent failed is answered as if it were complete",
                demanded="an error, another finish reason than stop, or an answer without its end",
                answered=f"{cut.answer}, and finish_reason stop",
            )
        await service.shut_down()
