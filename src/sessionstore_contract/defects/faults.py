"""Stores that are right as long as the network is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..history import OPERATIONS
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "A read that fails is reported as missing or empty.",
    caught_by="faults.a-failed-read-raises",
)
class TakesAFailureForNothing(Wrapper):
    async def load(self, session_id: str) -> Any:
        try:
            return await self.store.load(session_id)
        except Exception:  # noqa: BLE001 - it catches all, which is the defect
            return None

    async def exists(self, session_id: str) -> Any:
        try:
            return await self.store.exists(session_id)
        except Exception:  # noqa: BLE001 - as above
            return False


@defect("A `save` that fails is acknowledged.", caught_by="faults.a-failed-write-raises")
class AcknowledgesAFailedSave(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await self.store.save(session_id, messages)
        except Exception as error:
            if isinstance(error, ValueError | TypeError):
                raise  # what can't be stored is refused as ever


@defect("An `update` that fails answers False.", caught_by="faults.a-failed-write-raises")
class AFailedUpdateAnswersFalse(Wrapper):
    async def update(self, session_id: str, **fields: Json) -> Any:
        try:
            return await self.store.update(session_id, **fields)
        except Exception as error:
            if isinstance(error, ValueError | TypeError):
                raise
            return False


class Watches(Wrapper):
    """Is told of each operation that has failed: a start for defects."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)

        async def watched(*arguments: Any, **keywords: Any) -> Any:
            await self.before(name)
            try:
                return await found(*arguments, **keywords)
            except (ValueError, TypeError, LookupError):
                raise
            except Exception as error:
                await self.failed(error)
                raise

        return watched if name in OPERATIONS and name != "close" else found

    async def before(self, operation: str) -> None:
        """Do nothing."""

    async def failed(self, error: Exception) -> None:
        """Do nothing."""


@defect(
    "An operation that has failed is the last one that works.",
    caught_by="faults.restart-is-survived",
    timeout=2,
)
class IsBrokenByAFailure(Watches):
    failure: Exception | None = None

    async def before(self, operation: str) -> None:
        if self.failure is not None:
            raise RuntimeError("the connection was lost") from None

    async def failed(self, error: Exception) -> None:
        self.failure = error


@defect(
    "An operation that has failed is tried again until it works.",
    caught_by="faults.operations-are-bounded",
    timeout=2,
)
class NeverGivesUp(Watches):
    async def failed(self, error: Exception) -> None:
        await asyncio.Event().wait()


@defect(
    "A `save` that has failed is made later, whatever was saved since.",
    caught_by="faults.lost-answer-is-not-applied-twice",
)
class SavesLater(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.unsaved: list[tuple[str, list[Json]]] = []

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await self.store.save(session_id, messages)
        except Exception as error:
            if not isinstance(error, ValueError | TypeError):
                self.unsaved.append((session_id, messages))
            raise

    async def exists(self, session_id: str) -> Any:
        found = await self.store.exists(session_id)
        while self.unsaved:
            await self.store.save(*self.unsaved.pop())
        return found


@defect(
    "The answer to a `load` that was cancelled is given to the next one.",
    caught_by="faults.stay-with-their-session",
)
class GivesALateAnswerToTheNext(Wrapper):
    late: asyncio.Future[Any] | None = None

    async def load(self, session_id: str) -> Any:
        if self.late is not None:
            late, self.late = self.late, None
            return await late
        loading = asyncio.ensure_future(self.store.load(session_id))
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            self.late = loading
            raise


@defect(
    "Four operations at once are let through, whatever they are about.",
    caught_by="faults.a-stuck-session-blocks-only-itself",
    timeout=2,
)
class LetsFourIn(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.places = asyncio.Semaphore(4)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)

        async def let_in(*arguments: Any, **keywords: Any) -> Any:
            async with self.places:
                return await found(*arguments, **keywords)

        return let_in if name in OPERATIONS and name != "close" else found
