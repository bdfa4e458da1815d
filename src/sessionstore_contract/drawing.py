"""Drawing the examples of a property clause; one that breaks it is made small."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from . import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

    from .effort import Effort
    from .history import History, Step

MOST_SHRINKING = 400
"""Examples that are tried to make a counterexample smaller."""
MOST_FRUITLESS = 120
"""... one after the other, none of which made it so."""
MOST_SECONDS_OF_SHRINKING = 10.0
"""... on a store so slow that these would take longer."""
SHARE_OF_DRAWING = 0.5
"""Part of the clause's time after which no more examples are drawn."""


class Enough(BaseException):
    """Takes a failure past hypothesis, which would repeat it to make it smaller."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True)
class Counterexample:
    """A violation, and the steps that show it."""

    violation: expect.Violation
    steps: tuple[Step, ...]


class Drawing:
    """The examples of one clause, tried on one store."""

    def __init__(self, history: History, effort: Effort, note: Callable[[str], None]) -> None:
        self.smallest: Counterexample | None = None
        self._history = history
        self._effort = effort
        self._note = note
        self._began = time.monotonic()
        self._tried = self._tried_before = self._tried_at_last = 0
        self._found_at = 0.0

    def run(self, examples: SearchStrategy[Any], seed: int, attempt: Callable[[Any], None]) -> None:
        """Try examples; the history of the smallest one that fails is what remains.

        Raises:
            Enough: one of them failed; it holds the failure.
        """
        import hypothesis  # noqa: PLC0415 - most clauses do without

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=self._effort.examples,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
            print_blob=False,
        )
        @hypothesis.given(examples)
        def one(example: Any) -> None:
            if self._may_try_another():
                self._try(attempt, example)

        try:
            with _the_same_everywhere():
                one()
        except Enough:
            raise
        except Exception:
            if self.smallest is None:
                raise
        if self.smallest is not None:
            # Not what hypothesis ran last: an answer that comes and goes may have been right then.
            self._stop_with(self.smallest)

    def _try(self, attempt: Callable[[Any], None], example: Any) -> None:
        self._history.restart()
        self._tried += 1
        try:
            attempt(example)
        except expect.Violation as violation:
            steps = tuple(self._history.steps)
            if steps[-1].outcome == "hung":
                raise Enough(violation) from None
            self._tried_at_last = self._tried
            if self.smallest is None:
                self._found_at, self._tried_before = time.monotonic(), self._tried
            if self.smallest is None or len(steps) <= len(self.smallest.steps):
                self.smallest = Counterexample(violation, steps)
            raise
        except Exception as failure:  # noqa: BLE001 - judged by the harness
            raise Enough(failure) from None

    def _may_try_another(self) -> bool:
        """Answer whether there is time for one more example; end the making smaller when not."""
        if self.smallest is not None:
            is_enough = (
                self._tried - self._tried_before >= MOST_SHRINKING
                or self._tried - self._tried_at_last >= MOST_FRUITLESS
                or time.monotonic() - self._found_at >= MOST_SECONDS_OF_SHRINKING
            )
            if is_enough:
                self._stop_with(self.smallest)
        elif time.monotonic() - self._began > self._effort.limit * SHARE_OF_DRAWING:
            self._note(f"{self._tried} of {self._effort.examples} examples were tried: time was up")
            return False
        return True

    def _stop_with(self, found: Counterexample) -> NoReturn:
        self._history.steps[:] = found.steps
        raise Enough(found.violation)


@contextmanager
def _the_same_everywhere() -> Iterator[None]:
    """Let a seed draw the same values whichever modules are loaded, and read none of their sources.

    hypothesis draws some values from the constants in a project's modules, those that it finds
    loaded at that moment, and has no setting for that. Where a release keeps them otherwise, it is
    as that release does it.
    """
    try:
        providers = import_module("hypothesis.internal.conjecture.providers")
    except ImportError:
        yield
        return
    kinds = getattr(providers, "Constants", None)
    changed = {"_get_local_constants": lambda: kinds and kinds(), "CONSTANTS_CACHE": {}}
    kept = {name: getattr(providers, name) for name in changed if hasattr(providers, name)}
    if kinds is None or kept.keys() != changed.keys():
        yield
        return
    vars(providers).update(changed)
    try:
        yield
    finally:
        vars(providers).update(kept)
