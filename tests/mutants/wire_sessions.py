"""Platforms whose sessions come, are kept or go in a wrong way."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from typing import Any

from .defect import mutant
from .wire_platforms import PlainPlatform, Refused, Reply, Row

Body = dict[str, Any]


@mutant("wire.create", "POST answers session_id '")
class AnswersAnotherId(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        return status, {"session_id": f"sess-{said['session_id']}" if body else said["session_id"]}


@mutant("wire.create", "a created session is answered as missing")
class CreatesAtTheFirstSave(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        del self.rows[said["session_id"]]
        return status, said


@mutant("wire.create", "POST answers no id of its own")
class GivesOneIdTwice(PlainPlatform):
    """Takes the number of sessions for an id that is free."""

    async def post(self, body: Body) -> Reply:
        if not body:
            self.rows.setdefault("1", Row())
            return 201, {"session_id": "1"}
        return await super().post(body)


@mutant("wire.create", "POST answers 200, not 201")
class CreatesWith200(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        return 200, (await super().post(body))[1]


class RemembersWhatIsMissing(PlainPlatform):
    """Keeps the 404 of a GET for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: set[str] = set()

    async def get(self, session: str) -> Reply:
        if session in self.missing:
            raise Refused(404, "no such session")
        if session not in self.rows:
            self.missing.add(session)
        return await super().get(session)


@mutant("wire.create", "a created session is answered as missing")
class PostForgetsTheCache(RemembersWhatIsMissing):
    async def put(self, session: str, body: Body) -> Reply:
        self.missing.discard(session)
        return await super().put(session, body)


@mutant("wire.put-is-upsert", "PUT does not make a missing session", is_everywhere=True)
class PutForgetsTheCache(RemembersWhatIsMissing):
    async def post(self, body: Body) -> Reply:
        status, said = await super().post(body)
        self.missing.discard(said["session_id"])
        return status, said


@mutant("wire.create-taken", "POST of a taken id answers as if it had made the session")
class TakenIsCreated(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        if str(body.get("session_id")) in self.rows:
            return 201, {"session_id": body["session_id"]}
        return await super().post(body)


@mutant("wire.create-taken", "POST of a taken id changes the session")
class TakenIsEmptied(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        try:
            return await super().post(body)
        except Refused:
            if str(body.get("session_id")) in self.rows:
                self.add(body["session_id"])
            raise


@mutant("wire.get", "GET answers a missing session as an empty one", is_everywhere=True)
class MissingIsEmpty(PlainPlatform):
    async def get(self, session: str) -> Reply:
        if session not in self.rows:
            return 200, {"session_id": session, "messages": []}
        return await super().get(session)


@mutant("wire.get", "GET makes a missing session", is_everywhere=True)
class ReadingMakes(PlainPlatform):
    async def get(self, session: str) -> Reply:
        if session not in self.rows:
            self.add(session)
            raise Refused(404, "no such session")
        return await super().get(session)


@mutant("wire.get", "GET answers no session_id", also={"wire.create": "GET answers no session_id"})
class AnswersMessagesAlone(PlainPlatform):
    async def get(self, session: str) -> Reply:
        return 200, {"messages": (await super().get(session))[1]["messages"]}


@mutant("wire.put-is-upsert", "PUT of a missing session is refused", is_everywhere=True)
class PutNeedsTheSession(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        self.row(session)
        return await super().put(session, body)


@mutant("wire.put-is-upsert", "PUT does not make a missing session", is_everywhere=True)
class PutUpdatesOnly(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        return await super().put(session, body) if session in self.rows else (200, None)


@mutant("wire.put-is-upsert", "PUT stores nothing", is_everywhere=True)
class PutMakesOnly(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        return await super().put(session, body | {"messages": []})


@mutant("wire.put-is-upsert", "PUT appends to the history")
class PutAppends(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        before = json.loads(self.rows[session].messages) if session in self.rows else []
        if isinstance(body.get("messages"), list):
            body = {"messages": before + body["messages"]}
        return await super().put(session, body)


@mutant("wire.put-is-upsert", "PUT resets cost data")
class PutWritesTheRow(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        reply = await super().put(session, body)
        self.rows[session].costs = "{}"
        return reply


class Merging(PlainPlatform):
    def merged(self, old: Body, new: Body) -> Body:
        return {**old, **new}

    async def patch(self, session: str, body: Body) -> Reply:
        old = json.loads(self.row(session).costs)
        reply = await super().patch(session, body)
        self.rows[session].costs = json.dumps(self.merged(old, body["cost_data"]))
        return reply


@mutant(
    "wire.patch-merges",
    "PATCH replaces all of cost data",
    also={"wire.concurrent-patches-all-survive": "PATCHes at once are lost: 19 of 20"},
)
class PatchReplaces(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        return new or old


@mutant("wire.patch-merges", "PATCH without keys empties cost data")
class PatchOfNothingEmpties(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        return {**old, **new} if new else {}


@mutant("wire.patch-merges", "PATCH answers 400, not 200")
class RefusesAPatchOfNothing(PlainPlatform):
    """Has a schema that demands one member at least."""

    async def patch(self, session: str, body: Body) -> Reply:
        if body.get("cost_data") == {}:
            raise Refused(400, "at least one member")
        return await super().patch(session, body)


@mutant("wire.patch-merges", "PATCH merges nested objects")
class PatchGoesDeep(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        both = {
            key: {**old[key], **value}
            for key, value in new.items()
            if isinstance(value, dict) and isinstance(old.get(key), dict)
        }
        return {**old, **new, **both}


@mutant("wire.patch-merges", "PATCH removes a key that is null")
class NullRemoves(Merging):
    def merged(self, old: Body, new: Body) -> Body:
        return {key: value for key, value in {**old, **new}.items() if value is not None}


@mutant("wire.patch-merges", "PATCH erases the history", is_everywhere=True)
class PatchWritesTheRow(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        reply = await super().patch(session, body)
        self.rows[session].messages = "[]"
        return reply


@mutant("wire.patch-merges", "PATCH of a missing session answers as if it had stored")
class PatchAlwaysWorks(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        return await super().patch(session, body) if session in self.rows else (200, {})


@mutant("wire.patch-merges", "PATCH makes a missing session")
class PatchMakesAndRefuses(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        if session not in self.rows:
            self.add(session)
            raise Refused(404, "no such session")
        return await super().patch(session, body)


@mutant(
    "wire.cost-data-is-readable",
    "a session without cost data is answered as missing",
    is_everywhere=True,
)
class NoCostsIsMissing(PlainPlatform):
    async def costs(self, session: str) -> Reply:
        if self.row(session).costs == "{}":
            raise Refused(404, "no cost data")
        return await super().costs(session)


@mutant(
    "wire.cost-data-is-readable",
    "cost data of a missing session is answered as empty",
    also={"wire.ids-are-one-segment": "POST refuses an id with a question mark and GET cost_data"},
)
class MissingCostsAreEmpty(PlainPlatform):
    """Asks before the id is looked at."""

    def identify(self, segment: str) -> str:
        return segment if segment not in self.rows else super().identify(segment)

    def check(self, session: Any) -> str:
        return super().check(session)

    async def one(self, method: str, session: str, body: bytes) -> Reply:
        return await super().one(method, self.check(session), body)

    async def costs(self, session: str) -> Reply:
        return await super().costs(session) if session in self.rows else (200, {"cost_data": {}})


@mutant("wire.head", "HEAD is answered with a body")
class HeadIsGet(PlainPlatform):
    """Seen on a socket: a server that does this keeps its connections in disorder."""

    is_served = True

    async def head(self, session: str) -> Reply:
        return await self.get(session)

    def body_of_head(self, body: bytes) -> bytes:
        return body


@mutant("wire.head", "HEAD answers a session as missing")
class HeadLooksForMessages(PlainPlatform):
    async def head(self, session: str) -> Reply:
        if self.row(session).messages == "[]":
            raise Refused(404, "nothing there")
        return 200, None


@mutant(
    "wire.head",
    "HEAD answers a missing session as if it were there",
)
class HeadAlwaysWorks(PlainPlatform):
    async def head(self, session: str) -> Reply:
        return 200, None


@mutant(
    "wire.delete",
    "a deleted session can still be read",
)
class DeletesOnlyTheListing(PlainPlatform):
    async def delete(self, session: str) -> Reply:
        self.row(session)
        return 200, {"gone": session}


@mutant("wire.delete", "DELETE of a missing session answers as if it had been there")
class DeleteAlwaysWorks(PlainPlatform):
    async def delete(self, session: str) -> Reply:
        self.rows.pop(session, None)
        return 200, {}


class Marking(PlainPlatform):
    """Keeps what was deleted, and marks it as such."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: dict[str, Row] = {}

    async def delete(self, session: str) -> Reply:
        self.dead[session] = self.row(session)
        return await super().delete(session)


@mutant("wire.delete", "HEAD answers a deleted session as if it were there")
class HeadForgetsTheMark(Marking):
    async def head(self, session: str) -> Reply:
        return (200, None) if session in self.dead else await super().head(session)


@mutant("wire.delete", "cost data of a deleted session can still be read")
class CostsForgetTheMark(Marking):
    async def costs(self, session: str) -> Reply:
        if session in self.dead and session not in self.rows:
            return 200, {"cost_data": json.loads(self.dead[session].costs)}
        return await super().costs(session)


@mutant("wire.delete", "PATCH of a deleted session answers as if it had stored")
class PatchForgetsTheMark(Marking):
    async def patch(self, session: str, body: Body) -> Reply:
        if session in self.dead and session not in self.rows:
            return 200, {}
        return await super().patch(session, body)


@mutant("wire.delete", "a session made again has what the deleted one had")
class CostsOutliveTheSession(PlainPlatform):
    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, str] = {}

    async def delete(self, session: str) -> Reply:
        self.left[session] = self.row(session).costs
        return await super().delete(session)

    def add(self, session: str) -> Row:
        row = super().add(session)
        row.costs = self.left.get(session, "{}")
        return row


@mutant("wire.patch-is-small", "the answer to a PATCH carries the history")
class PatchAnswersTheSession(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        await super().patch(session, body)
        return await self.get(session)


@mutant("wire.concurrent-patches-all-survive", "PATCHes at once are lost")
class PatchReadsThenWrites(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        old = json.loads(self.row(session).costs)
        await asyncio.sleep(0)
        reply = await super().patch(session, body)
        self.rows[session].costs = json.dumps({**old, **body["cost_data"]})
        return reply


@mutant(
    "wire.concurrent-patches-all-survive",
    "a PATCH at once with others answers 503",
    also={"wire.at-once-as-in-turn": "a PATCH at once with others answers 503"},
)
class PatchMeetsALock(PlainPlatform):
    busy = False

    async def patch(self, session: str, body: Body) -> Reply:
        if self.busy:
            return 503, {"error": "database is locked"}
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        return await super().patch(session, body)


@mutant("wire.delete-before", "the platform has no housekeeping")
class NoHousekeeping(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        raise Refused(404, "no such route")


@mutant("wire.delete-before", "a cutoff in 1971 removes a session of today")
class TakesNoNoticeOfTheCutoff(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        count = len(self.rows)
        self.rows.clear()
        return 200, {"deleted": count}


@mutant("wire.delete-before", "DELETE takes no cutoff for one")
class CutoffHasADefault(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        return await super().delete_before({"inactive_since": ["2999-01-01T00:00:00Z"]} | query)


@mutant("wire.delete-before", "DELETE answers 500, not 4xx")
class FailsAtAText(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        datetime.fromisoformat(query.get("inactive_since", ["1971-01-01"])[0])
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE takes a text that is no instant for a cutoff")
class TakesATextForNow(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        if query.get("inactive_since") == ["no-instant"]:
            query = {"inactive_since": ["2999-01-01T00:00:00Z"]}
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE with a text for a cutoff removes a session")
class RemovesBeforeItReads(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        if query.get("inactive_since") == ["no-instant"]:
            self.rows.clear()
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE takes no notice of the offset of a cutoff")
class DropsTheOffset(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        if "inactive_since" in query:
            local = re.sub(r"[+-]\d\d:\d\d$", "", query["inactive_since"][0])
            query = {"inactive_since": [f"{local}+00:00"]}
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE takes a cutoff west of Greenwich for an earlier one")
class DropsTheOffsetInTheWest(PlainPlatform):
    """Looks for a plus alone."""

    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        if "inactive_since" in query:
            local = re.sub(r"-\d\d:\d\d$", "+00:00", query["inactive_since"][0])
            query = {"inactive_since": [local]}
        return await super().delete_before(query)


@mutant("wire.delete-before", "DELETE leaves 24 of 31 idle sessions")
class RemovesAPage(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        rows = dict(self.rows)
        await super().delete_before(query)
        gone = [one for one in rows if one not in self.rows]
        self.rows |= {one: rows[one] for one in gone[10:]}
        return 200, {"deleted": len(gone[:10])}


@mutant("wire.delete-before", "DELETE does not say how many sessions it removed")
class DoesNotCount(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        return 200, {"deleted": bool((await super().delete_before(query))[1])}


@mutant("wire.delete-before", "DELETE leaves a session that was idle since the cutoff")
class RemovesNothing(PlainPlatform):
    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        rows = dict(self.rows)
        reply = await super().delete_before(query)
        self.rows = rows
        return reply


@mutant("wire.delete-before", "DELETE removes a session that was patched since")
class GoesByAge(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        active = self.row(session).active
        reply = await super().patch(session, body)
        self.rows[session].active = active
        return reply


@mutant("wire.delete-before", "a GET counts as activity")
class ReadingIsActivity(PlainPlatform):
    async def get(self, session: str) -> Reply:
        reply = await super().get(session)
        self.rows[session].active = max(row.active for row in self.rows.values())
        return reply
