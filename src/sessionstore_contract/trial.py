"""One clause on one fresh place: opening, procedure, tear-down, on a loop and thread of its own."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from . import census, expect, program
from .drawing import Drawing, Enough
from .effort import QUICK
from .history import StepFailed, word_error
from .lender import GRACE, Lender, OpeningFailed, OpeningHung

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from hypothesis.strategies import SearchStrategy

    from .subject import Subject


SLOW = 0.04
"""Seconds of a call from which on a store is slow, and a clause is given more time than its limit:
so many times as much as the call takes longer."""

MOST = 5
"""How many times as much it is given, at the most."""


class Trial(Lender):
    """Tries a clause, and remembers what became of it."""

    failure: Exception | None = None
    """What kept the clause from holding."""
    teardown_failure: Exception | None = None
    is_open = False
    """Whether the store was opened that the clause begins with."""
    witness: tuple[str, ...] | None = None
    """The history up to where the clause was decided."""
    program: tuple[str, ...] = ()
    """The same as Python, of a clause that draws examples."""
    _drawing: Drawing | None = None

    # the thread ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Try the clause; everything that is found is left in the attributes."""
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        # By their name a census knows the threads that the loop itself takes.
        executor = ThreadPoolExecutor(thread_name_prefix=f"{census.KIT} executor")
        self.loop.set_default_executor(executor)
        try:
            self._try(self.loop)
            if self.failure is not None:
                self._tell(self.failure)
            self._enter("tear-down")
            self._tear_down(self.loop)
            _empty(self.loop)
        except BaseException as error:  # noqa: BLE001 - the watcher must be told
            if self.failure is None:
                self.failure = RuntimeError(f"the trial ended with {word_error(error)}")
        finally:
            # Not waited for: what a store left blocked there must not keep the run.
            executor.shutdown(wait=False, cancel_futures=True)
            self.done.set()

    def _tell(self, failure: Exception) -> None:
        self.witness = tuple(self.history.lines())
        if self.clause.examples is not None and isinstance(failure, expect.Violation):
            self.program = program.written(self.history.steps, failure.demand)

    def _try(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            if self.clause.old_place is not None:
                loop.run_until_complete(self._leave_behind(self.clause.old_place, self.place))
            subject = loop.run_until_complete(self.open())
            self.is_open = True
            self._enter("procedure")
            if self.clause.examples is None:
                self._run(loop, _await(self.clause.procedure(subject)))
            else:
                self._try_examples(loop, subject, self.clause.examples)
        except Enough as stopped:
            self.failure = stopped.failure
        except Exception as error:  # noqa: BLE001 - judged by the harness
            self.failure = error

    def _run(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        """Run the work to its end, and between its turns what it wants done while no loop runs."""
        task = loop.create_task(work)
        task.add_done_callback(lambda _: loop.stop())
        while not task.done():
            loop.run_forever()
            while self._outside:
                self._outside.pop()()
        task.result()

    def _try_examples(
        self,
        loop: asyncio.AbstractEventLoop,
        subject: Subject,
        examples: Callable[[], SearchStrategy[Any]],
    ) -> None:
        self._drawing = Drawing(self.history, self.effort, self.note)
        self._drawing.run(
            examples(),
            self.seed,
            lambda example: loop.run_until_complete(self.clause.procedure(subject, example)),
        )

    def _tear_down(self, loop: asyncio.AbstractEventLoop) -> None:
        for subject in reversed(self._subjects):
            if not subject.is_closed:
                self._finish(loop, _await(subject.close()))
        for ending in reversed(self._endings):
            self._finish(loop, asyncio.wait_for(_await(ending()), self.backend.timeout))

    def _finish(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
        try:
            loop.run_until_complete(work)
        except Exception as error:  # noqa: BLE001 - judged by the harness
            if self.teardown_failure is None:
                self.teardown_failure = error
                if self.failure is None:
                    self.witness = tuple(self.history.lines())

    # the watcher --------------------------------------------------------------------------------

    def stuck(self) -> Exception | None:
        """Say what does not come back although its time is over; None while all is well."""
        now = time.monotonic()
        for step in self.history.pending():
            if now - step.began_at > self.history.patience(step) + GRACE:
                step.outcome = "hung"
                if step.is_expected:
                    return expect.Violation(
                        f"{step.operation} blocks the event loop and does not come back",
                        demanded="an answer",
                        answered=step.answered(),
                    )
                return StepFailed(step)
        waited = now - self.phase_began
        if self.phase != "procedure" and waited > 3 * self.backend.timeout + GRACE:
            if self.phase == "opening":
                return OpeningHung(f"opening the store did not end within {waited:.0f} s")
            return OpeningFailed(f"{self.phase} did not end within {waited:.0f} s")
        if waited > self.effort.limit * self._slowness():
            if self._drawing is not None and self._drawing.smallest is not None:
                return self._drawing.smallest.violation
            return expect.NothingFound(self._given_up(waited))
        return None

    def _slowness(self) -> float:
        """Answer how many times as long as of a quick store the calls of this one take."""
        return min(MOST, max(1.0, self.history.pace.of_one() / SLOW))

    def _given_up(self, waited: float) -> str:
        said = f"the clause was given up after {waited:.0f} s, the most at this effort"
        if self._slowness() == 1 or self.effort == QUICK:
            return said
        seconds = self.history.pace.of_one()
        return f"{said}: a call takes {seconds:.2g} s, and --effort {QUICK.name} makes fewer"


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _empty(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what a store left on the loop, give it a moment, and close the loop."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=1.0))
    loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), 1.0))
    _cut_off(loop)
    loop.close()


def _cut_off(loop: asyncio.AbstractEventLoop) -> None:
    """Cut the connections that a store left open on the loop.

    Whether it may leave them is a clause's matter. Left to the garbage collector they would keep
    their place at the server, and warn in whichever test happens to run then. asyncio knows them
    under a name of its own; where it has another, this is left undone.
    """
    for transport in list(getattr(loop, "_transports", {}).values()):
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0))
