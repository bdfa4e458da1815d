"""A correct store in memory, and fifteen that break under concurrency, each in its own way.

`pause` is where a real store waits for its storage: there other calls may come in between. What a
store does between two pauses is done at one instant.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sessionstore_contract.interface import Json, SessionExistsError, SessionStore
from sessionstore_contract.values import copy

if TYPE_CHECKING:
    from collections.abc import Coroutine

Costs = dict[str, Json]


class Row:
    """What is kept of a session."""

    def __init__(self, messages: list[Json] | None = None, costs: Costs | None = None) -> None:
        self.messages = copy(messages or [])
        self.costs: Costs = copy(costs or {})
        self.active = datetime.now(UTC)


async def pause(times: int = 1) -> None:
    """Let others go first."""
    for _ in range(times):
        await asyncio.sleep(0)


class RightStore(SessionStore):
    """Each operation takes effect at one instant, between two pauses."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.behind: set[asyncio.Task[Any]] = set()
        self.calls = 0

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Go on with something when the answer was given."""
        task = asyncio.ensure_future(work)
        self.behind.add(task)
        task.add_done_callback(self.behind.discard)

    async def create(self, session_id: str | None = None) -> str:
        await pause()
        name = session_id or f"session {len(self.rows)}"
        if name in self.rows:
            raise SessionExistsError(f"{name!r} exists")
        self.rows[name] = Row()
        await pause()
        return name

    async def load(self, session_id: str) -> list[Json] | None:
        await pause()
        row = self.rows.get(session_id)
        answer = None if row is None else copy(row.messages)
        await pause()
        return answer

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await pause()
        old = self.rows.get(session_id)
        self.rows[session_id] = Row(messages, old.costs if old else None)
        await pause()

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        await pause()
        row = self.rows.get(session_id)
        if row is not None and cost_data:
            self.rows[session_id] = Row(row.messages, {**row.costs, **cost_data})
        await pause()
        return row is not None

    async def get_cost_data(self, session_id: str) -> Costs:
        await pause()
        row = self.rows.get(session_id)
        answer = {} if row is None else copy(row.costs)
        await pause()
        return answer

    async def delete(self, session_id: str) -> bool:
        await pause()
        is_found = self.rows.pop(session_id, None) is not None
        await pause()
        return is_found

    async def exists(self, session_id: str) -> bool:
        await pause()
        is_found = session_id in self.rows
        await pause()
        return is_found

    async def delete_before(self, cutoff: datetime) -> int:
        await pause()
        old = [name for name, row in self.rows.items() if row.active < cutoff]
        for name in old:
            del self.rows[name]
        await pause()
        return len(old)

    async def close(self) -> None:
        while self.behind:
            await asyncio.gather(*self.behind)


class UpdateReadsThenWrites(RightStore):
    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        row = self.rows.get(session_id)
        if row is None:
            return False
        merged = {**row.costs, **(cost_data or {})}
        await pause()
        if session_id in self.rows:
            self.rows[session_id].costs = merged
        await pause()
        return True


class SaveResetsCosts(RightStore):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        await pause()
        self.rows[session_id] = Row(messages)
        await pause()


class SaveWritesOldCostsBack(RightStore):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        old = self.rows.get(session_id)
        row = Row(messages, old.costs if old else None)
        await pause()
        self.rows[session_id] = row
        await pause()


class UpdateGoesKeyByKey(RightStore):
    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        if session_id not in self.rows:
            return False
        for key, value in (cost_data or {}).items():
            await pause()
            if session_id in self.rows:
                self.rows[session_id].costs[key] = copy(value)
        await pause()
        return True


class ReadGoesKeyByKey(RightStore):
    async def get_cost_data(self, session_id: str) -> Costs:
        answer = {}
        for key in sorted(self.rows[session_id].costs if session_id in self.rows else ()):
            await pause()
            row = self.rows.get(session_id)
            if row is not None and key in row.costs:
                answer[key] = row.costs[key]
        return answer


class LoadsFromACache(RightStore):
    """Refreshed at every eighth read."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, list[Json] | None] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        self.calls += 1
        if session_id not in self.cache or self.calls % 8 == 0:
            self.cache[session_id] = await super().load(session_id)
        answer: list[Json] | None = copy(self.cache[session_id])
        return answer


class SaveAnswersBeforeItWrites(RightStore):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        async def write() -> None:
            await pause(6)
            await RightStore.save(self, session_id, messages)

        self.later(write())
        await pause()


class UpdateRevivesTheDeleted(RightStore):
    """It looks whether the session exists, waits, and writes the row whether or not it does."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        if session_id not in self.rows:
            return False
        await pause()
        row = self.rows.setdefault(session_id, Row())
        row.costs = {**row.costs, **(cost_data or {})}
        await pause()
        return True


class UpdateMakesTheSession(RightStore):
    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        await pause()
        row = self.rows.setdefault(session_id, Row())
        row.costs = {**row.costs, **(cost_data or {})}
        await pause()
        return True


class DeleteForgetsTheCosts(RightStore):
    """They are in a table of their own, where they wait for the next session of that id."""

    def __init__(self) -> None:
        super().__init__()
        self.costs: dict[str, Costs] = {}

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        await pause()
        if session_id not in self.rows:
            return False
        self.costs[session_id] = {**self.costs.get(session_id, {}), **(cost_data or {})}
        await pause()
        return True

    async def get_cost_data(self, session_id: str) -> Costs:
        await pause()
        return dict(self.costs.get(session_id, {})) if session_id in self.rows else {}


class DeleteTakesTwoSteps(RightStore):
    """The messages first, the session afterwards."""

    async def delete(self, session_id: str) -> bool:
        if session_id not in self.rows:
            return False
        self.rows[session_id].messages = []
        await pause()
        is_found = self.rows.pop(session_id, None) is not None
        await pause()
        return is_found


class TwoDeletesWin(RightStore):
    async def delete(self, session_id: str) -> bool:
        is_found = session_id in self.rows
        await pause()
        self.rows.pop(session_id, None)
        return is_found


class TwoCreatesWin(RightStore):
    async def create(self, session_id: str | None = None) -> str:
        name = session_id or f"session {len(self.rows)}"
        if name in self.rows:
            await pause()
            raise SessionExistsError(f"{name!r} exists")
        await pause()
        self.rows[name] = Row()
        return name


class UpdateIsSentTwice(RightStore):
    """Every fifth is repeated after a while, over what was written since."""

    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        async def repeat() -> None:
            await pause(12)
            await RightStore.update(self, session_id, cost_data=cost_data)

        self.calls += 1
        if self.calls % 5 == 0:
            self.later(repeat())
        return await super().update(session_id, cost_data=cost_data)


class EveryFortiethUpdateIsLost(RightStore):
    async def update(self, session_id: str, *, cost_data: Costs | None = None) -> bool:
        self.calls += 1
        if self.calls % 40 == 0:
            return session_id in self.rows
        return await super().update(session_id, cost_data=cost_data)


BROKEN: Final[tuple[type[RightStore], ...]] = (
    UpdateReadsThenWrites,
    SaveResetsCosts,
    SaveWritesOldCostsBack,
    UpdateGoesKeyByKey,
    ReadGoesKeyByKey,
    LoadsFromACache,
    SaveAnswersBeforeItWrites,
    UpdateRevivesTheDeleted,
    UpdateMakesTheSession,
    DeleteForgetsTheCosts,
    DeleteTakesTwoSteps,
    TwoDeletesWin,
    TwoCreatesWin,
    UpdateIsSentTwice,
    EveryFortiethUpdateIsLost,
)
