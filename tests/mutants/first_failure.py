"""Stores that are broken by their first use, or that hide that it failed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from reference_backends.http_connection import Connection, Reply
from sessionstore_contract.interface import StoreUnavailableError

from .defect import mutant
from .platform_stores import PlatformStore

if TYPE_CHECKING:
    from sessionstore_contract.interface import Json


class Unforgetting(Connection):
    """Keeps what came of the first use, a failure too."""

    failure: StoreUnavailableError | None = None
    is_opened = False

    async def ask(self, method: str, path: str, body: Json = None, **rest: Any) -> Reply:
        if self.failure is not None:
            raise self.failure
        try:
            reply = await super().ask(method, path, body, **rest)
        except StoreUnavailableError as error:
            self.failure = None if self.is_opened else error
            raise
        self.is_opened = True
        return reply


@mutant(
    "opening.failed-first-use-can-be-retried",
    "after a failed first exists the store stays broken: save raised StoreUnavailableError",
    timeout=3.0,
)
class RemembersItsFirstFailure(PlatformStore):
    """Is broken for good when the platform was away at first."""

    connection_kind: ClassVar[type[Connection]] = Unforgetting


@mutant(
    "opening.failed-first-use-can-be-retried",
    "exists answers False although the place can't be reached",
    also={
        "faults.a-failed-read-raises": "exists answers False when an end comes for an answer",
        "faults.operations-are-bounded": "exists answers False and the server has said nothing",
        "faults.answers-are-checked": "exists answers False to the status 301",
    },
)
class TakesAwayForMissing(PlatformStore):
    """Answers that nothing is there when nobody answers."""

    async def exists(self, session_id: str) -> bool:
        try:
            return await super().exists(session_id)
        except StoreUnavailableError:
            return False


@mutant(
    "opening.failed-first-use-can-be-retried",
    "save answers None although the place can't be reached",
    also={
        "faults.a-failed-write-raises": "save answers None when its request is lost, and nothing",
        "faults.operations-are-bounded": "save answers None and the server has said nothing",
        "faults.answers-are-checked": "save answers None to the status 301",
    },
)
class SavesForNobody(PlatformStore):
    """Swallows that a history was not saved."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        with suppress(StoreUnavailableError):
            await super().save(session_id, messages)
