"""Platforms that look first and write then, and others that are wrong only at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from .defect import mutant
from .wire_platforms import PlainPlatform, Refused, Reply

Body = dict[str, Any]

CLAUSE = "wire.at-once-as-in-turn"
A_WHILE = 0.001


@mutant(CLAUSE, "4 of 4 POSTs at once answer 201")
class LooksThenInserts(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        session = body.get("session_id")
        if not isinstance(session, str) or session in self.rows:
            return await super().post(body)
        await asyncio.sleep(A_WHILE)
        self.rows.pop(session, None)
        return await super().post(body)


@mutant(CLAUSE, "4 of 4 DELETEs at once answer 200")
class LooksThenDeletes(PlainPlatform):
    async def delete(self, session: str) -> Reply:
        self.row(session)
        await asyncio.sleep(A_WHILE)
        self.rows.pop(session, None)
        return 200, {}


@mutant(CLAUSE, "a PUT at once with a PATCH loses cost data")
class SavesEveryColumn(PlainPlatform):
    """As `save()` of an object-relational mapper does, PATCH under a lock aside."""

    async def put(self, session: str, body: Body) -> Reply:
        if session not in self.rows:
            return await super().put(session, body)
        costs = self.rows[session].costs
        await asyncio.sleep(A_WHILE)
        reply = await super().put(session, body)
        self.rows[session].costs = costs
        return reply


@mutant(CLAUSE, "a PATCH at once with PUTs writes back the history before them")
class PatchSavesTheHistory(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        messages = self.row(session).messages
        await asyncio.sleep(A_WHILE)
        reply = await super().patch(session, body)
        self.rows[session].messages = messages
        return reply


@mutant(CLAUSE, "a PUT at once with others answers 500")
class TwoFirstSaves(PlainPlatform):
    """Looks, then inserts: the second meets the unique violation."""

    async def put(self, session: str, body: Body) -> Reply:
        if session not in self.rows:
            await asyncio.sleep(A_WHILE)
            if session in self.rows:
                raise Refused(500, "duplicate key value")
        return await super().put(session, body)


@mutant(CLAUSE, "a PUT at once with others answers 503")
class PutMeetsTheLockOfAPatch(PlainPlatform):
    busy = False

    async def patch(self, session: str, body: Body) -> Reply:
        self.busy = True
        await asyncio.sleep(A_WHILE)
        self.busy = False
        return await super().patch(session, body)

    async def put(self, session: str, body: Body) -> Reply:
        if self.busy:
            raise Refused(503, "database is locked")
        return await super().put(session, body)


@mutant(CLAUSE, "PUTs at once leave a history that nobody sent")
class InsertsOneByOne(PlainPlatform):
    """Each message in a transaction of its own."""

    async def put(self, session: str, body: Body) -> Reply:
        reply = await super().put(session, body)
        self.rows[session].messages = "[]"
        for message in body["messages"]:
            await asyncio.sleep(0)
            row = self.rows[session]
            row.messages = json.dumps([*json.loads(row.messages), message])
        return reply


@mutant(CLAUSE, "a PATCH at once with a DELETE brings the session back")
class PatchLooksThenInserts(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        self.row(session)
        await asyncio.sleep(A_WHILE)
        if session not in self.rows:
            self.add(session)
        return await super().patch(session, body)
