from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends import sqlite_queue
from reference_backends.sqlite_queue import MAX_GROUP, Write, WriteQueue
from sessionstore_contract.interface import SessionStoreError

if TYPE_CHECKING:
    import sqlite3

FAILURE = SessionStoreError("on purpose")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thread wait for as long as a test may last."""
    monkeypatch.setattr(sqlite_queue, "LINGER", 60.0)


def write_nothing(database: sqlite3.Connection) -> None:
    del database


def written() -> Write:
    return Write(write_nothing, asyncio.get_running_loop().create_future())


def filled(count: int) -> tuple[WriteQueue, list[Write]]:
    queue, writes = WriteQueue(), [written() for _ in range(count)]
    for write in writes:
        queue.add(write)
    return queue, writes


async def test_a_write_is_claimed_once() -> None:
    """By the thread or by its caller; the other is told that it is too late."""
    write = written()
    assert not write.is_claimed
    assert [write.claim(), write.claim()] == [True, False]
    assert write.is_claimed


async def test_writes_are_taken_in_order_and_so_many_at_once() -> None:
    """The rest of them is there for the next group."""
    queue, writes = filled(MAX_GROUP + 2)
    assert queue.has_more()
    assert queue.take() == writes[:MAX_GROUP]
    assert len(queue) == 2
    assert queue.has_more()
    assert queue.take() == writes[MAX_GROUP:]
    assert len(queue) == 0


async def test_what_comes_while_the_lock_is_waited_for_is_taken_too() -> None:
    """Whoever has come before the transaction began is in it."""
    queue, (first,) = filled(1)
    assert queue.has_more()
    second = written()
    queue.add(second)
    assert queue.take() == [first, second]


@pytest.mark.parametrize("is_seen", [False, True])
async def test_a_dropped_write_is_not_taken(is_seen: bool) -> None:
    """Whether it was dropped before the thread had found it or after."""
    queue, (dropped, kept) = filled(2)
    if is_seen:
        assert queue.has_more()
    assert dropped.claim()
    assert queue.has_more()
    assert queue.take() == [kept]
    assert not dropped.answer.done()


async def test_for_dropped_writes_no_transaction_is_begun() -> None:
    """Else a lock would be waited for on behalf of nobody."""
    queue, (dropped,) = filled(1)
    assert dropped.claim()
    assert not queue.has_more()
    assert len(queue) == 0


async def test_who_comes_later_does_not_fail_with_the_others() -> None:
    """It has not waited for the lock yet; and the dropped one has no answer."""
    queue, (dropped, first) = filled(2)
    assert queue.has_more()
    assert dropped.claim()
    later = written()
    queue.add(later)
    queue.fail(FAILURE)
    queue.deliver()
    assert first.answer.exception() is FAILURE
    assert not dropped.answer.done()
    assert queue.take() == [later]


async def test_all_fail_where_the_thread_can_run_none() -> None:
    """Those that it has found, and those that it has not."""
    queue, (first,) = filled(1)
    assert queue.has_more()
    later = written()
    queue.add(later)
    queue.fail_all(FAILURE)
    queue.deliver()
    assert first.answer.exception() is later.answer.exception() is FAILURE


async def test_each_is_told_of_its_own_outcome() -> None:
    """Its result, its failure, or that it came to no end."""
    queue, writes = filled(3)
    assert queue.has_more()
    done, failed, cut_off = queue.take()
    done.settle(5)
    failed.settle(error=FAILURE)
    queue.end(writes)
    queue.deliver()
    assert done.answer.result() == 5
    assert failed.answer.exception() is FAILURE
    with pytest.raises(SessionStoreError, match="cut off and rolled back"):
        cut_off.answer.result()


def started(queue: WriteQueue) -> tuple[threading.Thread, list[Any]]:
    """Ask on a thread whether there is more, and for all that there is."""
    found: list[Any] = []

    def look() -> None:
        found.extend((queue.has_more(), queue.take()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    return thread, found


@pytest.mark.usefixtures("patient")
async def test_a_write_that_comes_is_waited_for() -> None:
    """The thread finds it as soon as it is there."""
    queue = WriteQueue()
    thread, found = started(queue)
    write = written()
    queue.add(write)
    thread.join(20)
    assert found == [True, [write]]


@pytest.mark.usefixtures("patient")
async def test_none_is_waited_for_where_none_is_expected() -> None:
    """What has come nevertheless is found."""
    queue = WriteQueue()
    thread, found = started(queue)
    queue.expect_no_more()
    thread.join(20)
    assert found == [False, []]
    queue.expect_no_more()
    write = written()
    queue.add(write)
    thread, found = started(queue)
    thread.join(20)
    assert found == [True, [write]]


async def test_a_cancelled_caller_waits_for_what_has_begun() -> None:
    """However often it is cancelled, until the write has ended."""
    queue, (write,) = filled(1)
    assert queue.has_more()
    assert queue.take() == [write]
    waiting = asyncio.ensure_future(write.outlast())
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    write.settle(error=FAILURE)
    queue.end([write])
    queue.deliver()
    await waiting
