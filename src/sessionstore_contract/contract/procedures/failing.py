"""What makes calls fail that were given what a chat says, by whatever there is at a place."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ... import permissions
from ...capabilities import Capability
from ...expect import NothingFound
from ...fault import Answer, Deed, Fault
from ...subject import at_once
from .network import behind_proxy, is_http
from .obstacles import FILE, aside
from .outcomes import expect_came_back, works_in_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...fault import Request
    from ...history import Call
    from ...subject import Subject
    from .contents import Contents, Watch
    from .network import Network

MOST_TABLES = 8
"""Tables of a place that are made to refuse rows, one after the other."""


async def hold(store: Subject, contents: Contents) -> str:
    """Make a session that holds the contents, and answer its id."""
    session = store.unused_id("told")
    await store.save(session, contents.messages())
    await store.update(session, cost_data=contents.costs())
    return session


def writes(store: Subject, session: str, contents: Contents) -> Iterator[Call[Any]]:
    """Make the calls that are given contents, on a session and on a new one."""
    yield store.save(session, contents.messages())
    yield store.update(session, cost_data=contents.costs())
    yield store.save(store.unused_id("new"), contents.messages())


def reads(store: Subject, session: str) -> Iterator[Call[Any]]:
    """Make the calls that are answered with contents."""
    yield store.load(session)
    if store.can(Capability.COST_READ):
        yield store.get_cost_data(session)


async def refused_values(store: Subject, watch: Watch, unstorable: Iterable[Any]) -> None:
    """Write contents beside values of which a store refuses some, and create a session again."""
    session, contents = await hold(store, watch.contents), watch.contents
    for value in unstorable:
        calls = (
            store.save(session, contents.messages({"content": value})),
            store.update(session, cost_data=contents.costs(bad=value)),
        )
        await watch.over(calls, "beside a value that can't be stored")
    await watch.over([store.create(session)], "of an id that is taken")


async def refusing_tables(store: Subject, watch: Watch) -> None:
    """Write contents where somebody has laid a constraint on a table, on each in turn."""
    session = await hold(store, watch.contents)
    for table in (await store.stand.tables())[:MOST_TABLES]:
        async with store.stand.refusing(table) as is_refusing:
            if is_refusing:
                calls = writes(store, session, watch.contents)
                await watch.over(calls, "where a constraint refuses the row")


async def unwritable_files(store: Subject, watch: Watch) -> None:
    """Write contents where nothing can be written, by an instance in use and by a new one."""
    async with aside(store) as folder:
        place = folder / "sessions" / FILE
        place.parent.mkdir()
        warm = await store.stand.open(str(place))
        session = await hold(warm, watch.contents)
        with permissions.taken(place.parent, of_files=0o555, of_folders=0o555):
            await watch.over(writes(warm, session, watch.contents), "where nothing can be written")
            await warm.close().perform(is_expected=False)
            opened = await store.stand.open_or_hear_why(str(place))
            if not isinstance(opened, Exception):
                calls = writes(opened, session, watch.contents)
                await watch.over(calls, "where nothing can be written")
                await opened.close().perform(is_expected=False)


async def faulty_network(store: Subject, watch: Watch) -> None:
    """Write and read contents where the server is away, or its answer is none."""
    try:
        network = await behind_proxy(store, is_bounded=True)
    except NothingFound:
        return  # what the store says goes another way
    session = await _held(network, watch.contents)
    faults = HTTP_FAULTS if is_http(network) else FAULTS
    for situation, fault in faults.items():
        for call in _all(network.subject, session, watch.contents):
            store.stand.history.restart()
            step, _ = await network.under(fault, call)
            expect_came_back(step, situation)
            watch.look(step, situation)
            await network.recover(session)
    network.proxy.refuse()
    store.stand.history.restart()
    # At once: each may take the whole of the store's own time-out.
    for step in await at_once(*_all(network.subject, session, watch.contents)):
        step.beside = "the server is away"
        watch.look(step, "while the server is away")


async def _held(network: Network, contents: Contents) -> str:
    """Make a session that holds the contents, past the proxy where that may be."""
    store, timeout = network.looking, network.subject.stand.history.timeout
    session = store.unused_id("told")
    for call in writes(store, session, contents):
        (await works_in_time(partial(_itself, call), timeout)).require_answer()
    return session


def _itself(call: Call[Any]) -> Call[Any]:
    return call


def _all(store: Subject, session: str, contents: Contents) -> Iterator[Call[Any]]:
    yield from writes(store, session, contents)
    yield from reads(store, session)


def _echo(status: HTTPStatus) -> Callable[[Request, Answer], Answer]:
    """Have a request answered with what it said, and one that said nothing with what it asked."""

    def spoil(request: Request, answer: Answer) -> Answer:
        said = request.raw.partition(b"\r\n\r\n")[2]
        return replace(answer, status=status, body=said or answer.body)

    return spoil


def _cut(_: Request, answer: Answer) -> Answer:
    # Of its last byte alone: wherever the contents are, they are still in it.
    return replace(answer, body=answer.body[:-1])


def _spoiling(spoil: Callable[[Request, Answer], Answer]) -> Fault:
    return Fault(Deed.FORGE, times=None, spoil=spoil)


HTTP_FAULTS = {
    "to a 422 that echoes": _spoiling(_echo(HTTPStatus.UNPROCESSABLE_ENTITY)),
    "to a 500 that echoes": _spoiling(_echo(HTTPStatus.INTERNAL_SERVER_ERROR)),
    "to a body that is cut": _spoiling(_cut),
}
"""Faults of a server of HTTP, by what is said of a call that meets with one."""
FAULTS = {
    "when a reset comes for its answer": Fault(Deed.RESET),
    "when its answer is rubbish": Fault(Deed.RUBBISH),
}
"""Faults of a server of which the kit knows no more."""
