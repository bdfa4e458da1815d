"""Whether an operation failed for want of a connection: a matter of the server, not of a store.

How many connections there are for all is set at the server, and shared by every worker of a run. A
store that takes too many is found out by counting them; one that finds none left has done no wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import word_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .history import Step

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
