"""What the store does wrong does not reach the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from ..expect import violated
from ..subject import at_once
from ..values import word
from .clauses import must
from .script import Script
from .service import MODEL, PATIENT_LOOKS
from .stores import FAILURES, STORED, KitStore, answering, failures, hanging, raising
from .sums import FIRST, expect_complete, judge_complete
from .system import Ability
from .workshop import open_on, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..interface import Json
    from ..subject import Subject
    from .service import Service
    from .stores import Behaviour

SESSION = "chat"
NEW_SESSION = "new-chat"

NONSENSE: tuple[Any, ...] = (None, 42, "text", ["x"], {"input_tokens": "many", "turn_count": []})

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}

HISTORY = [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "1"}]
"""Messages as there are where tools are called: some have no content."""

RAISES = "raises"

Fault: TypeAlias = tuple[str, str, "Behaviour", tuple[str, ...]]
"""Which operation, in words, does what, the same as a behaviour, and the operations meant."""


def _faults(subject: Subject) -> Iterator[Fault]:
    for does, behaviour in failures():
        for operation in _asked(subject):
            yield operation, does, behaviour, (operation,)
    yield "every operation", RAISES, raising(FAILURES[0]), STORED
    for answer in NONSENSE:
        yield "every operation", f"answers {answer!r}", answering(answer), STORED
    if Ability.CHAT in subject.store.system.abilities:
        yield "load", "answers messages without content", answering(HISTORY), ("load",)


def _asked(subject: Subject) -> tuple[str, ...]:
    of_chats = ("load", "save") if Ability.CHAT in subject.store.system.abilities else ()
    return (*of_chats, "get_cost_data", "update")


@must(
    "turn.store-fault-never-breaks-the-answer",
    "Whatever the store does - raises, hangs, answers nonsense, goes in mid-answer - the chat's "
    "answer is complete and on time, its agent is asked once, and a failure that is raised is "
    "logged as a warning or an error.",
    because="The answer has been paid for when the store is called. A user who does not get it "
    "pays again, as does a server that tries the whole turn again; an operator who sees nothing in "
    "the log bills nothing.",
    remedy="Catch what the store raises around each call of it, and what comes of its answers; "
    "wait for it no longer than a bound, in a task that the bound does not end. A store whose own "
    "work was cancelled raises CancelledError, which `except Exception` does not catch. Whether it "
    "is the store's, or the request is cancelled: run the call as a task, "
    "`await asyncio.wait({task}, timeout=...)`, and look at `task.cancelled()`; where the request "
    "is cancelled, it is the wait that raises. Put no `error` in a chunk or a body of such an "
    "answer, on which OpenAI's clients raise; another member, as `warning`, may be there. Where "
    "what is logged does not reach the root logger, say where it goes: `logger=`.",
    evidence=["seed", "origin"],
)
async def store_fault_never_breaks_the_answer(subject: Subject) -> None:
    for fault in _faults(subject):
        for is_streamed in ways(subject):
            await _hold_meanwhile(subject, fault, SESSION, is_streamed=is_streamed)
    await _hold_while_it_hangs(subject)
    if Ability.CHAT in subject.store.system.abilities:
        for operation in ("exists", "create"):
            fault = operation, RAISES, raising(FAILURES[0]), (operation,)
            for is_streamed in ways(subject):
                await _hold_meanwhile(subject, fault, NEW_SESSION, is_streamed=is_streamed)
        for behaviour in (raising(FAILURES[0]), hanging(subject.store.release)):
            await _hold_when_it_goes(subject, behaviour)


async def _hold_meanwhile(
    subject: Subject, fault: Fault, session: str, *, is_streamed: bool
) -> None:
    what, does, behaviour, operations = fault
    service = await _begun(subject, is_streamed=is_streamed)
    before, asked_again = service.end_of_answer, service.asked_again()
    warned = len(service.workshop.log.warned)
    await service.trouble(does, behaviour, operations)
    turn = service.turn(session, FIRST, stream=is_streamed)
    await expect_complete(turn, f"while {what} {does}")
    _expect_the_same_end(service, before, f"while {what} {does}")
    _expect_to_be_asked_once(service, asked_again, f"while {what} {does}")
    raises = does.startswith(RAISES)
    has_logged = await _end(service, warned, is_waited_for=raises)
    if raises and service.store.failures and not has_logged:
        _expect_to_be_logged(service, f"while {what} {does}")


async def _begun(subject: Subject, *, is_streamed: bool) -> Service:
    """Build the system on a store that works, and take a turn."""
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST, stream=is_streamed)
    return service


async def _hold_while_it_hangs(subject: Subject) -> None:
    """Let all operations hang, and each alone: at once, since whoever waits does so in full."""
    asked = (("the store", STORED), *((one, (one,)) for one in _asked(subject)))
    begun = [
        (f"while {what} does not answer", await _begun(subject, is_streamed=way), way, operations)
        for what, operations in asked
        for way in ways(subject)
    ]
    before = [service.end_of_answer for _, service, _, _ in begun]
    for _, service, _, operations in begun:
        await service.trouble("does not answer", hanging(service.workshop.release), operations)
    steps = await at_once(
        *(service.turn(SESSION, FIRST, stream=way) for _, service, way, _ in begun)
    )
    for (trouble, service, _, _), end, step in zip(begun, before, steps, strict=True):
        judge_complete(step, trouble)
        _expect_the_same_end(service, end, trouble)


async def _end(service: Service, warned: int, *, is_waited_for: bool) -> bool:
    """End the system; answer whether it has warned, which it may do when it ends.

    A system may ask a store again, for as long as its end may take, until that works: so it does
    when the warning has been heard, or might have been for long enough.
    """
    log = service.workshop.log

    async def store_works_in_time() -> None:
        for _ in range(PATIENT_LOOKS if is_waited_for else 0):
            if len(log.warned) > warned:
                break
            await asyncio.sleep(0.01)
        service.store.recover()

    working = asyncio.ensure_future(store_works_in_time())
    # What the end of the server makes of a broken store is no matter of the answer.
    await service.shut_down().perform(is_expected=False)
    working.cancel()
    return len(log.warned) > warned


async def _hold_when_it_goes(subject: Subject, behaviour: Behaviour) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    script = Script(FIRST, MODEL, meanwhile=lambda: store.behave(behaviour))
    await expect_complete(
        service.scripted_turn(SESSION, script, stream=True), "when the store goes in mid-answer"
    )


def _expect_the_same_end(service: Service, before: dict[str, Json], trouble: str) -> None:
    """Demand that what follows the text is what the same turn had from a store that works."""
    if service.end_of_answer != before:
        violated(
            f"the answer ends in another way {trouble}",
            demanded=word(before),
            answered=word(service.end_of_answer),
        )


def _expect_to_be_asked_once(service: Service, before: int, trouble: str) -> None:
    """Demand that the agent is asked the same no oftener than in a turn of a store that works."""
    times = service.asked_again() - before
    if times > before:
        violated(
            f"the agent is asked again {trouble}",
            demanded="what the agent has been asked is not asked again",
            answered=f"it was asked the same {times} times more",
        )


def _expect_to_be_logged(service: Service, trouble: str) -> None:
    if service.workshop.system.logger is not None:
        violated(
            f"nothing is logged {trouble}",
            demanded="a warning or an error in the log",
            answered="nothing of that level",
        )
