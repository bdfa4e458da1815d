"""A store on what somebody else holds: what the backend lends may be wrong itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sessionstore_contract import Lent, catalogue
from sessionstore_contract.backend import Backend
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.file import FileStorage
from sessionstore_contract.verdict import Finding, Verdict

from .mutants.correct import FileStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

events: list[str] = []


@asynccontextmanager
async def lend_what_is_broken(place: str) -> AsyncIterator[Lent]:
    yield Lent(FileStore(place), is_usable=lambda: False)


@asynccontextmanager
async def lend_nothing(place: str) -> AsyncIterator[Lent]:
    if place:
        raise OSError(f"nothing at {place[:1]}")
    yield Lent(FileStore(place), is_usable=lambda: True)


@asynccontextmanager
async def lend_and_take_back(place: str) -> AsyncIterator[Lent]:
    events.append("lent")

    async def is_usable() -> bool:
        return True

    async def begin() -> None:
        events.append("begun")

    yield Lent(FileStore(place), is_usable, begin, lambda: events[-1] == "begun")
    events.append("taken back")


@asynccontextmanager
async def lend_what_can_t_be_taken_back(place: str) -> AsyncIterator[Lent]:
    closed: list[bool] = []

    class Closing(FileStore):
        async def close(self) -> None:
            closed.append(True)
            await super().close()

    yield Lent(Closing(place), is_usable=lambda: not closed)
    raise RuntimeError("closed already")


def found(lend: Any) -> Finding:
    (clause,) = catalogue.select(["closing.keeps-off-what-it-was-lent"])
    backend = Backend("mine", open=FileStore, lend=lend)
    return try_clause(clause, backend, FileStorage(), Conditions(seed=1))


def test_what_does_not_work_before_is_nobody_s_fault() -> None:
    """A store is not blamed for what was broken when it got it."""
    finding = found(lend_what_is_broken)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "what was lent does not work before the store is closed"


def test_what_can_t_be_lent_is_told() -> None:
    """It is a fault of the backend, not of the store."""
    finding = found(lend_nothing)
    assert (finding.verdict, finding.reason) == (
        Verdict.FAULTED,
        "lend= raised OSError: nothing at /",
    )


def test_what_is_lent_is_taken_back_before_the_next_is_lent() -> None:
    """Two at once could lock each other out; looks may be coroutine functions."""
    events.clear()
    assert found(lend_and_take_back).verdict is Verdict.HELD
    assert events == ["lent", "begun", "taken back"] * 2


def test_what_comes_of_a_closed_connection_hides_nothing() -> None:
    """The violation is told, not that the holder could not close what was closed."""
    finding = found(lend_what_can_t_be_taken_back)
    assert (finding.verdict, finding.headline) == (Verdict.VIOLATED, "close closes what was lent")
