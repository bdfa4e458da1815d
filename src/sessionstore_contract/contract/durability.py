"""What was acknowledged is there afterwards, whatever became of the instance that wrote it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .. import foreign_locks, permissions
from ..capabilities import Capability
from ..clause import must, should
from ..effort import NORMAL, THOROUGH
from ..expect import NothingFound, expect
from ..history import word_error
from ..subject import at_once
from .procedures import obstacles
from .procedures.beginning import begin_with, make_sure
from .procedures.burst import (
    BEFORE,
    expect_kept,
    largest_file,
    prepare_burst,
    prepare_filling,
    write_in_turn,
)
from .procedures.exact_kills import WHEN, expect_kept_when_killed_at_calls, where_it_was_killed
from .procedures.power import Load, expect_kept_without_power
from .procedures.sizes import is_kept
from .procedures.specimens import lots
from .procedures.to_others import accepted, expect_the_same

if TYPE_CHECKING:
    from ..interface import Json
    from ..subject import Subject
    from .procedures.burst import Deed

HISTORY = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
COSTS = {"turns": 2, "usage": {"in": 3}}
FILLING = 500_000
"""Bytes that can't be made smaller, of a history for which there is no room."""
ROOM = 100_000
"""Bytes that there is room for."""
RIGHTS = {
    "where its files can't be read": (0, 0o777),
    "where its folder can't be entered": (0o777, 0),
    "where nothing can be written": (0o555, 0o555),
}
"""What is said of a place, and the permissions that are left of those of files and of folders."""
LOCKED = "while its files are locked"
PATIENCE = 0.01
"""Seconds that a store waits for a lock, if it can be told so."""
LOCK = 0.05
"""Seconds for which another process holds the locks: a store may wait as long as it likes."""
LONG_LOCK = 0.7
"""The same where the lock is to outlast the store, as a part of what a call may take: more than the
five seconds that SQLite's drivers wait."""
LOADS = 3
"""Bursts of writes, one after the other, during which the power may fail."""


@must(
    "durability.reopening-finds-everything",
    "After `close`, a new instance reads messages and cost data as they were, of any kind.",
    because="Servers are restarted.",
    remedy="Write to the place, and read from it at the start; flush in close.",
    needs={Capability.DURABLE},
)
async def reopening_finds_everything(store: Subject) -> None:
    kept, deleted = await _write(store)
    large, history = await store.create(), _large(store.stand.effort.size)
    if not await is_kept(store.save(large, history)):
        history = _large(NORMAL.size)
    await begin_with(store, large, messages=history, cost_data=COSTS)
    values = [one for lot in lots(store.stand.random) for one in await accepted(store, lot)]
    await store.close()
    reopened = await store.another()
    await _is_all_there(reopened, kept, deleted, "a new instance")
    await expect(reopened.load(large)).to_be(
        history, rather_than={"a new instance does not find a session with a long text": None}
    )
    for one in values:
        await expect_the_same(reopened, one, "a new instance")


def _large(size: int) -> list[Json]:
    return [{"content": "0123" * (size // 4)}]


@must(
    "durability.close-is-not-the-commit",
    "A new instance finds every acknowledged write when the first was never closed.",
    because="Processes are killed; nobody calls close then.",
    remedy="Commit before you answer. SQLite: `await db.commit()` in every write, or "
    "`isolation_level=None`.",
    # Without it a second instance may be refused while the first is open.
    needs={Capability.DURABLE, Capability.SHARED},
)
async def close_is_not_the_commit(store: Subject) -> None:
    kept, deleted = await _write(store)
    await _is_all_there(
        await store.another(), kept, deleted, "a new instance beside an unclosed one"
    )


@must(
    "durability.acknowledged-survives-kill",
    "Every write acknowledged before SIGKILL of the writing process is there afterwards, each "
    "session is in some state that was acknowledged or under way, and the store works.",
    because="The system kills processes that take too much memory, deployments those that do not "
    "end in time. What a user was shown as saved is gone, or can't be read any more.",
    remedy="Answer after the commit, not before it: no task, thread or queue that writes later. "
    "One transaction for what belongs together. A file: write another one beside it, then "
    "os.replace; a name for it that nothing reads. Lock with flock, not with a file that is there. "
    "A key-value store: MULTI, or a script; no lock without an end that a dead process keeps.",
    # The writing process is another one than that which looks afterwards.
    needs={Capability.DURABLE, Capability.MULTI_PROCESS},
    evidence=["hermes-agent#47675"],
    follows=["sharing.processes-see-each-other"],
)
async def acknowledged_survives_kill(store: Subject) -> None:
    await store.close()
    effort, duration = store.stand.effort, 0.0
    for number in range(max(2, effort.kills - 1)):
        store.stand.history.restart()
        doomed = await store.elsewhere()
        if number == 0:
            await write_in_turn(doomed)
        deeds = await prepare_burst(doomed, effort.size // 4)
        # Right after an answer first: a random moment hardly ever falls between that and a commit
        # which comes too late. First of all after the last answer, when most is to be lost.
        answers = len(deeds) if number == 0 else store.stand.random.randint(1, len(deeds) - 1)
        began = time.monotonic()
        if number % 3 == 2:
            delay = store.stand.random.uniform(0, duration)
            await asyncio.gather(_carry_out(deeds), _kill_after(delay, doomed))
        else:
            await doomed.die_after(answers)
            await _carry_out(deeds)
            await doomed.killed()
        duration = max(duration, time.monotonic() - began)
        fresh = await store.another()
        with where_it_was_killed():
            await expect_kept(fresh, deeds, WHEN)
        await fresh.close()
    store.stand.history.restart()
    await expect_kept_when_killed_at_calls(store)


@must(
    "durability.full-disk-loses-nothing",
    "When its disk is full a write raises, or is made all the same; what was there stays readable, "
    "and the store works once there is room.",
    because="Disks fill up at night. A file that is written anew in its place is gone then, with "
    "the history that was in it; a write that nobody hears has failed is gone as well.",
    remedy="A file: write another one beside it, and os.replace when that is whole. SQLite: roll "
    "back, and raise. Let no `except OSError: pass` stand around a write.",
    needs={Capability.DURABLE, Capability.MULTI_PROCESS, Capability.FILES},
)
async def full_disk_loses_nothing(store: Subject) -> None:
    await store.close()
    filling = await store.elsewhere()
    await write_in_turn(filling)
    text = f"{store.stand.random.getrandbits(8 * FILLING):x}"
    deeds = await prepare_filling(filling, [{"role": "user", "content": text}])
    try:
        await filling.limit_files(largest_file(store.place or "") + ROOM)
    except (ImportError, ValueError, OSError, RuntimeError) as error:
        raise NothingFound(f"files can't be kept small here: {word_error(error)}") from None
    for deed in deeds:
        deed.hold(await deed.call.perform(is_expected=False))
    if all(deed.is_acknowledged for deed in deeds):
        store.stand.note("the store found room for everything: no write failed")
    await filling.limit_files(None)
    await expect_kept(filling, deeds, "when the disk is full")
    for deed in deeds:
        await expect(filling.save(deed.session, [])).to_succeed()
        await expect(filling.load(deed.session)).to_be([])


@must(
    "durability.unreadable-files-are-not-empty",
    "While its files can't be read, or not be written, a call is answered rightly, and what it "
    "writes is kept, or it raises; afterwards all is there.",
    because="A backup that root has restored, a volume mounted read-only: a session that can't be "
    "read and is taken for a new one is lost for good with its next save, and what is kept in "
    "memory meanwhile is lost with the process.",
    remedy="Catch FileNotFoundError where a session may be missing, and no other OSError: "
    "PermissionError is one, and `Path.exists` and `os.path.exists` hide it. SQLite: let "
    "`unable to open database file` and `readonly database` out; open no database in memory.",
    needs={Capability.DURABLE, Capability.FILES},
    follows=["durability.reopening-finds-everything"],
)
async def unreadable_files_are_not_empty(store: Subject) -> None:
    with permissions.obeyed():
        # Before anything else: threads that the store begins are to obey as well.
        await obstacles.make_sure_it_is_right(store)
        await store.close()
        async with obstacles.aside(store) as folder:
            if not permissions.are_obeyed(str(folder)):
                raise NothingFound("files can't be made unreadable here: permissions bind nobody")
            for number, (when, (of_files, of_folders)) in enumerate(RIGHTS.items()):
                store.stand.history.restart()
                place = folder / str(number) / obstacles.FILE
                sessions = await obstacles.fill(store, place)
                warm = await store.stand.open(str(place))
                await make_sure(warm.load(sessions.read), BEFORE)
                with permissions.taken(place.parent, of_files=of_files, of_folders=of_folders):
                    deeds = obstacles.writes(warm)
                    await obstacles.use(warm, when, deeds, sessions)
                    deeds += await obstacles.use_where(store, place, when, sessions)
                await obstacles.expect_all_there(store, place, when, deeds, sessions)


@must(
    "durability.foreign-lock-loses-nothing",
    "While another process holds the locks of its files a call waits, raises, or is answered "
    "rightly; it waits no longer than it was told to, and no write is acknowledged that is not "
    "made.",
    because="A backup, a shell, a process that hangs in its transaction: `database is locked` is "
    "caught somewhere, and becomes `no such session`, or a save that never was.",
    remedy="Let the driver's error out, or wrap it in one of your own; wait for the lock for some "
    "seconds (`PRAGMA busy_timeout`), not for ever. No `except OperationalError: return False`.",
    needs={Capability.DURABLE, Capability.MULTI_PROCESS, Capability.FILES},
    follows=["durability.reopening-finds-everything"],
)
async def foreign_lock_loses_nothing(store: Subject) -> None:
    await obstacles.make_sure_it_is_right(store)
    await store.close()
    async with obstacles.aside(store) as folder:
        place = folder / obstacles.FILE
        sessions = await obstacles.fill(store, place)
        hasty = await obstacles.opened_hastily(store, place, PATIENCE, sessions)
        used = hasty or await store.stand.open(str(place))
        await make_sure(used.load(sessions.read), BEFORE)
        # It ends by itself, for a store that waits may keep its process from telling it to.
        outlasts = hasty is not None or store.stand.effort.name == THOROUGH.name
        seconds = LONG_LOCK * store.stand.history.timeout if outlasts else LOCK
        deeds = obstacles.writes(used, sessions)
        async with foreign_locks.held(folder, seconds) as locked:
            if hasty is not None and locked:
                await obstacles.expect_back_before(hasty, seconds)
            await obstacles.use(used, LOCKED, deeds, sessions)
        if not locked:
            store.stand.note("no file of the store's could be locked by another process")
        await obstacles.expect_all_there(store, place, LOCKED, deeds, sessions)


@must(
    "durability.acknowledged-survives-power-loss",
    "Every write acknowledged before the power fails is on the disk, and each session is in some "
    "state that was acknowledged or under way.",
    because="The system keeps in memory what a program has written, and writes it to the disk when "
    "it likes. What nobody has synced is gone with the power, or half there: the name without its "
    "content, one page without the other.",
    remedy="SQLite: a WAL with `PRAGMA synchronous = FULL`, or the rollback journal with EXTRA; "
    "NORMAL and OFF lose what they have acknowledged. A file: os.fsync of the new file, "
    "os.replace, then os.fsync of its folder. A key-value store: a sync for each answer (Redis: "
    "`appendfsync always`).",
    # A process alone can be recorded, and what it has written is a file.
    needs={Capability.DURABLE, Capability.MULTI_PROCESS, Capability.POWER_LOSS},
    follows=["durability.acknowledged-survives-kill"],
    is_thorough=True,
)
async def acknowledged_survives_power_loss(store: Subject) -> None:
    await store.close()
    recorded, recording = await store.stand.open_recorded()
    if not recording.is_running:
        raise NothingFound("the recorder of files was not loaded into the store's process")
    await write_in_turn(recorded)
    loads = []
    for number in range(LOADS):
        deeds = await prepare_burst(recorded, store.stand.effort.size // 40)
        begun = recording.position()
        if number < LOADS - 1:
            await _carry_out(deeds)
        else:
            # Which one was last must not depend on who was faster.
            for deed in deeds:
                deed.hold(await deed.call.perform(is_expected=True))
        loads.append(Load(deeds, begun))
    await recorded.close()
    await recorded.killed()
    await expect_kept_without_power(store, recording, loads)


@should(
    "durability.server-crash",
    "Every write acknowledged before its server stopped without warning is there when the server "
    "is back, and each session is in some state that was acknowledged or under way.",
    because="Database servers are killed, too: for memory, in a failover, with their machine.",
    remedy="PostgreSQL: an ordinary table, not an UNLOGGED one, and `synchronous_commit` on for "
    "these transactions. Redis: `appendonly yes`. MySQL: innodb_flush_log_at_trx_commit=1. HTTP: "
    "answer when the platform has answered, and let that keep what it is told.",
    needs={Capability.DURABLE, Capability.FAULTS},
    takes_own_server=True,
)
async def server_crash(store: Subject) -> None:
    size = store.stand.effort.size // 4
    await write_in_turn(store)
    under_way = await prepare_burst(store, size)
    acknowledged = await prepare_burst(store, size)
    await _carry_out(acknowledged)
    working = asyncio.ensure_future(_carry_out(under_way))
    try:
        await store.stand.crash_server()
    finally:
        await working
    fresh = await store.another()
    await expect_kept(fresh, acknowledged + under_way, "when its server crashes")


async def _kill_after(seconds: float, doomed: Subject) -> None:
    await asyncio.sleep(seconds)
    await doomed.killed()


async def _carry_out(deeds: list[Deed]) -> None:
    steps = await at_once(*(deed.call for deed in deeds))
    for deed, step in zip(deeds, steps, strict=True):
        deed.hold(step)


async def _write(store: Subject) -> tuple[str, str]:
    kept, deleted = await store.create(), await store.create()
    await store.save(kept, HISTORY)
    await store.update(kept, cost_data=COSTS)
    await store.save(deleted, HISTORY)
    await store.delete(deleted)
    return kept, deleted


async def _is_all_there(store: Subject, kept: str, deleted: str, reader: str) -> None:
    await expect(store.load(kept)).to_be(
        HISTORY,
        rather_than={
            f"{reader} does not find the session": None,
            f"{reader} finds an empty session": [],
        },
    )
    if store.can(Capability.COST_READ):
        await expect(store.get_cost_data(kept)).to_be(
            COSTS, rather_than={f"{reader} finds no cost data": {}}
        )
    await expect(store.exists(deleted)).to_be(
        False, rather_than={f"{reader} finds a deleted session": True}
    )
