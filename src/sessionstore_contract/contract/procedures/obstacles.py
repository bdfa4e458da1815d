"""Something between a store and its files: what it may answer, and what must be left afterwards."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import permissions
from ...capabilities import Capability
from ...expect import NothingFound, expect, expect_answer_or_error, violated
from ...subject import at_once
from .beginning import make_sure
from .burst import (
    BEFORE,
    COSTS,
    MORE_COSTS,
    NOTHING,
    Deed,
    State,
    expect_kept,
    write_in_turn,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from ...history import Call, Step
    from ...interface import Json
    from ...subject import Subject

NEW = [{"role": "user", "content": "new"}]
READINGS = 5
"""How often a session is read, one time after the other, while something is in the way."""
FILE = "sessions.db"
"""What a place is called, as on storage `file`."""


class Sessions(NamedTuple):
    """What was there before: read, and one for each write that changes a session."""

    read: str
    saved: str
    updated: str
    deleted: str


@asynccontextmanager
async def aside(store: Subject) -> AsyncIterator[Path]:
    """Lend a folder beside the store's place, in which nothing is but what the clause puts there.

    Raises:
        NothingFound: the place is no path.
    """
    folder = _folder_beside(store.place)
    try:
        yield folder
    finally:
        permissions.give_back(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _folder_beside(place: str | None) -> Path:
    beside = Path(place or "").absolute().parent
    if not place or not beside.is_dir():
        raise NothingFound("the place is no path: nothing can be put in its way")
    return Path(tempfile.mkdtemp(prefix="aside-", dir=beside))


async def make_sure_it_is_right(store: Subject) -> None:
    """Make sure that it does all that is asked of it later, when nothing is in its way."""
    await write_in_turn(store)
    session = store.unused_id("right")
    await make_sure(store.save(session, BEFORE), None)
    if store.can(Capability.COST_READ):
        await make_sure(store.get_cost_data(session), {})
    await make_sure(store.update(session, cost_data=COSTS), answer=True)
    for _ in range(READINGS):
        for call, answer in _reads(store, session):
            await make_sure(call, answer)
    await make_sure(store.save(session, NEW), None)
    await make_sure(store.load(session), NEW)
    store.stand.history.restart()


async def make_sure_it_keeps(store: Subject) -> None:
    """Make sure that it is right, and that what it writes is found by a new instance; close it."""
    await make_sure_it_is_right(store)
    session = store.unused_id("kept")
    await store.save(session, BEFORE)
    await store.close()
    another = await store.another()
    await make_sure(another.load(session), BEFORE)
    await another.close()
    store.stand.history.restart()


async def fill(store: Subject, place: Path) -> Sessions:
    """Make sessions at a place, and make sure that a new instance finds them there."""
    place.parent.mkdir(exist_ok=True)
    first = await store.stand.open(str(place))
    sessions = Sessions(*(first.unused_id("before") for _ in Sessions._fields))
    await first.exists(sessions.read)  # alone: a first use by many is another clause's matter
    for step in await at_once(*(first.save(one, BEFORE) for one in sessions)):
        step.require_answer()
    for step in await at_once(*(first.update(one, cost_data=COSTS) for one in sessions)):
        step.require_answer()
    await first.close()
    second = await store.stand.open(str(place))
    for session in sessions:
        await make_sure(second.load(session), BEFORE)
    for call, answer in _reads(second, sessions.read):
        await make_sure(call, answer)
    await second.close()
    return sessions


async def opened_hastily(
    store: Subject, place: Path, seconds: float, sessions: Sessions
) -> Subject | None:
    """Open a store that waits no longer than so many seconds; None where none works so."""
    try:
        hasty: Subject | None = await store.stand.open_bounded(str(place), seconds)
    except Exception:  # noqa: BLE001 - it may need longer to open
        return None
    if hasty is None:
        return None
    # All of an operation may be bounded so, and too short then for any.
    step = await hasty.load(sessions.read).perform(is_expected=False)
    if step.outcome == "answered":
        return hasty
    await hasty.close().perform(is_expected=False)
    return None


async def expect_back_before(hasty: Subject, seconds: float) -> None:
    """Demand of a write, bounded by a fraction of so many seconds, that it is back before these.

    It is waited for twice: a machine that stands still for a while is no store that waits.
    """
    call = hasty.save(hasty.unused_id("hasty"), NEW)
    save = asyncio.ensure_future(call.perform(is_expected=True))
    await asyncio.wait({save}, timeout=seconds / 2)
    _, overdue = await asyncio.wait({save}, timeout=seconds / 4)
    step = await save
    if overdue:
        violated(
            "save waits for a lock longer than the store was told to",
            demanded="an answer or an exception",
            answered=f"{step.answered()}, after more than {seconds * 3 / 4:.1f} s",
        )


def _reads(store: Subject, session: str) -> Iterator[tuple[Call[Any], Json]]:
    yield store.load(session), BEFORE
    yield store.exists(session), True
    if store.can(Capability.COST_READ):
        yield store.get_cost_data(session), COSTS


def writes(store: Subject, sessions: Sessions | None = None) -> list[Deed]:
    """Answer writes of sessions that are not there, and of those that are."""
    begun, created, old = store.unused_id("begun"), store.unused_id("created"), State(BEFORE, COSTS)
    deeds = [
        Deed("first save", store.save(begun, NEW), begun, NOTHING, State(NEW, {}), None),
        Deed("create", store.create(created), created, NOTHING, State([], {}), created),
    ]
    if sessions is None:
        return deeds
    _, saved, updated, deleted = sessions
    merged = State(BEFORE, {**COSTS, **MORE_COSTS})
    return [
        *deeds,
        Deed("save", store.save(saved, NEW), saved, old, State(NEW, COSTS), None),
        Deed("update", store.update(updated, cost_data=MORE_COSTS), updated, old, merged, True),
        Deed("delete", store.delete(deleted), deleted, old, NOTHING, True),
    ]


async def use(
    store: Subject, when: str, deeds: Sequence[Deed], sessions: Sessions | None = None
) -> None:
    """Read, write and close; demand of each answer that it is right, or of the call that it raises.

    What was acknowledged is not, after all, if closing raises.
    """
    # One after the other: a first use that fails for many at once is another clause's matter.
    for call, answer in _reads(store, sessions.read) if sessions else ():
        await _make(call, answer, when)
    for deed in deeds:
        deed.step = await _make(deed.call, deed.answer, when)
    closed = await store.close().perform(is_expected=False)
    if closed.outcome != "answered":
        for deed in deeds:
            deed.step = None


async def _make(call: Call[Any], answer: Json, when: str) -> Step:
    step = await call.perform(is_expected=True)
    step.beside = when
    expect_answer_or_error(step, answer, when)
    return step


async def use_where(
    store: Subject, place: Path, when: str, sessions: Sessions | None = None
) -> list[Deed]:
    """Open a store at a place, and use it; an opening that raises is an error as any other."""
    opened = await store.stand.open_or_hear_why(str(place))
    if isinstance(opened, Exception):
        return []
    deeds = writes(opened, sessions)
    await use(opened, when, deeds, sessions)
    return deeds


async def expect_all_there(
    store: Subject, place: Path, when: str, deeds: Sequence[Deed], sessions: Sessions | None = None
) -> None:
    """Demand, when nothing is in the way any more, that a new instance finds all and works."""
    opened = await store.stand.open_or_hear_why(str(place))
    if isinstance(opened, Exception):
        violated(
            f"{when} no store can be opened any more",
            demanded="a store",
            answered=str(opened),
        )
    kept = [] if sessions is None else [_untouched(opened, one) for one in sessions]
    touched = {deed.session for deed in deeds}
    await expect_kept(opened, [*(one for one in kept if one.session not in touched), *deeds], when)
    session = opened.unused_id("after")
    await expect(opened.save(session, NEW)).to_succeed()
    await expect(opened.load(session)).to_be(NEW)
    await opened.close()


def _untouched(store: Subject, session: str) -> Deed:
    old = State(BEFORE, COSTS)
    return Deed("earlier save", store.load(session), session, old, old, BEFORE)


def contents(folder: Path) -> dict[str, bytes]:
    """Read the files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
