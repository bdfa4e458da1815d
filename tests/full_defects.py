"""Stores that claim everything and are right but for one defect: the reference store, spoiled."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from reference_backends.json_text import encode
from reference_backends.rules import check_cost_data, check_id
from reference_backends.sqlite import SqliteSessionStore
from reference_backends.sqlite_layout import instant_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime

    from sessionstore_contract.interface import Json

Costs = dict[str, Any]


class Spoiled(SqliteSessionStore):
    """What the defects are written with."""

    async def run(self, sql: str, *parameters: Any) -> int:
        def work(database: sqlite3.Connection) -> int:
            return database.execute(sql, parameters).rowcount

        return int(await self._write(work))

    async def rewrite(self, session_id: str, change: Callable[[Costs], Costs]) -> bool:
        """Change cost data in the transaction that reads it."""
        check_id(session_id)

        def work(database: sqlite3.Connection) -> bool:
            found = database.execute(
                "SELECT cost_data FROM sessions WHERE session_id = ?", [session_id]
            ).fetchone()
            if found is None:
                return False
            database.execute(
                "UPDATE sessions SET cost_data = ? WHERE session_id = ?",
                [json.dumps(change(json.loads(found[0] or "{}"))), session_id],
            )
            return True

        return bool(await self._write(work))


class SaveResetsCosts(Spoiled):
    """INSERT OR REPLACE."""

    async def save(self, session_id: str, messages: list[Any]) -> None:
        await super().save(session_id, messages)
        await self.run("UPDATE sessions SET cost_data = '{}' WHERE session_id = ?", session_id)


class SaveAppends(Spoiled):
    async def save(self, session_id: str, messages: list[Any]) -> None:
        if isinstance(messages, list):
            messages = (await self.load(session_id) or []) + messages
        await super().save(session_id, messages)


class SaveStoresNothing(Spoiled):
    async def save(self, session_id: str, messages: list[Any]) -> None:
        before = await self.load(session_id)
        await super().save(session_id, messages)
        await super().save(session_id, before or [])


class ReplacesAllOfCostData(Spoiled):
    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data:
            new = json.loads(encode(check_cost_data(cost_data)))
            await self.rewrite(session_id, lambda _: new)
        return found


class MergesNestedObjects(Spoiled):
    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        check_cost_data(cost_data)
        old = await self.get_cost_data(session_id)
        merged = {key: deep(old.get(key), value) for key, value in cost_data.items()}
        return await super().update(session_id, cost_data=merged)


def deep(old: Json, new: Json) -> Json:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: deep(old.get(key), value) for key, value in new.items()}}


class LosesUpdatesAtOnce(Spoiled):
    """Reads, merges and writes, with an await between."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if not cost_data:
            return await super().update(session_id, cost_data=cost_data)
        check_cost_data(cost_data)
        old = await self.get_cost_data(session_id)
        await asyncio.sleep(0)
        found = await super().update(session_id, cost_data=cost_data)
        new = {**old, **json.loads(encode(cost_data))}
        await self.rewrite(session_id, lambda _: new)
        return found


class NullRemovesTheKey(Spoiled):
    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = await super().update(session_id, cost_data=cost_data)
        if found and cost_data and None in cost_data.values():
            await self.rewrite(
                session_id,
                lambda old: {key: value for key, value in old.items() if value is not None},
            )
        return found


class UpdateCreates(Spoiled):
    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        if cost_data and not await self.exists(session_id):
            check_cost_data(cost_data)
            await self.save(session_id, [])
        return await super().update(session_id, cost_data=cost_data)


class CreateTakesATakenId(Spoiled):
    """ON CONFLICT DO NOTHING."""

    async def create(self, session_id: str | None = None) -> str:
        if session_id is not None and await self.exists(session_id):
            return session_id
        return await super().create(session_id)


class MissingIsEmpty(Spoiled):
    async def load(self, session_id: str) -> list[Any] | None:
        return await super().load(session_id) or []


class DeleteSaysTrue(Spoiled):
    async def delete(self, session_id: str) -> bool:
        await super().delete(session_id)
        return True


class CostsOfTheMissingRaise(Spoiled):
    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        if not await self.exists(session_id):
            raise KeyError(session_id)
        return await super().get_cost_data(session_id)


class CachesMessages(Spoiled):
    """Keeps in the instance what it has read, until it writes itself."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.cache: dict[str, str] = {}

    async def load(self, session_id: str) -> list[Any] | None:
        if session_id not in self.cache:
            messages = await super().load(session_id)
            if messages is None:
                return None
            self.cache[session_id] = json.dumps(messages)
        kept: list[Any] = json.loads(self.cache[session_id])
        return kept

    async def save(self, session_id: str, messages: list[Any]) -> None:
        await super().save(session_id, messages)
        self.cache.pop(session_id, None)

    async def delete(self, session_id: str) -> bool:
        self.cache.pop(session_id, None)
        return await super().delete(session_id)

    async def delete_before(self, cutoff: datetime) -> int:
        self.cache.clear()
        return await super().delete_before(cutoff)


class GoesByAge(Spoiled):
    """Removes sessions by the time at which they were created."""

    async def delete_before(self, cutoff: datetime) -> int:
        aware = cutoff if cutoff.utcoffset() is not None else cutoff.replace(tzinfo=UTC)
        return await self.run("DELETE FROM sessions WHERE created_at < ?", instant_text(aware))


class LoadIsBroken(Spoiled):
    """A column was renamed."""

    async def load(self, session_id: str) -> list[Any] | None:
        await self.run("SELECT history FROM sessions")
        return None


class NumbersAreFloats(Spoiled):
    """Reads every number of cost data as a float."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        costs = await super().get_cost_data(session_id)
        read: dict[str, Json] = json.loads(json.dumps(costs), parse_int=float)
        return read
