"""What is known of a mutant among chat servers and accumulators: its defect, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from . import accumulators, servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstore_contract.turn.system import System

K = TypeVar("K", bound=type)

MUTANTS: list[Any] = []


@dataclass(frozen=True)
class Defect:
    """The clause that is meant to name a mutant, and what it says."""

    caught_by: str
    headline: str
    """How the headline of the violation begins."""
    also: frozenset[str]
    """The other clauses whose own sentence the same defect breaks."""
    bound: float


def mutant(
    caught_by: str, headline: str, *, also: tuple[str, ...] = (), bound: float = 10.0
) -> Callable[[K], K]:
    """Make the class below a mutant."""

    def register(kind: K) -> K:
        kind.defect = Defect(  # type: ignore[attr-defined]  # looked up by `defect_of`
            f"turn.{caught_by}", headline, frozenset(f"turn.{one}" for one in also), bound
        )
        MUTANTS.append(kind)
        return kind

    return register


def defect_of(kind: Any) -> Defect:
    """Answer the defect that a class itself declares."""
    found = vars(kind)["defect"]
    assert isinstance(found, Defect)
    return found


def system_of(kind: Any) -> System:
    """Hand a mutant over as its author would."""
    make = servers.system if issubclass(kind, servers.PlainServer) else accumulators.system
    return make(kind, bound=defect_of(kind).bound)
