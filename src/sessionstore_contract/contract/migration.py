"""A place of an earlier release is brought up to date, and loses nothing on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .. import built_upon, tables
from ..capabilities import Capability
from ..clause import OldPlace, must, should
from ..expect import NothingFound, Violation, expect, expect_all_answered, violated
from ..history import word_error
from ..old_layout import (
    CREATED,
    CUTOFF,
    LATER_RELEASE,
    MESSAGES,
    OLD_SESSIONS,
    RECENT,
    RECENT_MESSAGES,
    SESSION,
    OldSession,
    look,
    look_beside,
    messages_of,
    put,
    untouched,
    untouched_beside,
)
from ..subject import at_once
from ..values import are_equal, word
from .procedures.beginning import make_sure
from .procedures.first_use import at_once_together, rounds
from .procedures.keeping import performed
from .procedures.old_sessions import (
    IDLE,
    NEW_COSTS,
    NEW_MESSAGES,
    OPERATIONS,
    expect_old_sessions,
    first_operations,
    in_this_case,
    make_sure_of_old_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..effort import Effort
    from ..history import Step
    from ..interface import Json
    from ..subject import Subject

TOGETHER = 4
"""Instances that migrate one place at once, or processes, each of which makes one call of two."""


@must(
    "migration.old-sessions-are-there",
    "The first operation on a place of an earlier release, whichever it is, works and finds the "
    "old sessions, whose cost data is {}.",
    because="After an upgrade the first request is anybody's. Where only one way leads through the "
    "migration, the others fail with `no such column`, or begin with an empty store.",
    remedy="Migrate in the one function through which every operation gets its connection. Add "
    "what is missing (ALTER TABLE ... ADD COLUMN cost_data), and read NULL as {}. A document or "
    "hash: read a missing member as {}.",
    needs={Capability.MIGRATION},
    evidence=["adk-python#3272", "adk-python#456"],
    old_place=OldPlace.WITHOUT_COST_DATA,
    places=OPERATIONS,
    follows=["cost.null-column-counts-as-empty"],
)
async def old_sessions_are_there(store: Subject) -> None:
    for number, (operation, first) in enumerate(first_operations(store).items()):
        store.stand.history.restart()
        old = store if number == 0 else await store.on_old_place()
        call, demanded, rivals = first
        await expect(call(old)).to_be(demanded, rather_than=rivals)
        is_changing = operation in {"update", "save", "delete"}
        await expect_old_sessions(old, but=SESSION if is_changing else None)
        await old.close()


@must(
    "migration.old-times-stand",
    "Migrating is no activity: `delete_before` goes by the last activity of old sessions.",
    because="A migration that dates every session anew keeps for another term what was to be "
    "removed; one that leaves no date lets the next housekeeping remove all of them.",
    remedy="ALTER TABLE, not UPDATE; where rows are rewritten, carry `updated_at` over. Read every "
    "form of time that an earlier release has written.",
    needs={Capability.MIGRATION, Capability.RETENTION},
    old_place=OldPlace.WITHOUT_COST_DATA,
    places=2,
)
async def old_times_stand(store: Subject) -> None:
    await make_sure(store.load(SESSION), MESSAGES)
    await _goes_by_old_times(store)
    later = await store.on_old_place()
    # A whole minute, which no store rounds.
    await expect(later.delete_before(CREATED)).to_be(
        0, rather_than={"what was last active at the cutoff itself is removed": IDLE}
    )
    await _goes_by_old_times(later)


async def _goes_by_old_times(store: Subject) -> None:
    await expect(store.delete_before(CUTOFF)).to_be(
        IDLE, rather_than={"migrating counts as activity": 0}
    )
    await expect(store.exists(RECENT)).to_be(
        True, rather_than={"a session that was active after the cutoff is removed": False}
    )
    await expect(store.exists(SESSION)).to_be(False)


@must(
    "migration.keeps-what-it-does-not-know",
    "Columns, tables, indexes, triggers, views and rows survive the migration, whoever has made "
    "them, and none of them stops it.",
    because="Operators add a tenant and an index, plugins a table and a trigger. A migration that "
    "makes the table anew takes away what it has never heard of; one that tidies up takes rows.",
    remedy="ALTER TABLE ... ADD COLUMN. No copying into a new table, no DROP, no DELETE. Ask the "
    "catalogue for the table in your own schema.",
    needs={Capability.MIGRATION, Capability.REFERENCE_LAYOUT},
    evidence=["openai-agents-python#4729"],
    old_place=OldPlace.BUILT_UPON,
    follows=["migration.old-sessions-are-there"],
)
async def keeps_what_it_does_not_know(store: Subject) -> None:
    place = store.place or ""
    await _migrate_beside_others(store, place)
    await store.create()
    _expect_untouched("columns", await look(place), untouched())
    _expect_untouched("a table or an index", await look_beside(place), untouched_beside())
    built = await built_upon.try_out(place)
    for what, demanded in built_upon.as_built(len(OLD_SESSIONS) + 1).items():
        _expect_untouched(what, built[what], demanded)
    await _a_trigger_sees_updates(store, place)


async def _update_both(store: Subject, *, turns: int) -> None:
    for session in (built_upon.SHORT, built_upon.LONG):
        await expect(store.update(session, cost_data={"turns": turns})).to_be(True)


async def _a_trigger_sees_updates(store: Subject, place: str) -> None:
    """Demand that others see updates of a long session, where they see those of a short one."""
    await _update_both(store, turns=1)
    before = await built_upon.written(place)
    await _update_both(store, turns=2)
    await store.close()
    after = await built_upon.written(place)
    short, long = (now - then for now, then in zip(after, before, strict=True))
    if short and not long:
        violated(
            "a trigger of others does not see an update of a long chat",
            demanded="what it sees of a short one",
            answered=f"it has seen {short} of a short one, and none",
        )


def _expect_untouched(what: str, found: Json, demanded: Json) -> None:
    if not are_equal(found, demanded):
        violated(
            f"migrating changes {what} of others", demanded=word(demanded), answered=word(found)
        )


async def _migrate_beside_others(store: Subject, place: str) -> None:
    """Demand that the old session is found, whatever others have built beside it.

    Raises:
        NothingFound: the store refuses rows that no store has written: that is its right.
    """
    first = await store.update(SESSION, cost_data=NEW_COSTS).perform(is_expected=False)
    is_refused = first.outcome != "answered"
    if is_refused:
        await built_upon.remove_odd_rows(place)
        await store.reopen()
    try:
        await expect(store.update(SESSION, cost_data=NEW_COSTS)).to_be(True)
        await expect(store.load(SESSION)).to_be(MESSAGES)
    except Violation as violation:
        raise in_this_case("others have built on the table", violation) from None
    if is_refused:
        raise NothingFound("the store migrates no table with rows that can't be read")


def _crashes(effort: Effort) -> int:
    """Answer how many places a migration may be killed on, beside the first two."""
    return 2 + max(12, min(60, effort.points // 4))


@must(
    "migration.is-idempotent",
    "A place that was migrated can be opened again, and so can one whose migration was killed, "
    "wherever it was.",
    because="Servers are killed while they start, most of all while they start for long. A "
    "migration that left a half behind and does not go on from there is an outage.",
    remedy="One transaction around all of it, with the mark that it was made inside (SQLite and "
    "PostgreSQL can roll back DDL); elsewhere, steps that look at what is there, each of which may "
    "be made twice.",
    needs={Capability.MIGRATION},
    evidence=["langgraph#6356"],
    old_place=OldPlace.WITHOUT_COST_DATA,
    places=_crashes,
)
async def is_idempotent(store: Subject) -> None:
    await make_sure_of_old_sessions(store)
    for _ in range(2):
        await store.reopen()
        await expect(store.load(SESSION)).to_be(NEW_MESSAGES)
    if not store.can(Capability.MULTI_PROCESS):
        store.stand.note("multi-process is not claimed: no process was killed while it migrated")
        return
    user = await (await store.on_old_place()).first_user(is_counted=True)
    await make_sure(user.load(SESSION), MESSAGES)
    for point in _spread(user.store.calls, _crashes(store.stand.effort) - 2):
        store.stand.history.restart()
        old = await store.on_old_place()
        killed = await old.first_user()
        killed.store.kill_at = point
        await killed.load(SESSION).perform(is_expected=False)
        try:
            await expect_old_sessions(old)
        except Violation as violation:
            raise in_this_case(
                f"after a migration that was killed at call {point} of {user.store.calls}",
                violation,
            ) from None
        await old.close()


def _spread(count: int, most: int) -> list[int]:
    """Choose so many numbers from 1 to the count at the most, evenly."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + round(number * (count - 1) / (most - 1)) for number in range(most)})


@must(
    "migration.may-be-concurrent",
    "Several instances, and several processes, that migrate one place at once all work.",
    because="All workers of a server are restarted with the new release at the same moment.",
    remedy="SQLite: BEGIN IMMEDIATE first, then look which columns there are. PostgreSQL: "
    "pg_advisory_xact_lock first, or ADD COLUMN IF NOT EXISTS alone. No look before the lock.",
    needs={Capability.MIGRATION, Capability.SHARED},
    evidence=["adk-python#1561", "origin"],
    old_place=OldPlace.WITHOUT_COST_DATA,
    places=lambda effort: 1 + 2 * rounds(effort),
)
async def may_be_concurrent(store: Subject) -> None:
    await make_sure_of_old_sessions(store)
    for _ in range(rounds(store.stand.effort)):
        store.stand.history.restart()
        first = await store.on_old_place()
        instances = [first, *[await first.another() for _ in range(TOGETHER - 1)]]
        await _migrate_at_once(instances, first, "instances that migrate at once")
        for one in instances:
            await one.close()
    if not store.can(Capability.MULTI_PROCESS):
        return
    for _ in range(rounds(store.stand.effort)):
        store.stand.history.restart()
        reader = await store.on_old_place()
        users = [await reader.first_user() for _ in range(TOGETHER // 2)]
        together = partial(at_once_together, users=users)
        await _migrate_at_once(users, reader, "processes that migrate at once", together)
        await reader.close()


async def _migrate_at_once(
    users: list[Subject],
    reader: Subject,
    what: str,
    call_at_once: Callable[..., Awaitable[list[Step]]] = at_once,
) -> None:
    updates = [
        one.update(SESSION, cost_data={f"of {number}": number}) for number, one in enumerate(users)
    ]
    reads = [one.load(SESSION) for one in users]
    steps = await call_at_once(*updates, *reads)
    expect_all_answered(steps, what)
    try:
        await expect(reader.load(SESSION)).to_be(MESSAGES)
        if reader.can(Capability.COST_READ):
            # Whether updates at once all stand is asked elsewhere, where nothing is migrated.
            await expect(reader.get_cost_data(SESSION)).to_satisfy("what one of them wrote", bool)
    except Violation as violation:
        raise in_this_case(what, violation) from None


@must(
    "migration.under-a-warm-store",
    "A store that is already open goes on working while another release migrates its place: the "
    "one before, and this one under the next.",
    because="A rolling upgrade lets both releases serve for minutes, and a release that has to be "
    "taken back is there again afterwards.",
    remedy="Add, with a default; rename and remove nothing that the release before reads or "
    "writes. Name columns in SELECT, INSERT and RETURNING instead of `*`, on PostgreSQL above all: "
    "a statement that is prepared and whose result type changes fails.",
    needs={Capability.MIGRATION, Capability.SHARED, Capability.REFERENCE_LAYOUT},
    evidence=["asyncpg#458"],
    old_place=OldPlace.WITHOUT_COST_DATA,
)
async def under_a_warm_store(store: Subject) -> None:
    place, earlier = store.place or "", OldSession("old-warm", RECENT_MESSAGES, CREATED)
    await make_sure_of_old_sessions(store)
    try:
        found = await messages_of(place, SESSION)
        await put(place, earlier)
    except Exception as error:
        if not tables.is_of_a_table(error):
            raise
        raise Violation(
            "the release before does not work any more on a place that was migrated",
            demanded="its statements work",
            answered=word_error(error),
        ) from None
    await make_sure(store.load(SESSION), found)
    await expect(store.load(earlier.session_id)).to_be(earlier.messages)
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(earlier.session_id)).to_be({})
    await _use(store)
    await tables.execute(place, "ALTER TABLE sessions ADD COLUMN of_the_next_release TEXT")
    try:
        await _use(store)
    except Violation as violation:
        raise in_this_case("when another has added a column", violation) from None


async def _use(store: Subject) -> None:
    """Let every operation be made, by several callers at once: on every connection there is."""
    for _ in range(2):
        mixed = [call(store) for _ in range(3) for call, _, _ in first_operations(store).values()]
        sessions = [await expect(store.create()).to_succeed() for _ in range(2)]
        steps = await at_once(*(one for one in mixed if one.operation not in {"delete", "create"}))
        expect_all_answered(steps, "a store that is open")
        await expect(store.save(sessions[0], RECENT_MESSAGES)).to_succeed()
        await expect(store.load(sessions[0])).to_be(RECENT_MESSAGES)
        await expect(store.update(sessions[0], cost_data={"turns": 1})).to_be(True)
        await expect(store.delete(sessions[1])).to_be(True)


@must(
    "migration.current-means-no-change",
    "Opening a place of the current layout alters nothing: it works with rights to read and write "
    "rows only, and beside a long read transaction, and makes nobody else wait.",
    because="Every new replica opens a place that is current. Where it asks for an exclusive lock "
    "for nothing, it waits for the longest report that is running, and every request of the other "
    "replicas waits behind it.",
    remedy="Read the catalogue first, and return when nothing is lacking. On PostgreSQL ALTER "
    "TABLE ... IF NOT EXISTS takes its exclusive lock before it looks.",
    needs={Capability.MIGRATION, Capability.SHARED, Capability.REFERENCE_LAYOUT},
    evidence=["origin"],
)
async def current_means_no_change(store: Subject) -> None:
    place, session = store.place or "", store.unused_id("current")
    await store.save(session, MESSAGES)
    await _make_sure_of_the_table(place)
    await store.close()
    before = await tables.layout(place)
    fresh = await store.another()
    await expect(fresh.load(session)).to_be(MESSAGES)
    await fresh.close()
    after = await tables.layout(place)
    if after != before:
        violated(
            "opening a place of the current layout alters it",
            demanded="; ".join(one for one in before if one not in after) or "as it was",
            answered="; ".join(one for one in after if one not in before) or "less than there was",
        )
    # With SQLite's rollback journal a reader keeps everybody from committing, whatever is written.
    if await tables.lets_readers_be(place):
        async with tables.long_reader(place):
            beside = await store.another()
            await _expect_served(beside, session, "beside a long read transaction")
            await beside.close()
    limited = await store.stand.with_row_rights_only()
    if limited is not None:
        modest = await store.stand.open_at(limited)
        await _expect_served(modest, session, "with rights to rows only")


async def _expect_served(store: Subject, session: str, when: str) -> None:
    try:
        await expect(store.load(session)).to_be(MESSAGES)
        await expect(store.save(session, MESSAGES)).to_succeed()
        await expect(store.update(session, cost_data={"turns": 1})).to_be(True)
    except Violation as violation:
        raise in_this_case(when, violation) from None


async def _make_sure_of_the_table(place: str) -> None:
    if not await tables.columns(place, "sessions"):
        raise NothingFound("there is no table `sessions`: see interface.claims-are-true")


@should(
    "migration.foreign-table-stays-as-it-was",
    "A table of the same name that is not the store's is refused clearly, and not altered.",
    because="`sessions` is what web frameworks call their table, too. A store that adds its "
    "columns to that has spoiled it for its owner, and can't be used itself.",
    remedy="Look at the columns before the first ALTER: without all of the first release's, raise "
    "and name the table; let the name be set.",
    needs={Capability.MIGRATION, Capability.REFERENCE_LAYOUT},
    evidence=["origin"],
    places=2,
)
async def foreign_table_stays_as_it_was(store: Subject) -> None:
    opened = await store.on_place_of_others()
    if not isinstance(opened, Exception):
        await _expect_table_not_altered(opened)
    # Who refuses everywhere, as beside a server that is full, has not looked at the table.
    await store.create()


async def _expect_table_not_altered(opened: Subject) -> None:
    place = opened.place or ""
    before = await _sessions_in(place)
    for operation, (call, _, _) in first_operations(opened).items():
        step = await call(opened).perform(is_expected=True)
        if step.outcome == "hung":
            violated(
                f"{operation} on a table of others does not answer in time",
                demanded="a refusal",
                answered=step.answered(),
            )
        if step.outcome == "answered" and operation == "create":
            await expect(opened.exists(step.answer)).to_be(
                True, rather_than={"create answers on a table of others, and stores nothing": False}
            )
    after = await _sessions_in(place)
    if after != before:
        violated(
            "a table of somebody else's is altered", demanded=word(before), answered=word(after)
        )


async def _sessions_in(place: str) -> list[Json]:
    columns = await tables.columns(place, "sessions")
    return [columns, *await tables.fetch(place, "SELECT * FROM sessions")]


@should(
    "migration.newer-is-not-downgraded",
    "A place of a later release is served or refused clearly, and not changed.",
    because="A release that has to be taken back finds a place that the one after has migrated. "
    "What it does not know there is not its to remove.",
    remedy="Add what is lacking, and never remove what is not known. Where the layout has a "
    "number, a higher one than your own is left as it is: serve, or raise and name both.",
    needs={Capability.MIGRATION, Capability.SHARED, Capability.REFERENCE_LAYOUT},
    places=2,
)
async def newer_is_not_downgraded(store: Subject) -> None:
    place, session = store.place or "", store.unused_id("newer")
    await store.save(session, MESSAGES)
    await _make_sure_of_the_table(place)
    await store.close()
    await tables.execute(place, *LATER_RELEASE[tables.kind_of(place)])
    before = await tables.layout(place)
    is_served = await _serves(store, session)
    after = await tables.layout(place)
    if after != before:
        violated(
            "a place of a later release is changed",
            demanded="; ".join(one for one in before if one not in after) or "as it was",
            answered="; ".join(one for one in after if one not in before) or "less than there was",
        )
    if not is_served:
        # Who refuses everywhere, as beside a server that is full, has not looked at the place.
        await (await store.on_fresh_place()).create()


async def _serves(store: Subject, session: str) -> bool:
    """Answer whether a place of a later release is served, and demand that it is, or is refused."""
    served = await store.stand.open_or_hear_why(store.place)
    if isinstance(served, Exception):
        return False
    step = await performed(served.load(session))
    if step.outcome == "raised":
        return False
    await expect(served.load(session)).to_be(
        MESSAGES, rather_than={"a place of a later release is begun anew": None}
    )
    await expect(served.save(session, RECENT_MESSAGES)).to_succeed()
    await expect(served.load(session)).to_be(RECENT_MESSAGES)
    return True
