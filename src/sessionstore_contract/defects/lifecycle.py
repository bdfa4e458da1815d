"""Stores in which sessions come, stay and go otherwise than they were told to."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect("`create` makes an id of its own.", caught_by="lifecycle.create-keeps-the-given-id")
class CreateIgnoresTheGivenId(Wrapper):
    async def create(self, session_id: str | None = None) -> str:
        answer: str = await self.store.create()
        return answer


@defect(
    "`create` stores nothing before the first save.",
    caught_by="lifecycle.create-keeps-the-given-id",
)
class CreateStoresNothing(Wrapper):
    async def create(self, session_id: str | None = None) -> str:
        return session_id or secrets.token_hex(16)


@defect(
    "`create` of a taken id answers it as if it were free.",
    caught_by="lifecycle.create-refuses-a-taken-id",
)
class CreateTakesATakenId(Wrapper):
    async def create(self, session_id: str | None = None) -> Json:
        if session_id is not None and await self.store.exists(session_id):
            return session_id
        return await self.store.create(session_id)


@defect(
    "`create` of a taken id raises, and has emptied the session.",
    caught_by="lifecycle.create-refuses-a-taken-id",
)
class CreateEmptiesATakenId(Wrapper):
    async def create(self, session_id: str | None = None) -> Json:
        if session_id is not None and await self.store.exists(session_id):
            await self.store.save(session_id, [])
        return await self.store.create(session_id)


@defect("Fresh ids come round again.", caught_by="lifecycle.create-makes-fresh-ids")
class IdsRepeat(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.ids = itertools.cycle(f"session-{number}" for number in range(7))

    async def create(self, session_id: str | None = None) -> Json:
        if session_id is not None:
            return await self.store.create(session_id)
        fresh = next(self.ids)
        await self.store.save(fresh, [])
        return fresh


@defect(
    "Fresh ids are numbered, after a name that each instance keeps.",
    caught_by="lifecycle.fresh-ids-are-unguessable",
)
class IdsAreNumbered(Wrapper):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.name, self.numbers = secrets.token_hex(8), itertools.count()

    async def create(self, session_id: str | None = None) -> Json:
        return await self.store.create(session_id or f"{self.name}-{next(self.numbers)}")


@defect("`load` of a missing session answers [].", caught_by="lifecycle.missing-is-not-empty")
class MissingIsEmpty(Wrapper):
    async def load(self, session_id: str) -> Json:
        return await self.store.load(session_id) or []


@defect("`load` of an empty session answers None.", caught_by="lifecycle.missing-is-not-empty")
class EmptyIsMissing(Wrapper):
    async def load(self, session_id: str) -> Json:
        return await self.store.load(session_id) or None


@defect(
    "A session exists only once it has messages.",
    caught_by="lifecycle.missing-is-not-empty",
)
class EmptyDoesNotExist(Wrapper):
    async def exists(self, session_id: str) -> bool:
        return bool(await self.store.load(session_id))


@defect(
    "`delete` answers True whatever was there.",
    caught_by="lifecycle.delete-answers-whether-it-existed",
)
class DeleteAlwaysAnswersTrue(Wrapper):
    async def delete(self, session_id: str) -> bool:
        await self.store.delete(session_id)
        return True


@defect(
    "`delete` removes nothing.",
    caught_by="lifecycle.delete-answers-whether-it-existed",
)
class DeleteRemovesNothing(Wrapper):
    async def delete(self, session_id: str) -> Json:
        return await self.store.exists(session_id)


class BringsBack(Wrapper):
    """Keeps something of a deleted session, and gives it to the next one under that id."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.kept: dict[str, Any] = {}

    async def keep(self, session_id: str) -> Any:
        raise NotImplementedError

    async def give(self, session_id: str, kept: Any) -> None:
        raise NotImplementedError

    async def delete(self, session_id: str) -> Json:
        kept = await self.keep(session_id)
        if kept:
            self.kept[session_id] = kept
        return await self.store.delete(session_id)

    async def create(self, session_id: str | None = None) -> str:
        created: str = await self.store.create(session_id)
        if created in self.kept:
            await self.give(created, self.kept.pop(created))
        return created


@defect(
    "`delete` leaves cost data behind, and the id finds it when it comes back.",
    caught_by="lifecycle.recreated-starts-empty",
    needs={Capability.COST_READ},
)
class DeleteLeavesCostData(BringsBack):
    async def keep(self, session_id: str) -> Any:
        return await self.store.get_cost_data(session_id)

    async def give(self, session_id: str, kept: Any) -> None:
        await self.store.update(session_id, cost_data=kept)


@defect(
    "`delete` hides the messages, and the id finds them when it comes back.",
    caught_by="lifecycle.recreated-starts-empty",
)
class DeleteHidesMessages(BringsBack):
    async def keep(self, session_id: str) -> Any:
        return await self.store.load(session_id)

    async def give(self, session_id: str, kept: Any) -> None:
        await self.store.save(session_id, kept)


@defect("`load` makes a missing session.", caught_by="lifecycle.reads-change-nothing")
class LoadCreates(Wrapper):
    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        if messages is None:
            await self.store.save(session_id, [])
        return messages


@defect("`exists` makes a missing session.", caught_by="lifecycle.reads-change-nothing")
class ExistsCreates(Wrapper):
    async def exists(self, session_id: str) -> Json:
        is_there = await self.store.exists(session_id)
        if not is_there:
            await self.store.save(session_id, [])
        return is_there
