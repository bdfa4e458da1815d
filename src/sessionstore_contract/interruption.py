"""Awaiting a call step by step: to cancel it at one of its await points, or to time its steps.

Rules of what lives here:
- A call is driven inside the task that awaits it, and it is this task that is cancelled, as it is
  in a server: what the call waits for is cancelled with it, unless the store has shielded it.
- A point is one suspension of the call, in itself or in what it awaits in turn. Points are
  numbered from 1; a call that has fewer is not interrupted.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Self

Moment = Literal["waiting", "done"]
"""While what is awaited is under way; or when it is done, and its answer is not yet taken."""

MOMENTS: tuple[Moment, ...] = ("waiting", "done")

QUEUED = Path("/proc/thread-self/schedstat")

ENDED = object()
"""What the last step of a call awaits."""


class Interruption:
    """Cancels a call at one of its await points: `call.perform(through=interruption.of)`."""

    def __init__(self, point: int, moment: Moment, *, delay: float = 0.0) -> None:
        self._point = point
        self._moment = moment
        self._delay = delay
        """Seconds that a call which waits goes on waiting before."""
        self.passed = 0
        """Points that the call has come to."""
        self.is_made = False
        """Whether the call came to that point."""

    def of(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """Answer an awaitable that does the same and is cancelled there."""
        return _Driven(awaitable, self._come_to)

    def _come_to(self, awaited: Any, _: Took) -> None:
        if awaited is ENDED:
            return
        self.passed += 1
        task = asyncio.current_task()
        if self.passed != self._point or task is None:
            return
        self.is_made = True
        if self._moment == "done" and isinstance(awaited, asyncio.Future):
            # Added before the task's own wake-up, and so called before it.
            awaited.add_done_callback(lambda _: task.cancel())
        elif self._delay:
            asyncio.get_running_loop().call_later(self._delay, task.cancel)
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


class Took(NamedTuple):
    """Seconds that a step took."""

    waited: float
    computed: float


class StallWatch:
    """Times the steps of a call: `call.perform(through=watch.over)`."""

    def __init__(self) -> None:
        self.longest = 0.0
        """Seconds that the longest step waited: less those that its thread was computing, or was
        ready to and had no processor."""
        self.computed = 0.0
        """Seconds of the step that computed for longest."""

    def over(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """Answer an awaitable that does the same and is timed."""
        return _Driven(awaitable, self._take)

    def _take(self, _: Any, took: Took) -> None:
        self.longest = max(self.longest, took.waited)
        self.computed = max(self.computed, took.computed)


class _Driven:
    """Awaits what it is given, and tells of each step: what it awaits then, and what it took."""

    def __init__(self, awaitable: Awaitable[Any], on_step: Callable[[Any, Took], None]) -> None:
        self._awaitable = awaitable
        self._on_step = on_step

    def __await__(self) -> Generator[Any, Any, Any]:
        driven = _steps_of(self._awaitable)
        error: BaseException | None = None
        while True:
            began = _Clocks.before()
            try:
                awaited = next(driven) if error is None else driven.throw(error)
            except StopIteration as stopped:
                self._on_step(ENDED, began.took())
                return stopped.value
            self._on_step(awaited, began.took())
            error = None
            try:
                yield awaited
            except BaseException as raised:  # noqa: BLE001 - handed on to the call
                error = raised


def _steps_of(awaitable: Any) -> Any:
    """Answer what goes on step by step; a coroutine of `types.coroutine` does so itself."""
    return awaitable.__await__() if hasattr(awaitable, "__await__") else iter(awaitable)


class _Clocks(NamedTuple):
    """Seconds that have passed, and those of the thread.

    What has passed is read first before a step, and last after it: a step seems longer where the
    processor is taken away in between. Were it shorter, one of many would acquit.
    """

    passed: float
    computed: float
    queued: float
    """Ready to compute while others had the processor; 0 where the system does not tell."""

    @classmethod
    def before(cls) -> Self:
        passed, computed = time.perf_counter(), time.thread_time()
        return cls(passed, computed, _queued())

    def took(self) -> Took:
        queued, computed = _queued() - self.queued, time.thread_time() - self.computed
        return Took(time.perf_counter() - self.passed - computed - queued, computed)


def _queued() -> float:
    """Ask Linux, which tells it in nanoseconds: of time on a processor, and of time before."""
    try:
        return int(QUEUED.read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
