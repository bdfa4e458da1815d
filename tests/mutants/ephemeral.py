"""Stores that keep nothing, and do that wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .correct import NothingStore
from .defect import mutant

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json


@mutant("ephemeral.create-answers-an-id", "create answers '")
class IgnoresTheGivenId(NothingStore):
    """Makes an id of its own when one was given."""

    async def create(self, session_id: str | None = None) -> str:
        return await super().create()


@mutant(
    "ephemeral.create-answers-an-id",
    "create answers None, not a text that is not empty",
    also={"interface.answers-have-the-declared-type": "create answers null, not text"},
)
class AnswersNoId(NothingStore):
    """Has no id for a session that it will not keep."""

    async def create(self, session_id: str | None = None) -> str:
        return session_id  # type: ignore[return-value]


@mutant(
    "ephemeral.create-answers-an-id", "create answers 'none', not an id that was not given before"
)
class AnswersOneIdForAll(NothingStore):
    """Has one id for every session that it will not keep."""

    async def create(self, session_id: str | None = None) -> str:
        return session_id or "none"


@mutant("ephemeral.keeps-nothing", "update says that it stored what is not kept")
class UpdateClaimsToStore(NothingStore):
    """Answers True because nothing went wrong."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return cost_data is not None


@mutant("ephemeral.keeps-nothing", "update answers True, not False")
class UpdateWithoutFieldsClaimsToFind(NothingStore):
    """Answers True when nothing was to be stored."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return cost_data is None


@mutant("ephemeral.keeps-nothing", "load answers an empty session for one that is not kept")
class LoadsAnEmptySession(NothingStore):
    """Answers [], which says that the session is known."""

    async def load(self, session_id: str) -> list[Json] | None:
        return []


@mutant("ephemeral.keeps-nothing", "exists answers True, not False")
class RemembersIds(NothingStore):
    """Keeps the ids and nothing else."""

    def __init__(self, place: str | None = None) -> None:
        self.ids: set[str] = set()

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.ids.add(session_id)

    async def exists(self, session_id: str) -> bool:
        return session_id in self.ids


@mutant("ephemeral.keeps-nothing", "get_cost_data raises NotImplementedError")
class CanNotReadCostData(NothingStore):
    """Raises where {} is the whole truth."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        raise NotImplementedError


@mutant("ephemeral.keeps-nothing", "get_cost_data answers {'turns': 0}, not {}")
class ReadsZeroes(NothingStore):
    """Answers figures that nobody wrote."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return {"turns": 0}


@mutant("ephemeral.keeps-nothing", "delete answers True, not False")
class DeleteClaimsToRemove(NothingStore):
    """Answers True because the session is gone."""

    async def delete(self, session_id: str) -> bool:
        return True


@mutant("ephemeral.keeps-nothing", "delete_before answers -1, not 0")
class CountsMinusOne(NothingStore):
    """Answers the driver's word for unknown."""

    async def delete_before(self, cutoff: datetime) -> int:
        return -1


@mutant("ephemeral.keeps-nothing", "save raised OSError: no space")
class RefusesToSave(NothingStore):
    """Says by an exception that it keeps nothing."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if messages:
            raise OSError("no space")
