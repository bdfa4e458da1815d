"""Whether a write was made whose request or answer was lost: not at all, once, or later."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ...capabilities import Capability
from ...expect import violated
from ...fault import Deed, Fault
from ...values import are_equal, word
from .cuts import worded
from .network import COSTS, MESSAGES, Network, Write, is_happening, overheard
from .outcomes import TRIES, expect_came_back, expect_raised, works_again, works_in_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...history import Call, Step


async def _is_made(network: Network, session: str, operation: str) -> bool:
    """Look at what is stored whether a write was made; so far as that can be read."""
    looking = network.looking
    match operation:
        case "save":
            return are_equal(await looking.load(session), MESSAGES[:1])
        case "update":
            can_read = looking.can(Capability.COST_READ)
            return not can_read or (await looking.get_cost_data(session)).get("turns") == 2
        case "create":
            return bool(await looking.exists(f"{session}-new"))
    return not await looking.exists(session)


async def expect_raised_or_made(network: Network, session: str, step: Step, fault: Fault) -> None:
    """Demand of a write that met with a fault that it raised, or that what it wrote is there."""
    situation = "when its request is lost" if fault.deed is Deed.DROP else worded(fault)
    expect_came_back(step, situation)
    if step.outcome != "answered":
        return
    if step.operation == "update" and step.answer_as_given is not True:
        violated(
            f"update answers {word(step.answer_as_given)} {situation}, and the session is there",
            demanded="an exception, or True",
            answered=step.answered(),
        )
    if not await _is_made(network, session, step.operation):
        violated(
            f"{step.operation} answers {word(step.answer_as_given, limit=40)} {situation}, and "
            "nothing is written",
            demanded="an exception",
            answered=step.answered(),
        )


async def expect_writes_raise_while_away(network: Network, session: str) -> None:
    """Demand that each write raises while the server is away, and that none is made later."""
    subject = network.subject
    network.proxy.refuse()
    calls = [write.call(subject, session) for write in network.writes()] + network.housekeeping()
    subject.stand.history.restart()
    for call in calls:
        step = await call.perform(is_expected=True)
        step.beside = "the server is away"
        expect_raised(step, "while the server is away")
    network.proxy.forward()
    await works_in_time(lambda: subject.exists(subject.unused_id()), subject.stand.history.timeout)
    for write in network.writes():
        if await _is_made(network, session, write.operation):
            violated(
                f"{write.operation} raised while the server was away, and is made when it is back",
                demanded="what was stored before",
                answered="what the write had brought",
            )


async def is_made_for_the_witness(network: Network, session: str, operation: str) -> bool:
    """Look whether it was made; where nobody else may look, the next try will tell."""
    return network.witness is None or await _is_made(network, session, operation)


async def expect_the_same(network: Network, session: str, write: Write, first: Step) -> None:
    """Try a write again whose answer was lost, and demand what it would have given at once."""
    step = first
    again = partial(write.call, network.subject, session)
    if first.outcome == "raised" and write.right:
        step = await works_in_time(again, network.subject.stand.history.timeout)
    elif first.outcome == "raised":
        # That of create may be told that the session exists, which is true.
        step = await works_again(again)
        if step.outcome == "raised":
            # Or that the store asks its server nothing for a while.
            timeout = network.subject.stand.history.timeout
            await works_in_time(lambda: network.subject.exists(session), timeout)
            step = await again().perform(is_expected=True)
    if step.outcome == "hung" or (step.outcome == "raised" and write.right):
        violated(
            f"{write.operation} fails when it is tried again after a lost answer",
            demanded=" or ".join(map(word, write.right)) or "an answer",
            answered=step.answered(),
        )
    if step.outcome == "answered" and write.right and step.answer_as_given not in write.right:
        violated(
            f"{write.operation} answers {word(step.answer_as_given)} after its answer was lost",
            demanded=" or ".join(map(word, write.right)),
            answered=step.answered(),
        )
    await _expect_once(network, session, write.operation)


async def _expect_once(network: Network, session: str, operation: str) -> None:
    looking, after = network.looking, f"after a {operation} that was tried again"
    can_read = looking.can(Capability.COST_READ)
    name = f"{session}-new" if operation == "create" else session
    messages: Any = {"save": MESSAGES[:1], "update": MESSAGES, "create": [], "delete": None}
    costs: Any = {"save": COSTS, "update": {**COSTS, "turns": 2}, "create": {}, "delete": {}}
    looks: list[tuple[Call[Any], Any]] = [(looking.load(name), messages[operation])]
    if can_read:
        looks.append((looking.get_cost_data(name), costs[operation]))
    for call, right in looks:
        step = await call.perform(is_expected=True)
        if step.outcome != "answered" or not are_equal(step.answer_as_given, right):
            violated(
                f"{step.operation} answers {word(step.answer_as_given, limit=60)} {after}",
                demanded=word(right),
                answered=step.answered(),
            )


async def expect_not_made_later(network: Network) -> None:
    """Demand of a write that has raised that it is not made after a newer one."""
    subject, witness = network.subject, network.witness
    if witness is None:
        return
    subject.stand.history.restart()
    session = await network.session()
    older = [{"role": "user", "content": "older"}]
    for deed in (Deed.DROP, Deed.RESET):
        fault = Fault(deed, session.encode())
        saved, _ = await network.under(fault, subject.save(session, older))
        updated, _ = await network.under(fault, subject.update(session, cost_data={"turns": -1}))
        await witness.save(session, MESSAGES)
        await witness.update(session, cost_data=COSTS)
        for _ in range(TRIES):
            await subject.exists(session).perform(is_expected=False)
            await subject.save(subject.unused_id(), []).perform(is_expected=False)
        if saved.outcome == "raised":
            await _expect_newer(witness.load(session), MESSAGES, "save raised")
        if updated.outcome == "raised" and witness.can(Capability.COST_READ):
            await _expect_newer(witness.get_cost_data(session), COSTS, "update raised")


async def expect_not_made_again(network: Network) -> None:
    """Demand of a write whose answer is lost that it is not sent again over a newer one."""
    subject, witness = network.subject, network.witness
    if witness is None:
        return
    older = [{"role": "user", "content": "older"}]
    rounds: list[Overwriting] = [
        (lambda one: subject.save(one, older), witness.load, older, witness.save, MESSAGES)
    ]
    if witness.can(Capability.COST_READ):
        rounds.append(
            (
                lambda one: subject.update(one, cost_data={"turns": 3}),
                witness.get_cost_data,
                {**COSTS, "turns": 3},
                lambda one, costs: witness.update(one, cost_data=costs),
                COSTS,
            )
        )
    for overwriting in rounds:
        subject.stand.history.restart()
        await _overwrite(network, overwriting)


Overwriting: TypeAlias = (
    "tuple[Callable[[str], Call[Any]], Callable[[str], Call[Any]], Any,"
    " Callable[[str, Any], Call[Any]], Any]"
)
"""A write, how another instance looks for it, what it finds there, how it writes anew, and what."""


async def _overwrite(network: Network, overwriting: Overwriting) -> None:
    """Hold the answer of a write, have the witness read and replace it, and cut the connection.

    It was seen before the newer one began, so it took effect before: once more would be twice.
    """
    write, look, older, write_newer, newer = overwriting
    control = await network.session("control")
    about, lengths = await overheard(network, write(control), control)
    session = await network.session()
    fault = Fault(Deed.HOLD, about and session.encode(), max(lengths, default=1))
    armed = network.proxy.arm(fault)
    writing = asyncio.ensure_future(write(session).perform(is_expected=True))
    is_held = await is_happening(armed, writing)
    replacing = asyncio.ensure_future(
        _replace(look(session), older, write_newer(session, newer), may_look=is_held)
    )
    # What is held may have a lock that the witness waits for: it has gone when it is cut.
    await asyncio.wait({replacing}, timeout=PATIENCE)
    network.proxy.drop(by_reset=True)
    network.proxy.disarm()
    step, is_replaced = await writing, await replacing
    network.note(step, armed)
    expect_came_back(step, "when its answer is lost")
    if is_replaced:
        await _expect_newer(look(session), newer, f"{step.operation} {_came(step)}")


PATIENCE = 1.0
"""Seconds that the witness is given while an answer is held."""


def _came(step: Step) -> str:
    return "raised" if step.outcome == "raised" else "was answered"


async def _replace(look: Call[Any], older: Any, write: Call[Any], *, may_look: bool) -> bool:
    """Write something newer, if the older is there; answer whether that was so."""
    if not may_look:
        return False
    found = await look.perform(is_expected=False)
    if found.outcome != "answered" or not are_equal(found.answer_as_given, older):
        return False
    return (await write.perform(is_expected=False)).outcome == "answered"


async def _expect_newer(call: Call[Any], right: Any, came: str) -> None:
    step = await call.perform(is_expected=True)
    if step.outcome != "answered" or not are_equal(step.answer_as_given, right):
        violated(
            f"{came}, and is made after a newer one",
            demanded=word(right),
            answered=step.answered(),
        )
