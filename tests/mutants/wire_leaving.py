"""Platforms that are cancelled when their client leaves, and stop half-way."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from .defect import mutant
from .wire_platforms import PlainPlatform, Refused, Reply

Body = dict[str, Any]

CLAUSE = "wire.a-client-that-leaves-breaks-nothing"


class Cancelled(PlainPlatform):
    is_served = True
    cancels: ClassVar[bool] = True
    pause: ClassVar[float] = 0.003


@mutant(CLAUSE, "a PUT whose client left leaves messages that nobody sent")
class ClearsThenSaves(Cancelled):
    async def put(self, session: str, body: Body) -> Reply:
        if session in self.rows and isinstance(body.get("messages"), list):
            self.rows[session].messages = "[]"
            await asyncio.sleep(self.pause)
        return await super().put(session, body)


@mutant(CLAUSE, "GET answers 404 after a PUT whose client left")
class DeletesThenInserts(Cancelled):
    async def put(self, session: str, body: Body) -> Reply:
        if session in self.rows and isinstance(body.get("messages"), list):
            row = self.rows.pop(session)
            await asyncio.sleep(self.pause)
            self.rows[session] = row
        return await super().put(session, body)


@mutant(CLAUSE, "a PATCH whose client left leaves cost_data that nobody sent")
class MergesKeyByKey(Cancelled):
    """Each in a transaction of its own."""

    async def patch(self, session: str, body: Body) -> Reply:
        row = self.row(session)
        if body.keys() == {"cost_data"} and isinstance(body["cost_data"], dict):
            for key, value in body["cost_data"].items():
                row.costs = json.dumps({**json.loads(row.costs), key: value})
                await asyncio.sleep(self.pause)
        return await super().patch(session, body)


@mutant(CLAUSE, "GET answers 500 after a PUT whose client left")
class KeepsTheLock(Cancelled):
    """Lets it go when the write is done, and not in a `finally`."""

    def __init__(self) -> None:
        super().__init__()
        self.locked: set[str] = set()

    async def put(self, session: str, body: Body) -> Reply:
        self.locked.add(session)
        await asyncio.sleep(self.pause)
        self.locked.discard(session)
        return await super().put(session, body)

    async def get(self, session: str) -> Reply:
        if session in self.locked:
            raise Refused(500, "lock wait timeout")
        return await super().get(session)
