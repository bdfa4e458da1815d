"""Several instances, and several processes, on one place are one store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from ..expect import expect
from .procedures.beginning import begin_with, make_sure
from .procedures.beside_a_writer import expect_first_use_waits
from .procedures.first_use import (
    expect_first_use_works,
    expect_first_use_works_in_processes,
    rounds,
)

if TYPE_CHECKING:
    from ..subject import Subject

OLD = {"role": "user", "content": "old"}
NEW = {"role": "user", "content": "new"}


@must(
    "sharing.writes-are-seen-at-once",
    "What one instance wrote, another reads as soon as the write has returned.",
    because="The next request of a chat is served by another worker.",
    remedy="Commit before you answer; read from the storage, or invalidate caches in every "
    "instance; no replica that lags behind.",
    needs={Capability.SHARED},
    evidence=["langgraph#3762"],
)
async def writes_are_seen_at_once(store: Subject) -> None:
    await _sees_writes(store, await store.another(), "another instance")


@must(
    "sharing.processes-see-each-other",
    "What one process wrote, another reads as soon as the write has returned.",
    because="A chat server runs as several processes.",
    remedy="Keep nothing in the process; SQLite: commit each write and end each read's "
    "transaction.",
    needs={Capability.MULTI_PROCESS},
    follows=["sharing.writes-are-seen-at-once"],
)
async def processes_see_each_other(store: Subject) -> None:
    elsewhere = await store.elsewhere()
    await _sees_writes(store, elsewhere, "another process")
    await _sees_writes(elsewhere, store, "another process")


@must(
    "sharing.first-use-may-be-concurrent",
    "Several instances, and several processes, that are first used at once, on one fresh place, "
    "all work.",
    because="All workers of a new installation start at the same moment.",
    remedy="Make the tables under a lock that all instances share. PostgreSQL: CREATE TABLE IF NOT "
    "EXISTS may still fail on pg_type or pg_class; take pg_advisory_xact_lock first. SQLite: set "
    "the busy time-out first, and BEGIN IMMEDIATE; `PRAGMA journal_mode=WAL` does not always wait "
    "for it, so try that again. A file: os.makedirs with exist_ok, and a lock file.",
    needs={Capability.SHARED},
    evidence=["openai-agents-python#4987", "psycopg2#1036"],
    places=lambda effort: 2 * rounds(effort),
)
async def first_use_may_be_concurrent(store: Subject) -> None:
    for number in range(rounds(store.stand.effort)):
        store.stand.history.restart()
        first = store if number == 0 else await store.on_fresh_place()
        instances = [first] + [await first.another() for _ in range(3)]
        await expect_first_use_works("first use of several instances at once", *instances)
        for instance in instances:
            await instance.close()
    if not store.can(Capability.MULTI_PROCESS):
        return
    # That processes see each other is demanded by another clause.
    user = await store.first_user()
    await make_sure(user.exists(await user.create()), answer=True)
    # What instances of one process wait for, such as a lock of the library's, stops no other one.
    what = "first use of several processes at once"
    await expect_first_use_waits(first, what)
    for turn in range(rounds(store.stand.effort)):
        store.stand.history.restart()
        user = await (await store.on_fresh_place()).first_user()
        await expect_first_use_works_in_processes(what, user, turn)


async def _sees_writes(writer: Subject, reader: Subject, name: str) -> None:
    session = writer.unused_id("shared")
    # The reader has looked before: what it may have cached is out of date from now on.
    await expect(reader.exists(session)).to_be(False)
    await writer.create(session)
    await expect(reader.load(session)).to_be(
        [], rather_than={f"{name} does not see a created session": None}
    )
    await expect(reader.exists(session)).to_be(
        True, rather_than={f"{name} does not see that a session exists": False}
    )
    for messages, before in (([OLD], []), ([OLD, NEW], [OLD])):
        await writer.save(session, messages)
        await expect(reader.load(session)).to_be(
            messages,
            rather_than={
                f"{name} does not see a saved session": None,
                f"{name} reads an out-of-date history": before,
            },
        )
    if writer.can(Capability.COST_READ):
        await expect(reader.get_cost_data(session)).to_be({})
        for turns in (1, 2):
            await writer.update(session, cost_data={"turns": turns})
            await expect(reader.get_cost_data(session)).to_be(
                {"turns": turns},
                rather_than={
                    f"{name} reads out-of-date cost data": {"turns": turns - 1},
                    f"{name} does not see cost data": {},
                },
            )
    await writer.delete(session)
    await expect(reader.load(session)).to_be(
        None, rather_than={f"{name} still reads a deleted session": [OLD, NEW]}
    )
    await expect(reader.exists(session)).to_be(
        False, rather_than={f"{name} still sees a deleted session": True}
    )
    if writer.can(Capability.COST_READ):
        # What is left of a deleted session is another clause's: the writer knows.
        left = await writer.get_cost_data(session)
        await expect(reader.get_cost_data(session)).to_be(
            left,
            rather_than={f"{name} still reads the cost data of a deleted session": {"turns": 2}},
        )
    if writer.can(Capability.RETENTION):
        await _sees_housekeeping(writer, reader, name)


async def _sees_housekeeping(writer: Subject, reader: Subject, name: str) -> None:
    """Have what the reader knows removed for its age; which sessions that are is not asked here."""
    session = await writer.create()
    await begin_with(writer, session, messages=[OLD], cost_data={"turns": 1})
    await make_sure(reader.load(session), [OLD])
    await make_sure(reader.exists(session), answer=True)
    if reader.can(Capability.COST_READ):
        await make_sure(reader.get_cost_data(session), {"turns": 1})
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    step = await writer.delete_before(tomorrow).perform(is_expected=False)
    if step.outcome != "answered" or await writer.exists(session):
        return
    left = await writer.load(session)
    await expect(reader.load(session)).to_be(
        left, rather_than={f"{name} still reads a session that delete_before removed": [OLD]}
    )
    await expect(reader.exists(session)).to_be(
        False, rather_than={f"{name} still sees a session that delete_before removed": True}
    )
    if reader.can(Capability.COST_READ):
        spent = await writer.get_cost_data(session)
        await expect(reader.get_cost_data(session)).to_be(
            spent,
            rather_than={
                f"{name} still reads the cost data of a session that delete_before removed": {
                    "turns": 1
                }
            },
        )
