"""Platforms whose defect shows in one method, one read or one number alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from .defect import mutant
from .wire_platforms import LiberalPlatform, PlainPlatform, Refused, Reply, Row

Body = dict[str, Any]


@mutant("wire.auth", "PATCH answers 400, not 401")
class ReadsAPatchBeforeItAsks(PlainPlatform):
    """A validator of the body stands before the one of the token."""

    async def answer(self, scope: Any, body: bytes) -> Reply:
        if scope["method"] == "PATCH":
            self.parse(body)
        return await super().answer(scope, body)


@mutant("wire.auth", "GET tells a token in its 401")
class TellsTheTokenOfReaders(PlainPlatform):
    """So that who may only read finds it."""

    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        try:
            super().let_in(method, headers)
        except Refused as refused:
            if refused.status == 401:
                raise Refused(401, f"try {self.reader}") from None
            raise


class _AsksNothingOf(PlainPlatform):
    """A route that came later has no guard."""

    def is_open(self, method: str, path: bytes) -> bool:
        return False

    async def answer(self, scope: Any, body: bytes) -> Reply:
        if self.is_open(scope["method"], scope["raw_path"]):
            right = (b"authorization", f"Bearer {self.token}".encode())
            scope = {**scope, "headers": [right]}
        return await super().answer(scope, body)


@mutant("wire.auth", "GET cost_data is answered with no token")
class AsksNothingOfCosts(_AsksNothingOf):
    def is_open(self, method: str, path: bytes) -> bool:
        return path.endswith(b"/cost_data")


@mutant("wire.auth", "DELETE is answered with no token")
class AsksNothingOfHousekeeping(_AsksNothingOf):
    def is_open(self, method: str, path: bytes) -> bool:
        return method == "DELETE" and path.endswith(b"/sessions")


@mutant(
    "wire.create",
    "GET cost_data answers cost_data",
    also={"wire.delete": "a session made again has what the deleted one had"},
)
class BeginsWithCosts(PlainPlatform):
    """So that whoever reads them finds what to add to."""

    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        self.rows[said["session_id"]].costs = '{"turn_count": 0}'
        return status, said


@mutant(
    "wire.put-is-upsert",
    "GET cost_data answers cost_data",
    also={"wire.cost-data-is-readable": "GET cost_data answers cost_data"},
)
class PutBeginsWithCosts(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        is_new = session not in self.rows
        reply = await super().put(session, body)
        if is_new:
            self.rows[session].costs = '{"turn_count": 0}'
        return reply


@mutant("wire.create", "GET answers 404, not 200")
class AnswersAnIdAlone(PlainPlatform):
    """An id of its own is made a session by the first save."""

    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        if "session_id" not in body:
            del self.rows[said["session_id"]]
        return status, said


@mutant("wire.put-is-upsert", "GET answers messages")
class LeavesTheHistoryForNone(PlainPlatform):
    """Takes an empty list for nothing to save."""

    async def put(self, session: str, body: Body) -> Reply:
        if body.get("messages") == [] and session in self.rows:
            return 204, None
        return await super().put(session, body)


@mutant("wire.delete", "DELETE answers 204, not 200")
class DeletesWith204(PlainPlatform):
    async def delete(self, session: str) -> Reply:
        await super().delete(session)
        return 204, None


class _Keeping(PlainPlatform):
    """Has cost data in a table of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, str] = {}

    async def delete(self, session: str) -> Reply:
        self.left[session] = self.row(session).costs
        return await super().delete(session)

    def found(self, session: str) -> None:
        self.rows[session].costs = self.left.pop(session, self.rows[session].costs)


@mutant("wire.delete", "a session made again has what the deleted one had")
class PutFindsOldCosts(_Keeping):
    async def put(self, session: str, body: Body) -> Reply:
        reply = await super().put(session, body)
        self.found(session)
        return reply


@mutant("wire.delete", "a session made again has what the deleted one had")
class PostFindsOldCosts(_Keeping):
    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        self.found(said["session_id"])
        return status, said


@mutant("wire.get", "GET answers messages", also={"wire.patch-merges": "PATCH erases the history"})
class AnswersAHistoryOnce(PlainPlatform):
    """Reads it from where it is taken away by reading."""

    async def get(self, session: str) -> Reply:
        reply = await super().get(session)
        self.rows[session].messages = "[]"
        return reply


@mutant("wire.delete-before", "DELETE does not say how many sessions it removed")
class SaysNothingOfNone(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        status, said = await super().delete_before(query)
        return status, said if said["deleted"] else {}


@mutant("wire.delete-before", "DELETE does not say how many sessions it removed")
class SaysTheLastBatch(PlainPlatform):
    """Removes a hundred at a time, and says how many the last time."""

    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        status, said = await super().delete_before(query)
        return status, {"deleted": min(said["deleted"], 1)}


@mutant("wire.delete-before", "DELETE without a cutoff removes a session")
class RemovesAndRefuses(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        if "inactive_since" not in query:
            self.rows.clear()
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE removes a session that was saved since")
class PutIsNoActivity(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        active = self.rows[session].active if session in self.rows else None
        reply = await super().put(session, body)
        self.rows[session].active = active or self.rows[session].active
        return reply


class _TakesWhatPythonTakes(PlainPlatform):
    """Refuses some of the literals that are no JSON."""

    refused: tuple[bytes, ...] = ()

    def parse(self, body: bytes) -> Body:
        is_odd = b"NaN" in body or b"Infinity" in body
        if is_odd and not any(one in body for one in self.refused):
            found: Body = json.loads(body)
            return found
        return super().parse(body)


@mutant("wire.non-finite-is-refused", "PATCH takes Infinity")
class KnowsNaNAlone(_TakesWhatPythonTakes):
    refused = (b"NaN",)


@mutant("wire.non-finite-is-refused", "PATCH takes -Infinity")
class KnowsInfinityAlone(_TakesWhatPythonTakes):
    refused = (b"NaN", b" Infinity")


@mutant("wire.non-finite-is-refused", "PUT takes NaN")
class LooksAtCostsAlone(_TakesWhatPythonTakes):
    refused = (b'"cost_data"',)


@mutant("wire.non-finite-is-refused", "PATCH with NaN changes the session")
class StoresNaNAsNull(PlainPlatform):
    """And finds only then that it was none."""

    async def one(self, method: str, session: str, body: bytes) -> Reply:
        if method == "PATCH" and b"NaN" in body:
            await self.patch(session, json.loads(body.replace(b"NaN", b"null")))
        return await super().one(method, session, body)


@mutant(
    "wire.bad-input-is-4xx",
    "PATCH with a number past every double makes the session unreadable",
)
class KeepsInfinityInCosts(PlainPlatform):
    """Of messages it looks at each number."""

    async def one(self, method: str, session: str, body: bytes) -> Reply:
        if method == "PATCH" and b"1e999" in body:
            return await self.patch(session, json.loads(body))
        return await super().one(method, session, body)

    def word(self, content: Any) -> bytes:
        try:
            return json.dumps(content, allow_nan=False).encode()
        except ValueError:
            return b"Internal Server Error"


@mutant("wire.ids-are-one-segment", "an id with 65 characters is answered 5xx")
class FailsToReadLongIds(LiberalPlatform):
    """Its columns are wide, the key of its cache is not."""

    async def get(self, session: str) -> Reply:
        if len(session) == 65:
            raise ValueError("key too long")
        return await super().get(session)


@mutant("wire.at-once-as-in-turn", "PUTs at once leave a history that nobody sent")
class FirstSavesAreMixed(PlainPlatform):
    """Of two saves that make a session each adds its messages one by one."""

    async def put(self, session: str, body: Body) -> Reply:
        if session in self.rows or not body.get("messages"):
            return await super().put(session, body)
        await asyncio.sleep(0)
        if session not in self.rows:
            return await super().put(session, body)
        row: Row = self.rows[session]
        row.messages = json.dumps([*json.loads(row.messages)[:1], *body["messages"][1:]])
        return 204, None


@mutant("wire.at-once-as-in-turn", "a DELETE at once with others answers 500")
class DeletesOfOneSessionFail(PlainPlatform):
    """Both find it, and the second one has nothing to remove."""

    async def delete(self, session: str) -> Reply:
        self.row(session)
        await asyncio.sleep(0)
        if session not in self.rows:
            return 500, {"error": "no row"}
        return await super().delete(session)


@mutant("wire.ids-are-one-segment", "POST refuses an id with")
class DeletesUnderEachId(PlainPlatform):
    """Looks at ids where something is kept under them, and a DELETE keeps nothing."""

    async def answer(self, scope: Any, body: bytes) -> Reply:
        try:
            return await super().answer(scope, body)
        except Refused as refused:
            if scope["method"] == "DELETE" and str(refused) == "no id":
                return 200, {}
            raise


@mutant("wire.ids-are-one-segment", "an id with 65 characters is answered 5xx")
class FailsToSaveAFullId(LiberalPlatform):
    """Has a column that ends a character too early for PUT, which adds a mark to the id."""

    async def put(self, session: str, body: Body) -> Reply:
        if len(session) == 65 and session.endswith("a"):
            raise ValueError("value too long for type character varying(65)")
        return await super().put(session, body)


@mutant("wire.cost-data-is-readable", "GET cost_data answers cost_data", is_everywhere=True)
class AnswersCostsOnce(PlainPlatform):
    """What has been fetched is taken for billed."""

    async def costs(self, session: str) -> Reply:
        reply = await super().costs(session)
        self.rows[session].costs = "{}"
        return reply


@mutant("wire.put-is-upsert", "PUT answers 304", is_everywhere=True)
class SaysThatAHistoryIsTheSame(PlainPlatform):
    """What is saved is there afterwards; it is said as if nothing had been done."""

    async def put(self, session: str, body: Body) -> Reply:
        is_new = session not in self.rows
        status, said = await super().put(session, body)
        return status if is_new else 304, said
