"""Trying one clause on one fresh place, with time-out, tear-down and blame."""

from __future__ import annotations

import contextvars
import getpass
import re
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .abandoning import abandon
from .crowding import (
    REASON,
    gave_up_waiting,
    is_refusal,
    reason_to_give_up,
    was_refused_a_connection,
)
from .effort import NORMAL, Effort
from .exits import exits_refused
from .expect import Drawn, NothingFound, Violation
from .history import StepFailed, word_error
from .lender import OpeningFailed, OpeningHung
from .lending import Lending
from .opening import OpenerError
from .storage import StorageUnavailableError, selection
from .trial import Trial
from .verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from .backend import Backend
    from .clause import Clause
    from .history import History, Step
    from .storage import OwnServer, Storage
    from .storage.selection import PostgresChoice

OWNERS = {
    "create": "lifecycle.create-keeps-the-given-id",
    "load": "messages.save-then-load",
    "save": "messages.save-then-load",
    "update": "cost.merge-is-shallow",
    "get_cost_data": "cost.starts-empty",
    "delete": "lifecycle.delete-answers-whether-it-existed",
    "exists": "lifecycle.missing-is-not-empty",
    "delete_before": "retention.counts-what-it-removed",
    "close": "closing.is-idempotent",
}
"""The clause that demands of an operation that it works at all."""


def picture_folder() -> Path:
    """Answer where this user's pictures go if nobody says where."""
    return Path(tempfile.gettempdir()) / f"sessionstore-pictures-{getpass.getuser()}"


HANGS_TO_BLOW = 2
"""Clauses that may wait for an operation in vain before it is left alone."""


class Fuse:
    """Spares a run the waiting: an operation that hung in two clauses is not called any more.

    Until a clause has judged that hang to be a violation, it is still called where its answer is
    judged: what is left alone is never the only sign of a defect.
    """

    def __init__(self) -> None:
        self._openings = 0
        self._hangs: Counter[str] = Counter()
        self._judged_by: dict[str, str] = {}

    def count(self, finding: Finding) -> None:
        """Note the operations that hung in one clause."""
        self._hangs.update(finding.hung)
        if finding.verdict is Verdict.VIOLATED:
            for operation in finding.hung:
                self._judged_by.setdefault(operation, finding.clause.id)

    def count_opening(self) -> None:
        """Note that a store could not be opened in time, with which a clause was to begin."""
        self._openings += 1

    @property
    def is_opening_left_alone(self) -> bool:
        """Whether it is not worth the wait to open another store in this process."""
        return self._openings >= HANGS_TO_BLOW

    def state(self) -> dict[str, Any]:
        """Answer what is known as plain data, for a process that takes part in the run."""
        return {"hangs": dict(self._hangs), "judged_by": dict(self._judged_by)}

    def learn(self, state: dict[str, Any]) -> None:
        """Take over what another process of the run knows."""
        self._hangs = Counter(state["hangs"])
        self._judged_by = dict(state["judged_by"])
        # It was on another defect, perhaps: a worker tries the clauses of many by turns.
        self._openings = 0

    def owner(self, operation: str) -> str:
        """Name the clause under which the failure of an operation is to be seen."""
        return self._judged_by.get(operation, OWNERS[operation])

    def check(self, step: Step) -> None:
        """Raise StepFailed instead of a call that is not worth the wait."""
        is_judged = step.operation in self._judged_by
        if self._hangs[step.operation] >= HANGS_TO_BLOW and (is_judged or not step.is_expected):
            step.outcome = "spared"
            raise StepFailed(step)


@dataclass(frozen=True)
class Conditions:
    """What holds for every clause of a run."""

    seed: int
    effort: Effort = NORMAL
    fuse: Fuse = field(default_factory=Fuse)
    on_begin: Callable[[Step], None] = lambda _: None
    """Told of each call before it is made."""
    pictures: Path = field(default_factory=picture_folder)
    """Where pages are written that show a violation."""


@contextmanager
def provided(
    backend: Backend, postgres: PostgresChoice, *, files: Path | None = None
) -> Iterator[Storage]:
    """Provide the storage of a backend; one that the kit made is closed at the end.

    Places that are files are made in the folder `files`, else in that of temporary files.

    Raises:
        StorageUnavailableError: it can't be had; one line that says why.
    """
    if not isinstance(backend.storage, str):
        yield backend.storage
        return
    with selection.provided(backend.storage, postgres, files=files) as made:
        yield made


def try_clause(
    clause: Clause, backend: Backend, storage: Storage, conditions: Conditions
) -> Finding:
    """Try one clause on one fresh place. Answers a finding whatever the store does."""
    inapplicable = clause.missing(backend.capabilities, conditions.effort)
    if inapplicable:
        return Finding(clause, Verdict.NOT_APPLICABLE, reason=inapplicable)
    if conditions.fuse.is_opening_left_alone:
        reason = f"opening did not end in {HANGS_TO_BLOW} clauses, and was not tried again"
        return Finding(clause, Verdict.FAULTED, reason=reason)
    began = time.monotonic()
    try:
        with ExitStack() as places:
            # Before the trial begins: from its thread, where a loop runs, none can be made.
            own = places.enter_context(_own_server(clause, storage))
            place, *others = (
                own.place if own and not number else places.enter_context(storage.fresh())
                for number in range(clause.places_at(conditions.effort))
            )
            lending = Lending(
                tuple(one or None for one in (place, *others)),
                crash=own.crash if own else None,
                connections=getattr(storage, "connections", None),
            )
            finding = try_on(clause, backend, place, conditions, lending)
    except StorageUnavailableError as error:
        finding = Finding(clause, Verdict.FAULTED, reason=str(error))
    except Exception as error:  # noqa: BLE001 - the kit's own failure is no verdict on a store
        finding = Finding(
            clause, Verdict.FAULTED, reason=f"the storage failed: {word_error(error)}"
        )
    conditions.fuse.count(finding)
    return replace(finding, duration=time.monotonic() - began)


def _own_server(clause: Clause, storage: Storage) -> AbstractContextManager[OwnServer | None]:
    lend = getattr(storage, "own_server", None) if clause.takes_own_server else None
    return nullcontext(None) if lend is None else lend()


def try_on(
    clause: Clause,
    backend: Backend,
    place: str,
    conditions: Conditions,
    lending: Lending | None = None,
) -> Finding:
    """Try one clause on this place; the empty place is none."""

    def on_begin(step: Step) -> None:
        conditions.on_begin(step)
        conditions.fuse.check(step)

    trial = Trial(
        clause,
        backend,
        place or None,
        effort=conditions.effort,
        seed=conditions.seed,
        on_begin=on_begin,
        lending=lending,
    )
    # The thread is left behind when a store never gives it back.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(trial.run,), name=clause.id, daemon=True
    )
    try:
        with exits_refused():
            thread.start()
            stuck = _watch(trial)
    except BaseException:
        abandon(thread, trial.done)
        raise
    if stuck is not None:
        abandon(thread, trial.done)
    return _judge(trial, stuck, conditions)


def _watch(trial: Trial) -> Exception | None:
    while not trial.done.wait(0.1):
        stuck = trial.stuck()
        if stuck is not None:
            # What was decided before the tear-down stands, although that does not end.
            return trial.failure or stuck
    return None


def _judge(trial: Trial, stuck: Exception | None, conditions: Conditions) -> Finding:
    """Decide what was found: the answer that differs is the store's, what led there is not."""
    failure = stuck or trial.failure or trial.teardown_failure
    # What the kit has brought about says nothing of the clauses in which it does not.
    waited = [
        step
        for step in trial.history.steps
        if step.outcome == "hung"
        and not step.beside
        and not gave_up_waiting(step, trial.history.pace)
    ]
    hung = tuple({step.operation for step in waited})
    notes = "; ".join(trial.notes) or None
    found = Finding(trial.clause, Verdict.HELD, reason=notes, hung=hung)
    if failure is None:
        return found
    found = replace(found, witness=trial.witness or tuple(trial.history.lines()))
    if _is_crowded_out(failure, trial.history.steps):
        return replace(found, verdict=Verdict.FAULTED, reason=REASON)
    if (impatient := _gave_up(failure, trial.history)) is not None:
        reason = reason_to_give_up(impatient)
        return replace(found, verdict=Verdict.INCONCLUSIVE, reason=reason)
    match failure:
        case Drawn():
            page = _kept(failure, trial, conditions.pictures)
            found = replace(found, witness=failure.timeline, picture=page)
    match failure:
        case Violation():
            return replace(
                found,
                verdict=Verdict.VIOLATED,
                headline=failure.headline,
                demanded=failure.demanded,
                answered=failure.answered,
                judged=failure.operation or _last_judged(trial.history.steps),
                program=trial.program,
            )
        case StepFailed(step=step):
            owner = conditions.fuse.owner(step.operation)
            said = "answered " if step.outcome == "answered" else ""
            reason = f"{step.short_call()} {said}{step.answered()}: see {owner}"
            return replace(found, verdict=Verdict.INCONCLUSIVE, reason=reason, owner=owner)
        case NothingFound():
            return replace(found, verdict=Verdict.INCONCLUSIVE, reason=str(failure))
        case OpeningFailed() | OpenerError():
            if isinstance(failure, OpeningHung) and not trial.is_open:
                conditions.fuse.count_opening()
            return replace(found, verdict=Verdict.FAULTED, reason=str(failure))
    return replace(found, verdict=Verdict.FAULTED, reason=f"the kit failed: {word_error(failure)}")


def _is_crowded_out(failure: Exception, steps: list[Step]) -> bool:
    # What was found by counting, or by an answer, stands whatever else was refused.
    if not isinstance(failure, (StepFailed, Violation)) and is_refusal(failure):
        return True  # a connection of the kit's
    is_by_error = isinstance(failure, StepFailed) or (
        isinstance(failure, Violation) and failure.answered.startswith("raised ")
    )
    return is_by_error and was_refused_a_connection(steps)


def _gave_up(failure: Exception, history: History) -> Step | None:
    """Answer the step by which it failed, if that waited for others, and no longer than it may."""
    if isinstance(failure, StepFailed):
        found = [failure.step]
    elif isinstance(failure, Violation):
        found = [step for step in history.steps if step.answered() == failure.answered]
    else:
        return None
    have = found and all(gave_up_waiting(step, history.pace) for step in found)
    return found[0] if have else None


def _kept(drawn: Drawn, trial: Trial, folder: Path) -> str:
    """Write the page that shows a violation, and answer where it is."""
    name = re.sub(r"[^\w.-]+", "-", f"{trial.backend.name}-{trial.clause.id}-{trial.seed}")
    path = folder / f"{name}.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn.page, encoding="utf-8")
    except OSError as error:
        return f"could not be written to {path}: {error.strerror or error}"
    return str(path)


def _last_judged(steps: list[Step]) -> str | None:
    return next((step.operation for step in reversed(steps) if step.is_expected), None)
