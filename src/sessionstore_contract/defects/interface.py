"""Stores whose shape is not the one that callers are written against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from .defect import Wrapper, defect

if TYPE_CHECKING:
    from datetime import datetime

    from ..interface import Json


@defect(
    "`exists`, `update` and `delete` answer 1 and 0.",
    caught_by="interface.answers-have-the-declared-type",
)
class AnswersNumbersForTruths(Wrapper):
    async def exists(self, session_id: str) -> int:
        return int(await self.store.exists(session_id))

    async def update(self, session_id: str, *, cost_data: Json = None) -> int:
        return int(await self.store.update(session_id, cost_data=cost_data))

    async def delete(self, session_id: str) -> int:
        return int(await self.store.delete(session_id))


@defect(
    "`save` answers the status line of its driver.",
    caught_by="interface.answers-have-the-declared-type",
)
class SaveAnswersAStatus(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> str:
        await self.store.save(session_id, messages)
        return "UPDATE 1"


@defect(
    "`delete_before` answers its count as a text.",
    caught_by="interface.answers-have-the-declared-type",
    needs={Capability.RETENTION},
)
class CountsInText(Wrapper):
    async def delete_before(self, cutoff: datetime) -> str:
        return str(await self.store.delete_before(cutoff))


@defect(
    "`update` takes cost data by position.",
    caught_by="interface.update-is-keyword-only",
)
class UpdateTakesPositions(Wrapper):
    async def update(self, session_id: str, cost_data: Json = None) -> Json:
        return await self.store.update(session_id, cost_data=cost_data)


@defect(
    "`update` can't be called without cost data.",
    caught_by="interface.update-is-keyword-only",
)
class UpdateNeedsCostData(Wrapper):
    async def update(self, session_id: str, *, cost_data: Json) -> Json:
        return await self.store.update(session_id, cost_data=cost_data)


@defect("There is no `exists`.", caught_by="interface.has-every-operation")
class HasNoExists(Wrapper):
    exists = None


@defect(
    "`exists` answers at once, without being awaited.",
    caught_by="interface.has-every-operation",
)
class ExistsIsNotAwaited(Wrapper):
    def exists(self, session_id: str) -> bool:
        return bool(session_id)


@defect(
    "`load` has its own name for the session id.",
    caught_by="interface.accepts-the-declared-parameters",
)
class LoadRenamesItsParameter(Wrapper):
    async def load(self, key: str) -> Json:
        return await self.store.load(key)


@defect(
    "`delete_before` is claimed, and raises NotImplementedError.",
    caught_by="interface.claims-are-true",
    needs={Capability.RETENTION},
)
class ClaimsRetentionInVain(Wrapper):
    async def delete_before(self, cutoff: datetime) -> int:
        raise NotImplementedError(f"nothing is removed before {cutoff}")


@defect(
    "`get_cost_data` answers {} where it is not supported.",
    caught_by="interface.unsupported-is-said",
    lacks={Capability.COST_READ},
)
class PretendsToReadCosts(Wrapper):
    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return {}


@defect(
    "`delete_before` answers 0 where it is not supported.",
    caught_by="interface.unsupported-is-said",
    lacks={Capability.RETENTION},
)
class PretendsToRemove(Wrapper):
    async def delete_before(self, cutoff: datetime) -> int:
        return 0
