"""A store with the kit between it and its server, in use; and what is done to it then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ...capabilities import Capability
from ...expect import NothingFound
from ...fault import Deed, Fault
from .beginning import make_sure
from .first_use import LONG_AGO
from .outcomes import works_in_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...fault import Armed
    from ...faults import Proxy
    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

MESSAGES: list[Json] = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two", "tokens": [1, 2, 3]},
]
COSTS: dict[str, Json] = {"turns": 1, "model": "m"}

BOUND = 1.0
"""Seconds that an operation may take of a store that was asked to be quick about it."""

OPENINGS = 3
"""How often what its first operation takes it may take instead, where that is longer: connecting
to a server that is far away takes several ways there and back."""


@dataclass(frozen=True)
class Read:
    """A call that changes nothing, and its one right answer."""

    operation: str
    call: Callable[[Subject, str], Call[Any]]
    right: Json


@dataclass(frozen=True)
class Write:
    """A call that changes something, and the answers that are right where it has."""

    operation: str
    call: Callable[[Subject, str], Call[Any]]
    right: tuple[Json, ...]


@dataclass
class Network:
    """A store that talks through the kit's proxy, and what it knows."""

    subject: Subject
    proxy: Proxy
    witness: Subject | None
    """Another instance, past the proxy; None where nobody else may be in."""
    bound: float | None
    """Seconds that its operations were asked to take at the most, if they were."""
    happened: dict[str, int] = field(default_factory=dict)
    """The faults that were made, by what they are."""

    @property
    def looking(self) -> Subject:
        """Whoever looks at what is stored when the server is well."""
        return self.witness or self.subject

    def reads(self) -> list[Read]:
        """The reads, of a session that holds MESSAGES and COSTS."""
        found = [
            Read("load", lambda one, session: one.load(session), MESSAGES),
            Read("exists", lambda one, session: one.exists(session), right=True),
        ]
        if self.subject.can(Capability.COST_READ):
            found.append(
                Read("get_cost_data", lambda one, session: one.get_cost_data(session), COSTS)
            )
        return found

    def writes(self) -> list[Write]:
        """The writes; all but `create` and `delete_before` are of a session that exists."""
        return [
            Write("save", lambda one, session: one.save(session, MESSAGES[:1]), (None,)),
            Write(
                "update", lambda one, session: one.update(session, cost_data={"turns": 2}), (True,)
            ),
            Write("create", lambda one, session: one.create(f"{session}-new"), ()),
            # False of a store that has tried it again by itself.
            Write("delete", lambda one, session: one.delete(session), (True, False)),
        ]

    def housekeeping(self) -> list[Call[Any]]:
        """What is asked of no session."""
        if not self.subject.can(Capability.RETENTION):
            return []
        return [self.subject.delete_before(LONG_AGO)]

    async def session(self, stem: str = "session") -> str:
        """Make a session that holds MESSAGES and COSTS, past the proxy where that may be."""
        session = self.looking.unused_id(stem)
        # Who looks may have been idle for so long that the server has ended its connection; where
        # nobody else may be in, it is who met with a fault, and may wait before it connects again.
        timeout = self.subject.stand.history.timeout
        step = await works_in_time(partial(self.looking.save, session, MESSAGES), timeout)
        step.require_answer()
        await make_sure(self.looking.update(session, cost_data=COSTS), answer=True)
        return session

    async def opened(self) -> Subject | None:
        """Open the store once more behind the proxy; None where opening raises."""
        stand = self.subject.stand
        try:
            if self.bound is not None:
                return await stand.open_bounded(self.proxy.place, self.bound)  # type: ignore[no-any-return]
            return await stand.open_at(self.proxy.place)  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001 - opening that fails is a failed first use
            return None

    async def under(self, fault: Fault, call: Call[Any]) -> tuple[Step, Armed]:
        """Make a call while a fault lies in wait for it, and then no more."""
        armed = self.proxy.arm(fault)
        try:
            step = await call.perform(is_expected=True)
        finally:
            self.proxy.disarm()
        self.note(step, armed)
        return step, armed

    def note(self, step: Step, armed: Armed) -> None:
        """Keep what has become of a fault, and tell it beside the step."""
        if armed.happened:
            step.beside = armed.told[-1]
            deed = str(armed.fault.deed)
            self.happened[deed] = self.happened.get(deed, 0) + armed.happened

    def tell(self) -> None:
        """Put the faults that were made beside the verdict.

        Raises:
            NothingFound: there were none.
        """
        if not self.happened:
            raise NothingFound("no fault has happened: nothing was said where it was to happen")
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.happened.items()))
        self.subject.stand.note(f"what the kit did: {told}")

    async def recover(self, session: str) -> None:
        """Use the store until it works again, so that the next fault meets a store in use."""
        timeout = self.subject.stand.history.timeout
        step = await works_in_time(partial(self.subject.exists, session), timeout)
        step.require_answer()


async def behind_proxy(store: Subject, *, is_bounded: bool = False) -> Network:
    """Open a store that talks through the kit, and use it.

    With `is_bounded` its operations take about a second at the most, where the backend says how,
    and more where a second is too short for it.

    Raises:
        NothingFound: what it says does not come by the kit.
    """
    seconds = await bound_for(store) if is_bounded else BOUND
    if not store.can(Capability.SHARED):
        # It may let nobody else in while it is open.
        await store.close()
    proxy = await store.stand.stand_between()
    proxy.forward()
    subject = await store.stand.open_bounded(proxy.place, seconds) if is_bounded else None
    bound = None if subject is None else seconds
    if subject is None:
        subject = await store.stand.open_at(proxy.place)
    witness = store if store.can(Capability.SHARED) else None
    network = Network(subject, proxy, witness, bound)
    session = await network.session("warm")
    # Twice: a driver prepares at the first time what it uses at the second.
    for _ in range(2):
        for read in network.reads():
            await make_sure(read.call(subject, session), read.right)
        await make_sure(subject.update(session, cost_data={"turns": 1}), answer=True)
        await subject.save(session, MESSAGES)
    if not proxy.passed:
        raise NothingFound(
            "the store works, and nothing of it came by the address that it was opened at"
        )
    return network


async def bound_for(store: Subject) -> float:
    """Answer the seconds that an operation may take; the store was not used yet."""
    step = await store.exists(store.unused_id()).perform(is_expected=False)
    store.stand.history.restart()
    return max(BOUND, OPENINGS * step.waited)


async def written_by_another(network: Network, session: str) -> dict[str, Json]:
    """Have another instance write a session, and answer what each read is to find there now.

    Where nobody else may be in, that is what it was.
    """
    found = {read.operation: read.right for read in network.reads()}
    if network.witness is not None:
        await network.witness.save(session, MESSAGES[:1])
        await make_sure(network.witness.update(session, cost_data={"turns": 2}), answer=True)
        found |= {"load": MESSAGES[:1], "get_cost_data": {**COSTS, "turns": 2}}
    return found


async def overheard(
    network: Network, call: Call[Any], session: str
) -> tuple[bytes | None, dict[int, int]]:
    """Make a call that nothing is done to, and find out where a fault can strike it.

    Answers by which words of it its conversation is known, if by any, and how long its answers are.
    """
    about = session.encode()
    named = network.proxy.arm(Fault(Deed.LISTEN, about=about, times=None))
    plain = network.proxy.arm(Fault(Deed.LISTEN, times=None))
    # After a fault a store may ask its server nothing for a while.
    timeout = network.subject.stand.history.timeout
    step = await works_in_time(lambda: call, timeout, is_expected=False)
    network.proxy.disarm()
    step.require_answer()
    if named.lengths:
        return about, dict(named.lengths)
    return None, dict(plain.lengths)


def is_http(network: Network) -> bool:
    """Answer whether what is said can be read, and answered by the kit."""
    return network.proxy.place.startswith("http://")


async def is_happening(armed: Armed, task: asyncio.Future[Any]) -> bool:
    """Wait until a fault has happened, or the task that it waits for is done."""
    first = asyncio.wrap_future(armed.first)
    await asyncio.wait({first, task}, return_when=asyncio.FIRST_COMPLETED)
    first.cancel()
    return armed.happened > 0
