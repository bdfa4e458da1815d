"""Whether an operation failed for want of a connection, or of time: no matter of the store.

How many connections there are for all is set at the server, and shared by every worker of a run. A
store that takes too many is found out by counting them; one that finds none left has done no wrong.

How long a caller waits for a connection is for the store to bound. One that is slow can't serve as
many at once as the kit asks within that time, and is right to say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import word_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .history import Step
    from .pace import Pace

REASON = (
    "the server had no connection left: raise its max_connections, or the connection limit of the "
    "role or database, or try fewer clauses at once with -n 1"
)
"""Why there is no verdict then."""

_SQLSTATE = "53300"
_MYSQL = 1040

_SAID = (
    "too many clients already",
    "too many connections for role",
    "too many connections for database",
    "remaining connection slots are reserved",
)
"""What PostgreSQL says, where nothing but the text has come from another process."""


LEAST_WAIT = 1.0
"""Seconds after which a call that raised has waited. Locks that are not waited for are sooner."""


def gave_up_waiting(step: Step, pace: Pace) -> bool:
    """Answer whether a call raised after a wait that those explain which were under way with it.

    Or was given up, where nobody knew yet how slow the store is.
    """
    is_given_up = step.outcome == "hung" and step.timeout is None
    has_come_to_nothing = step.outcome == "raised" or is_given_up
    has_waited = LEAST_WAIT <= step.waited <= pace.patience(step.crowd)
    # One that was alone has waited for nobody.
    return has_come_to_nothing and step.crowd > 1 and has_waited


def reason_to_give_up(step: Step) -> str:
    """Word why there is no verdict then, and the way out."""
    is_the_stores = step.outcome == "raised"
    way = "open it with longer time-outs" if is_the_stores else "give it Backend(timeout=...)"
    return (
        f"{step.short_call()} {step.answered()}, after {step.waited:.1f} s: the store is slow, and "
        f"what was under way may take longer; {way}, or try it where it is faster"
    )


def was_refused_a_connection(steps: Iterable[Step]) -> bool:
    """Answer whether any of the steps found its server with no connection left."""
    return any(is_refusal(step.error) for step in steps)


def is_refusal(error: BaseException | None) -> bool:
    """Answer whether an error says that its server had no connection left."""
    return any(
        getattr(one, "sqlstate", None) == _SQLSTATE
        or one.args[:1] == (_MYSQL,)
        or any(said in word_error(one) for said in _SAID)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Answer the error and what it was raised from, however deep."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
