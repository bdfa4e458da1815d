"""Answers that are none, for each operation: made by the kit, or spoilt by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expect import violated
from ...fault import Deed, Fault
from ...history import StepFailed
from .cuts import worded
from .effects import expect_raised_or_made
from .forgeries import Forgery, Overheard, believed, bodies, statuses
from .network import Network, overheard
from .outages import longest_silence
from .outcomes import expect_raised, expect_raised_or_right, is_right, works_in_time

if TYPE_CHECKING:
    from ...history import Call, Step


async def expect_http_checked(network: Network) -> None:
    """Have each operation answered with what is no answer, in place of the service."""
    subject = network.subject
    session, missing = await network.session(), subject.unused_id("missing")
    effort = subject.stand.effort
    refusals = list(statuses(effort, can_tell_routes=await _can_tell_routes(network, missing)))
    for read in network.reads():
        heard = Overheard()
        await _listened(network, heard, read.call(subject, session), read.right)
        for forgery in (*refusals, *bodies(heard, session)):
            step = await _forged(network, forgery, read.call(subject, session))
            expect_raised_or_right(step, read.right, f"to {forgery.name}")
        nothing: Any = {"load": None, "exists": False, "get_cost_data": {}}[read.operation]
        for forgery in (*bodies(heard, session), *believed(heard, session, missing)):
            step = await _forged(network, forgery, read.call(subject, missing))
            expect_raised_or_right(step, nothing, f"to {forgery.name}")
    for write in network.writes():
        heard, control = Overheard(), await network.session("control")
        await _listened(network, heard, write.call(subject, control), None)
        session = await network.session()
        forgeries = (*refusals, *believed(heard, control, session), *bodies(heard, control))
        for forgery in forgeries:
            step = await _forged(network, forgery, write.call(subject, session))
            if step.beside:
                expect_raised(step, f"to {forgery.name}")
            else:
                # It was not forged: it has been made.
                session = await network.session()
    for call in network.housekeeping():
        await _expect_housekeeping_checked(network, call, refusals)


async def _expect_housekeeping_checked(
    network: Network, call: Call[Any], refusals: list[Forgery]
) -> None:
    """Have what removes nothing answered with what is no answer: 0 is none."""
    heard = Overheard()
    await _listened(network, heard, call, 0)
    # Who looks through a listing may well find nothing in one that is spoilt.
    is_told = [method for method, _ in heard.exchanges] == ["DELETE"]
    nobody = network.subject.unused_id()
    spoiled = bodies(heard, nobody) if is_told else ()
    for forgery in (*refusals, *spoiled, *believed(heard, nobody, nobody)):
        step = await _forged(network, forgery, call)
        if step.beside:
            expect_raised(step, f"to {forgery.name}")


async def _can_tell_routes(network: Network, missing: str) -> bool:
    """Look whether the service words a missing session otherwise than a missing route."""
    import httpx  # noqa: PLC0415 - slow to import, and needed by few

    heard = Overheard()
    await _listened(network, heard, network.subject.load(missing), None)
    of_sessions = {
        (one.status, _without(one.body, target, missing))
        for (_, target), one in heard.exchanges.items()
    }
    nowhere = f"/{missing}/nowhere"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(network.proxy.place.rstrip("/") + nowhere)
    of_routes = answer.status_code, _without(answer.content, nowhere, missing)
    can_tell = of_routes not in of_sessions
    if not can_tell:
        network.subject.stand.note(
            "the service does not tell a missing session from a missing route: no 404 was tried"
        )
    return can_tell


def _without(body: bytes, target: str, session: str) -> bytes:
    """Take out of an answer what it repeats of the question."""
    return body.replace(target.encode(), b"").replace(session.encode(), b"")


async def _listened(network: Network, heard: Overheard, call: Call[Any], right: Any) -> None:
    """Make a call, and keep what was said over HTTP."""
    network.subject.stand.history.restart()
    network.proxy.arm(heard.fault())
    timeout = network.subject.stand.history.timeout
    try:
        # After a fault a store may ask its server nothing for a while.
        step = await works_in_time(lambda: call, timeout, is_expected=False)
    finally:
        network.proxy.disarm()
    step.require_answer()
    if right is not None and not is_right(step, right):
        raise StepFailed(step)


async def _forged(network: Network, forgery: Forgery, call: Call[Any]) -> Step:
    network.subject.stand.history.restart()
    step, armed = await network.under(forgery.fault, call)
    if armed.happened:
        step.beside = f"{armed.told[-1]}: {forgery.name}"
    has_had_its_time = network.subject.stand.history.timeout >= longest_silence(network)
    if armed.happened and step.outcome == "hung" and network.bound and has_had_its_time:
        # The server answers at once, so it is the store that does not come back.
        violated(
            f"{step.operation} neither answers nor raises to {forgery.name}",
            demanded="an exception, within the time-out of the store",
            answered=step.answered(),
        )
    if armed.happened and forgery.is_failure:
        _expect_supported(step, f"to {forgery.name}")
    return step


def _expect_supported(step: Step, situation: str) -> None:
    """Demand of what the store can do that it is not said to be impossible for good."""
    if step.outcome == "raised" and isinstance(step.error, NotImplementedError):
        violated(
            f"{step.operation} raises NotImplementedError {situation}",
            demanded="an exception that says that it has failed",
            answered=step.answered(),
        )


async def expect_bytes_checked(network: Network) -> None:
    """Have answers turn into rubbish, and come in pieces, where the kit knows no more of them."""
    subject = network.subject
    session = await network.session()
    for read in network.reads():
        about, lengths = await overheard(network, read.call(subject, session), session)
        for answer, length in lengths.items():
            for fault in (
                Fault(Deed.TRICKLE, about, answer),
                Fault(Deed.RUBBISH, about, answer),
                Fault(Deed.RUBBISH, about, answer, length // 2),
                Fault(Deed.RUBBISH, about, answer, length - 1),
            ):
                subject.stand.history.restart()
                step, _ = await network.under(fault, read.call(subject, session))
                expect_raised_or_right(step, read.right, worded(fault))
                await network.recover(session)
    for write in network.writes():
        control = await network.session("control")
        about, lengths = await overheard(network, write.call(subject, control), control)
        for answer, length in lengths.items():
            for after in (0, length // 2):
                session = await network.session()
                named = about and session.encode()
                fault = Fault(Deed.RUBBISH, named, answer, after)
                subject.stand.history.restart()
                step, _ = await network.under(fault, write.call(subject, session))
                await network.recover(control)
                await expect_raised_or_made(network, session, step, fault)
