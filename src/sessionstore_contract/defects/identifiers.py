"""Stores for which an id means more than the one session."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


class TakesIdsOtherwise(Wrapper):
    """Makes another id of the one that it was given, the same in every operation."""

    def taken(self, session_id: str) -> str:
        raise NotImplementedError

    async def create(self, session_id: str | None = None) -> Json:
        if session_id is None:
            return await self.store.create()
        await self.store.create(self.taken(session_id))
        return session_id

    async def load(self, session_id: str) -> Json:
        return await self.store.load(self.taken(session_id))

    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(self.taken(session_id), messages)

    async def update(self, session_id: str, *, cost_data: Json = None) -> Json:
        return await self.store.update(self.taken(session_id), cost_data=cost_data)

    async def get_cost_data(self, session_id: str) -> Json:
        return await self.store.get_cost_data(self.taken(session_id))

    async def delete(self, session_id: str) -> Json:
        return await self.store.delete(self.taken(session_id))

    async def exists(self, session_id: str) -> Json:
        return await self.store.exists(self.taken(session_id))


@defect("Ids that differ in case are one.", caught_by="identifiers.are-exact")
class IdsIgnoreCase(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return session_id.lower()


@defect("Ids lose the white space around them.", caught_by="identifiers.are-exact")
class IdsAreStripped(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return session_id.strip()


@defect("Ids are cut after 64 characters.", caught_by="identifiers.are-exact")
class IdsAreCut(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return session_id[:64]


@defect("Ids are brought into Unicode form NFC.", caught_by="identifiers.are-exact")
class IdsAreNormalised(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return unicodedata.normalize("NFC", session_id)


@defect("Ids that are numbers lose their leading zeros.", caught_by="identifiers.are-exact")
class IdsAreNumbers(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return str(int(session_id)) if session_id.isdecimal() else session_id


@defect("An id is read as a path.", caught_by="identifiers.mean-nothing")
class IdsArePaths(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return session_id.rpartition("/")[2] or session_id


@defect("An id ends at `?` and `#`, as in an address.", caught_by="identifiers.mean-nothing")
class IdsAreAddresses(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return session_id.partition("?")[0].partition("#")[0] or session_id


@defect("What is percent-encoded in an id is decoded.", caught_by="identifiers.mean-nothing")
class IdsAreDecoded(TakesIdsOtherwise):
    def taken(self, session_id: str) -> str:
        return unquote(session_id)


@defect(
    "`create` refuses ids that `save` takes.",
    caught_by="identifiers.same-rule-everywhere",
)
class OnlyCreateChecksIds(Wrapper):
    async def create(self, session_id: str | None = None) -> Json:
        if session_id is not None and len(session_id) > 64:
            raise ValueError("an id has 64 characters at the most")
        return await self.store.create(session_id)
