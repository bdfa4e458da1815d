"""What is known of a mutant: its defect, as data, and the backend that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sessionstore_contract import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

S = TypeVar("S", bound=type)


@dataclass(frozen=True)
class Defect:
    """The clause that is meant to name a mutant, and what it says."""

    caught_by: str
    headline: str
    """How the headline of the violation begins."""
    also: Mapping[str, str] = field(default_factory=dict)
    """The other clauses whose own sentence the same defect breaks, with their headlines."""
    is_everywhere: bool = False
    """So much is broken that which other clauses say so is not kept; true of few."""
    adding: frozenset[str] = frozenset()
    """Claims beyond those of the design."""
    without: frozenset[str] = frozenset()
    """Claims of the design that the mutant does not make."""
    corrupt: Callable[[str, str], Any] | None = None
    timeout: float = 10.0
    effort: str | None = None
    """The effort at which it shows, where a smaller one does not do."""

    @property
    def headlines(self) -> dict[str, str]:
        """What every clause that is violated says."""
        return {self.caught_by: self.headline, **self.also}


def mutant(
    caught_by: str,
    headline: str,
    *,
    also: Mapping[str, str] | None = None,
    is_everywhere: bool = False,
    adding: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    corrupt: Callable[[str, str], Any] | None = None,
    timeout: float = 10.0,
    effort: str | None = None,
) -> Callable[[S], S]:
    """Make the class below a mutant."""

    def register(store: S) -> S:
        store.defect = Defect(  # type: ignore[attr-defined]  # looked up by `defect_of`
            caught_by,
            headline,
            also or {},
            is_everywhere,
            frozenset(adding),
            frozenset(without),
            corrupt,
            timeout,
            effort,
        )
        return store

    return register


def defect_of(store: Any) -> Defect | None:
    """Answer the defect that a class itself declares."""
    found = vars(store).get("defect") if isinstance(store, type) else None
    return found if isinstance(found, Defect) else None


def backend(store: Any, *, corrupt: Callable[[str, str], Any] | None = None) -> Backend:
    """Make the backend of a correct store or of a mutant; it may say itself how it is lent to."""
    defect = defect_of(store)
    claims = set(store.claims)
    if defect is not None:
        corrupt = defect.corrupt
        # Processes take time: a mutant has them where they matter.
        claims = (claims - {"multi-process"} | defect.adding) - defect.without
    elif "persistence" in claims:
        claims |= {"census"}  # looking for what grows takes time, too
    return Backend(
        store.__name__,
        open=store,
        storage=store.storage,
        profile="ephemeral",
        adding=claims,
        corrupt=corrupt,
        legacy="reference" if "migration" in claims else None,
        open_with_token=getattr(store, "open_with_token", None),
        lend=getattr(store, "lend", None),
        open_bounded=getattr(store, "open_bounded", None),
        timeout=defect.timeout if defect else 10.0,
    )
