"""What a defect is: a wrapper around a correct store, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..contract import CLAUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..capabilities import Capability
    from ..clause import Clause
    from ..interface import Json

W = TypeVar("W", bound="type[Wrapper]")

CLAUSE_OF = {clause.id: clause for clause in CLAUSES}


class Wrapper:
    """Passes every operation on to an open store; a defect overrides what it does wrong."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def put(self, session_id: str, messages: list[Json], cost_data: dict[str, Json]) -> None:
        """Give a session this history and this cost data and nothing else."""
        await self.store.delete(session_id)
        await self.store.save(session_id, messages)
        if cost_data:
            await self.store.update(session_id, cost_data=cost_data)


@dataclass(frozen=True)
class Defect:
    """One thing that a store can do wrong, and the clause that is meant to name it."""

    name: str
    sentence: str
    clause: Clause
    wrapper: type[Wrapper]
    needs: frozenset[Capability]
    """What a backend must claim, beside what the clause needs, for the defect to be seen."""
    lacks: frozenset[Capability]
    """What a backend must not claim, for the defect to be one."""
    timeout: float | None
    """Seconds for one call where the defect is that it does not come back."""

    @property
    def address(self) -> str:
        """Where another process finds the wrapper."""
        return f"{self.wrapper.__module__}:{self.wrapper.__qualname__}"

    @property
    def area(self) -> str:
        return self.clause.area

    def missing(self, claims: Iterable[Capability]) -> str | None:
        """Say why the defect can't be seen on a backend that claims these; None when it can."""
        claimed = frozenset(claims)
        lacking, besides = sorted(self.needs - claimed), sorted(self.lacks & claimed)
        if lacking:
            return f"needs {', '.join(lacking)}, which is not claimed"
        if besides:
            return f"is none where {', '.join(besides)} is claimed"
        return self.clause.missing(claimed)


def defect(
    sentence: str,
    *,
    caught_by: str,
    needs: Iterable[Capability] = (),
    lacks: Iterable[Capability] = (),
    timeout: float | None = None,
) -> Callable[[W], W]:
    """Make the wrapper below a defect, named as its class is."""

    def register(wrapper: W) -> W:
        wrapper.defect = Defect(  # type: ignore[attr-defined]  # looked up by `defect_of`
            re.sub(r"(?<!^)(?=[A-Z])", "-", wrapper.__name__).lower(),
            sentence,
            CLAUSE_OF[caught_by],
            wrapper,
            frozenset(needs),
            frozenset(lacks),
            timeout,
        )
        return wrapper

    return register


def defect_of(wrapper: Any) -> Defect | None:
    """Answer the defect that a class itself declares."""
    found = vars(wrapper).get("defect") if isinstance(wrapper, type) else None
    return found if isinstance(found, Defect) else None


def defects_in(module: Any) -> list[Defect]:
    """Answer the defects that a module declares, in its order."""
    declared = filter(None, map(defect_of, vars(module).values()))
    return [one for one in declared if one.wrapper.__module__ == module.__name__]
