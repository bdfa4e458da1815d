"""Idle sessions are removed by the instant of their last activity; nothing else is."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import tables
from ..capabilities import Capability
from ..clause import must
from ..expect import NothingFound, expect, expect_all_answered, violated
from ..subject import at_once
from .procedures.activity import LONG, in_a_later_instant
from .procedures.beginning import begin_with, make_sure
from .procedures.clients import several, twelve_of
from .procedures.clock import by_its_own_clock
from .procedures.keeping import performed
from .procedures.many import GROUP, in_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..history import Call
    from ..subject import Subject

NOW = {"role": "user", "content": "now"}
BEFORE = {"role": "user", "content": "before"}
HOUR = timedelta(hours=1)
HOUSEKEEPERS = 4
"""Who remove idle sessions at once: each worker of a server may have such a job."""
AT_ONCE = 6
"""Sessions that they find."""
WRITES = 300
"""More than there are between two times that a log is written anew."""
LATE = 900_000
"""Microseconds of a second after which the next one is waited for."""
MINUTES = timedelta(minutes=10)
"""More than clocks differ by, and less than an offset is off by where it is taken as whole hours,
or as half ones."""
OFFSETS = [
    timezone(timedelta(hours=hours, minutes=minutes))
    for hours, minutes in ((5, 45), (-9, -30), (14, 0), (-12, 0))
]

FIRST = datetime.min.replace(tzinfo=timezone(HOUR))
LAST = datetime.max.replace(tzinfo=timezone(-HOUR))


@must(
    "retention.goes-by-last-activity",
    "`delete_before` removes the sessions whose last activity (`create`, `save` or an effective "
    "`update`) is before the cutoff; the age of a session and reads don't count.",
    because="The longest chats are the oldest by creation and the dearest to their owners.",
    remedy="Set `updated_at` in create, save and update, and compare that column; whoever writes a "
    'log anew keeps the times that are in it. As text: `isoformat(timespec="microseconds")`, for '
    "without that a whole second has no fraction, and `00Z` comes after `00.5Z`. PostgreSQL: a "
    "TIMESTAMPTZ; in a TIMESTAMP `now()` is the server's local time.",
    needs={Capability.RETENTION},
    evidence=["context-mode#1140", "goose#11224"],
)
async def goes_by_last_activity(store: Subject) -> None:
    await in_a_later_instant(store, _six_fates, sessions=6)
    await in_a_later_instant(store, _idle_beside_much_writing)
    await _active_since_a_whole_second(store)


async def _six_fates(  # noqa: PLR0917
    store: Subject,
    idle: str,
    read: str,
    emptied: str,
    saved: str,
    resaved: str,
    updated: str,
    cutoff: datetime,
) -> None:
    await store.update(emptied, cost_data={})
    await store.load(read)
    await store.exists(read)
    if store.can(Capability.COST_READ):
        await store.get_cost_data(read)
    await store.save(saved, [NOW])
    await store.save(resaved, [BEFORE])
    await store.update(updated, cost_data={"now": 1})
    created = await store.create()

    await expect(store.delete_before(cutoff)).to_succeed()
    await expect(store.exists(idle)).to_be(
        False, rather_than={"delete_before keeps idle sessions": True}
    )
    await expect(store.exists(saved)).to_be(
        True, rather_than={"delete_before removes a session that was saved since": False}
    )
    await expect(store.exists(resaved)).to_be(
        True, rather_than={"a save of the same history does not count as activity": False}
    )
    await expect(store.exists(updated)).to_be(
        True, rather_than={"delete_before removes a session that was updated since": False}
    )
    await expect(store.exists(created)).to_be(
        True, rather_than={"delete_before removes a session that was created since": False}
    )
    await expect(store.exists(read)).to_be(
        False, rather_than={"a session that was read counts as active": True}
    )
    await expect(store.exists(emptied)).to_be(
        False, rather_than={"an empty update counts as activity": True}
    )


async def _idle_beside_much_writing(store: Subject, idle: str, cutoff: datetime) -> None:
    neighbours = [store.unused_id("neighbour") for _ in range(GROUP)]
    writes = (store.save(neighbours[number % GROUP], [NOW]) for number in range(WRITES))
    for step in await in_groups(writes):
        step.require_answer()
    await expect(store.delete_before(cutoff)).to_succeed()
    await expect(store.exists(idle)).to_be(
        False, rather_than={"many writes of other sessions count as activity of all": True}
    )


async def _active_since_a_whole_second(store: Subject) -> None:
    """Go by what a store does with a later cutoff: then whatever its clock says, it must do so."""
    session = await store.create()
    now = datetime.now(UTC)
    if now.microsecond > LATE:
        await asyncio.sleep(1 - now.microsecond / 1e6)
        now = datetime.now(UTC)
    await store.save(session, [NOW])
    second = now.replace(microsecond=0)
    await store.delete_before(second.replace(microsecond=1))
    if await store.exists(session):
        await store.delete_before(second)
        await expect(store.exists(session)).to_be(
            True, rather_than={"a cutoff on a whole second removes what was active since": False}
        )


@must(
    "retention.counts-what-it-removed",
    "`delete_before` answers how many sessions it removed, and removes all of them, whatever they "
    "hold; several at once count each session once.",
    because="The housekeeping job logs the figure, and stops when it is 0.",
    remedy="`cursor.rowcount`, or the count of the DELETE's status; no SELECT before it, and no "
    "LIMIT without a loop.",
    needs={Capability.RETENTION},
)
async def counts_what_it_removed(store: Subject) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await expect(store.delete_before(tomorrow)).to_succeed()
    count = store.stand.effort.sessions
    began = time.monotonic()
    steps = await in_groups(store.create() for _ in range(count))
    # As long as making them one after the other would take: one transaction each may be needed.
    patience = GROUP * (time.monotonic() - began)
    for step in steps:
        step.require_answer()
    sessions = [step.answer for step in steps]
    if len({*sessions, ""}) != count + 1:
        raise NothingFound("create does not make fresh ids: see lifecycle.create-makes-fresh-ids")
    for session in sessions[:2]:
        await store.save(session, [NOW, BEFORE])
    await store.save(sessions[2], [])
    for session in sessions[3:6]:
        await store.update(session, cost_data={"turns": 1, "model": "m"})

    await expect(store.delete_before(tomorrow).given(patience)).to_be(
        count,
        rather_than={
            "delete_before removes 100 at a time": 100,
            "delete_before removes 1,000 at a time": 1000,
            "delete_before removes a session at a time": 1,
            "delete_before does not count": 0,
            "delete_before counts nothing but success": True,
            "delete_before answers the driver's -1": -1,
            "delete_before spares sessions without messages": 2,
            "delete_before spares sessions without cost data": 3,
            "delete_before spares sessions with messages": count - 2,
            "delete_before spares sessions with cost data": count - 3,
            "delete_before counts rows, not sessions": count + 6,
        },
    )
    for session in sessions[:7]:
        await expect(store.exists(session)).to_be(
            False, rather_than={"delete_before keeps what it counted": True}
        )
    await expect(store.delete_before(tomorrow)).to_be(0)
    if store.can(Capability.COST_READ):
        for session, make_again in (
            (sessions[3], store.save(sessions[3], [])),
            (sessions[4], store.create(sessions[4])),
        ):
            await make_again
            await expect(store.get_cost_data(session)).to_be(
                {},
                rather_than={"delete_before leaves cost data behind": {"turns": 1, "model": "m"}},
            )
    await _counts_once(store, tomorrow)


async def _counts_once(store: Subject, tomorrow: datetime) -> None:
    """Let several housekeepers remove the same sessions at once."""
    clients = twelve_of(await several(store))[:HOUSEKEEPERS]
    for _ in range(store.stand.effort.rounds):
        store.stand.history.restart()
        await store.delete_before(tomorrow)
        for _ in range(AT_ONCE):
            await store.create()
        steps = await at_once(*(one.delete_before(tomorrow) for one in clients))
        counts = [step.answer_as_given for step in steps]
        if any(type(count) is not int for count in counts):
            return  # That contention is no error is another clause's.
        if sum(counts) != AT_ONCE:
            how = "counts some twice" if sum(counts) > AT_ONCE else "does not count all"
            violated(
                f"delete_before beside another {how}",
                demanded=f"{AT_ONCE} by all of them together",
                answered="; ".join(step.answered() for step in steps),
            )


@must(
    "retention.compares-instants",
    "The same instant in another UTC offset, or under another time zone of the process or of the "
    "database, gives the same result.",
    because="A job in Karachi deletes the live chats of the last five hours when times are "
    "compared as text; where they are local ones, so does the night in which clocks are put back.",
    remedy="`cutoff.astimezone(UTC)` before it is worded or bound, and `datetime.now(UTC)` for "
    "what is kept: neither `now()` nor `utcnow()`. TIMESTAMPTZ, not TIMESTAMP.",
    needs={Capability.RETENTION},
    evidence=["origin"],
)
async def compares_instants(store: Subject) -> None:
    await by_its_own_clock(store, partial(_compares_instants, store))
    await _ends_of_time(store)


async def _compares_instants(store: Subject, ahead: timedelta) -> None:
    await _removes_what_is_idle(store, ahead)
    for offset in OFFSETS:
        session = await store.create()
        await begin_with(store, session, messages=[NOW])

        await store.delete_before((datetime.now(UTC) + ahead - MINUTES).astimezone(offset))
        await expect(store.exists(session)).to_be(
            True, rather_than={"the offset of the cutoff is ignored: live sessions go": False}
        )
        await store.delete_before((datetime.now(UTC) + ahead + MINUTES).astimezone(offset))
        await expect(store.exists(session)).to_be(
            False, rather_than={"the offset of the cutoff is ignored: idle sessions stay": True}
        )
    for written_in, removed_in in (("WEST5", "EAST-5"), ("EAST-5", "WEST5")):
        with time_zone(written_in):
            session = await store.create()
            await begin_with(store, session, messages=[NOW])
        with time_zone(removed_in):
            await store.delete_before(datetime.now(UTC) + ahead - MINUTES)
            await expect(store.exists(session)).to_be(
                True, rather_than={"times are those of the process's zone: live sessions go": False}
            )
            await store.delete_before(datetime.now(UTC) + ahead + MINUTES)
        await expect(store.exists(session)).to_be(
            False, rather_than={"times are those of the process's zone: idle sessions stay": True}
        )
    if store.can(Capability.SHARED):
        await _under_another_zone_of_the_server(store, ahead)


async def _under_another_zone_of_the_server(store: Subject, ahead: timedelta) -> None:
    session = await store.create()
    await begin_with(store, session, messages=[NOW])
    # As far east as there is one: what is taken for a local time there is long ago.
    async with tables.in_zone(store.place, "EAST-14") as is_another:
        if not is_another:
            return
        other = await store.another()
        await other.delete_before(datetime.now(UTC) + ahead - MINUTES)
        await expect(other.exists(session)).to_be(
            True, rather_than={"times are those of the server's zone: live sessions go": False}
        )
        await other.save(session, [NOW])
        await other.delete_before(datetime.now(UTC) + ahead + MINUTES)
        await expect(other.exists(session)).to_be(False)
        await other.close()


async def _ends_of_time(store: Subject) -> None:
    """Take cutoffs that no UTC time of Python's is equal to; they may be refused."""
    session = await store.create()
    await begin_with(store, session, messages=[NOW])
    await performed(store.delete_before(FIRST))
    await expect(store.exists(session)).to_be(
        True, rather_than={"a cutoff before the first of all times removes live sessions": False}
    )
    step = await performed(store.delete_before(LAST))
    if step.outcome == "answered":
        await expect(store.exists(session)).to_be(
            False, rather_than={"a cutoff after the last of all times removes nothing": True}
        )


async def _removes_what_is_idle(store: Subject, ahead: timedelta) -> None:
    """Make sure that a session which stays says something about the cutoff."""
    session = await store.create()
    await make_sure(store.exists(session), answer=True)
    await store.delete_before(datetime.now(UTC) + ahead + HOUR)
    if await store.exists(session):
        raise NothingFound("delete_before keeps idle sessions: see retention.goes-by-last-activity")


@must(
    "retention.naive-cutoff-never-means-local",
    "A naive cutoff is refused or read as UTC, whatever the process's TZ.",
    because="The same job removes other sessions on another machine.",
    remedy="Raise ValueError when `cutoff.tzinfo is None`, or `cutoff.replace(tzinfo=UTC)`; "
    "`astimezone` and asyncpg both take a naive time for a local one.",
    needs={Capability.RETENTION},
    evidence=["origin", "odysseus#2039"],
)
async def naive_cutoff_never_means_local(store: Subject) -> None:
    await by_its_own_clock(store, partial(_never_means_local, store))


async def _never_means_local(store: Subject, ahead: timedelta) -> None:
    await _removes_what_is_idle(store, ahead)
    for zone, shift, is_kept in (("WEST5", -HOUR, True), ("EAST-5", HOUR, False)):
        session = await store.create()
        await begin_with(store, session, messages=[NOW])
        with time_zone(zone):
            naive = (datetime.now(UTC) + ahead + shift).replace(tzinfo=None)
            step = await store.delete_before(naive).perform(is_expected=True)
        refused = step.outcome == "raised"
        await expect(store.exists(session)).to_be(
            is_kept or refused,
            rather_than={"a naive cutoff is read as local time": not (is_kept or refused)},
        )


@contextmanager
def time_zone(zone: str) -> Iterator[None]:
    """Set the process's zone, as POSIX words it; without tzset (Windows) it stays as it is."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    reread = getattr(time, "tzset", lambda: None)
    reread()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        reread()


@must(
    "retention.survivors-are-whole",
    "Survivors keep messages and cost data, one that is saved or updated while `delete_before` "
    "runs too.",
    because="Housekeeping runs beside live chats.",
    remedy="One DELETE with the condition in it. Not: collect the ids, then delete each, which "
    "removes what was saved in between.",
    needs={Capability.RETENTION},
    evidence=["govuk-prototype-kit#2399"],
)
async def survivors_are_whole(store: Subject) -> None:
    await in_a_later_instant(store, _saved_meanwhile, sessions=31, long=1)


async def _saved_meanwhile(store: Subject, long: str, *sessions_and_cutoff: str | datetime) -> None:
    *sessions, cutoff = sessions_and_cutoff
    await make_sure(store.update(store.unused_id(), cost_data={"now": 1}), answer=False)
    await make_sure(store.update(long, cost_data={"before": 2}), answer=True)
    survivor = await store.create()
    await begin_with(store, survivor, messages=[NOW], cost_data={"turns": 1})
    saved = [str(session) for session in sessions[::2]]
    updated = [str(session) for session in sessions[1::2]]
    writes: list[Call[Any]] = []
    for save, update in zip(saved, updated, strict=True):
        writes += [store.save(save, [NOW]), store.update(update, cost_data={"now": 1})]
    middle = len(writes) // 2

    steps = await at_once(
        *writes[:middle],
        store.delete_before(cutoff),  # type: ignore[arg-type]  # the last of the arguments
        *writes[middle:],
    )
    expect_all_answered(steps, "writes beside delete_before")
    for session in saved:
        await expect(store.load(session)).to_be(
            [NOW],
            rather_than={
                "a session saved while delete_before runs is removed": None,
                "a session saved while delete_before runs is emptied": [],
                "a session saved while delete_before runs keeps the old history": [BEFORE],
            },
        )
        if store.can(Capability.COST_READ):
            await expect(store.get_cost_data(session)).to_be_one_of([{"before": 1}, {}])
    # An update that came too late is told so: False.
    for step in steps:
        if step.operation != "update" or step.answer_as_given is not True:
            continue
        session = step.arguments[0]
        await expect(store.load(session)).to_be(
            [BEFORE], rather_than={"a session updated while delete_before runs is removed": None}
        )
    await expect(store.load(long)).to_be(
        LONG, rather_than={"an update beside a long history does not count as activity": None}
    )
    await expect(store.load(survivor)).to_be(
        [NOW], rather_than={"a survivor loses its messages": []}
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(survivor)).to_be(
            {"turns": 1}, rather_than={"a survivor loses its cost data": {}}
        )
