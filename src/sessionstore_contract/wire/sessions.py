"""A session on the wire, from POST to DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from . import bare
from .exchange import WORKED
from .expect import expect, expect_unchanged, raise_violation

if TYPE_CHECKING:
    from ..interface import Json
    from .client import Client

ONE: list[Json] = [{"role": "user", "content": "one"}]
TWO: list[Json] = [
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": None, "extra": {"tokens": 2, "flags": [True]}},
]
COSTS: dict[str, Json] = {"turns": 1, "model": "m"}

SAVED = WORKED
"""What a PUT may answer: whether it says that it has created is left open."""


@must(
    "wire.create",
    "`POST /v1/sessions` answers 201 with `session_id`: the id given in the body, or a fresh one "
    "where none was; the session is there from then on, empty.",
    because="The caller goes on with the id that it was answered. One that is not the session's "
    "own, or was given twice, puts two chats into one history.",
    remedy="Insert the row before answering, and answer the id that was stored. Make ids from 128 "
    "random bits, not from a counter or the time.",
)
async def create(platform: Client) -> None:
    session = platform.new_id()
    await expect(platform.create(session)).to_answer(201, session_id=session)
    await expect(platform.get(session)).to_answer(
        200,
        session_id=session,
        messages=[],
        rather_than={"a created session is answered as missing": 404},
    )
    if platform.can(Capability.COST_READ):
        await expect(platform.cost_data(session)).to_answer(200, cost_data={})
    taken = {session}
    for _ in range(3):
        made = await expect(platform.create()).to_answer_an_id(taken)
        platform.remember(made)
        taken.add(made)
        await expect(platform.get(made)).to_answer(200, session_id=made, messages=[])


@must(
    "wire.create-taken",
    "`POST` with an id that exists answers 409, and changes nothing of the session.",
    because="Two clients that bring the same id must not both believe that the session is theirs, "
    "and the second must not empty the first one's chat.",
    remedy="INSERT without ON CONFLICT, and answer the unique violation with 409. In a key-value "
    "store SETNX or HSETNX, not a look before a SET.",
    evidence=["adk-python#2950"],
)
async def create_taken(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    await expect(platform.create(session)).to_answer(
        409, rather_than={"POST of a taken id answers as if it had made the session": 201}
    )
    await expect_unchanged(platform, session, "POST of a taken id changes the session", ONE, COSTS)


@must(
    "wire.get",
    "`GET /v1/sessions/{id}` answers 200 with `session_id` and `messages`, as they were stored, "
    "and 404 for a missing session, which it does not make.",
    because="A missing session that is answered as an empty one looks like a chat that was lost.",
    remedy="Answer 404 where no row was found, before anything is made of the missing row. The "
    "message column is read as JSON and answered as it is.",
)
async def get(platform: Client) -> None:
    session = platform.new_id()
    await platform.put(session, TWO)
    for _ in range(2):
        await expect(platform.get(session)).to_answer(200, session_id=session, messages=TWO)
    missing = platform.new_id()
    for rival in ("GET answers a missing session as an empty one", "GET makes a missing session"):
        await expect(platform.get(missing)).to_answer(404, rather_than={rival: {"messages": []}})


@must(
    "wire.put-is-upsert",
    "`PUT /v1/sessions/{id}` with `messages` answers 2xx, replaces the whole history, makes the "
    "session when it is missing, and leaves cost data as it was.",
    because="The server saves after every turn, the first one included. A PUT that writes the "
    "whole row sets the bill to nothing each time.",
    remedy="`INSERT ... ON CONFLICT (session_id) DO UPDATE SET messages = excluded.messages`, and "
    "no other column but the time. In a document store set the field, do not replace the document.",
    evidence=["seed"],
)
async def put_is_upsert(platform: Client) -> None:
    session = platform.new_id()
    await expect(platform.put(session, ONE)).to_answer(
        *SAVED, rather_than={"PUT of a missing session is refused": 404}
    )
    await expect(platform.get(session)).to_answer(
        200,
        messages=ONE,
        rather_than={
            "PUT does not make a missing session": 404,
            "PUT stores nothing": {"messages": []},
        },
    )
    if platform.can(Capability.COST_READ):
        await expect(platform.cost_data(session)).to_answer(200, cost_data={})
    await platform.patch(session, COSTS)
    for messages in (TWO, ONE, []):
        await expect(platform.put(session, messages)).to_answer(*SAVED)
        await expect(platform.get(session)).to_answer(
            200,
            messages=messages,
            rather_than={"PUT appends to the history": {"messages": ONE + TWO}},
        )
        if platform.can(Capability.COST_READ):
            await expect(platform.cost_data(session)).to_answer(
                200, cost_data=COSTS, rather_than={"PUT resets cost data": {"cost_data": {}}}
            )


@must(
    "wire.patch-merges",
    '`PATCH /v1/sessions/{id}` with `{"cost_data": {...}}` replaces, whole, each top-level key '
    "that it is given and leaves every other key, and the messages, as they were: 200, or 404 for "
    "a missing session, which it does not make.",
    because="The server sends only the keys that changed in a turn. A PATCH that replaces all of "
    "cost data loses what other clients count; one that makes sessions revives deleted chats.",
    remedy="One statement: PostgreSQL `UPDATE ... SET cost_data = cost_data || $1::jsonb`; MySQL "
    "JSON_SET for each key, not JSON_MERGE_PATCH, which goes deep and drops nulls; MongoDB $set "
    "with one field for each key. 404 when no row was touched.",
    evidence=["seed"],
)
async def patch_merges(platform: Client) -> None:
    session = await platform.begin_with(ONE)
    first: dict[str, Json] = {"turns": 1, "usage": {"in": 3, "out": 5}}
    second: dict[str, Json] = {"usage": {"in": 9}, "model": None}
    for fields in (first, second, {}):
        await expect(platform.patch(session, fields)).to_answer(200)
    if platform.can(Capability.COST_READ):
        await expect(platform.cost_data(session)).to_answer(
            200,
            cost_data={**first, **second},
            rather_than={
                "PATCH replaces all of cost data": {"cost_data": second},
                "PATCH without keys empties cost data": {"cost_data": {}},
                "PATCH merges nested objects": {
                    "cost_data": {"turns": 1, "usage": {"in": 9, "out": 5}, "model": None}
                },
                "PATCH removes a key that is null": {"cost_data": {"turns": 1, "usage": {"in": 9}}},
            },
        )
    await expect(platform.get(session)).to_answer(
        200, messages=ONE, rather_than={"PATCH erases the history": {"messages": []}}
    )
    missing = platform.new_id()
    await expect(platform.patch(missing, COSTS)).to_answer(
        404, rather_than={"PATCH of a missing session answers as if it had stored": 200}
    )
    await expect(platform.get(missing)).to_answer(
        404, rather_than={"PATCH makes a missing session": 200}
    )


@must(
    "wire.cost-data-is-readable",
    "`GET /v1/sessions/{id}/cost_data` answers 200 with `cost_data`, {} when there is none, and "
    "404 when the session is missing.",
    because="Who adds to totals reads them first. Totals that can't be read begin anew, and what "
    "is read as {} although it was not there is written back to a session that is gone.",
    remedy="A route of its own that reads the one column. NULL is answered as {}; no row is 404.",
    needs={Capability.COST_READ},
    evidence=["seed"],
)
async def cost_data_is_readable(platform: Client) -> None:
    session = platform.new_id()
    await platform.put(session, ONE)
    await expect(platform.cost_data(session)).to_answer(
        200, cost_data={}, rather_than={"a session without cost data is answered as missing": 404}
    )
    await platform.patch(session, COSTS)
    for _ in range(2):
        await expect(platform.cost_data(session)).to_answer(200, cost_data=COSTS)
    await expect(platform.cost_data(platform.new_id())).to_answer(
        404,
        rather_than={"cost data of a missing session is answered as empty": {"cost_data": {}}},
    )


@must(
    "wire.head",
    "`HEAD /v1/sessions/{id}` answers 200 for a session, an empty one too, and 404 for a missing "
    "one, without a body.",
    because="It is how a gateway or a client asks whether a session exists without paying for its "
    "history.",
    remedy="Route HEAD to a look that reads no message: `SELECT 1 FROM sessions WHERE session_id = "
    "$1`. Frameworks that derive HEAD from GET do it right where GET answers 404.",
)
async def head(platform: Client) -> None:
    for messages in (ONE, []):
        session = platform.new_id()
        await platform.put(session, messages)
        found = await expect(platform.head(session)).to_answer(
            200, rather_than={"HEAD answers a session as missing": 404}
        )
        found.body = found.body or await bare.body_of_head(platform, found.request)
        if found.body:
            raise_violation(found, "HEAD is answered with a body", "200 without a body")
    await expect(platform.head(platform.new_id())).to_answer(
        404, rather_than={"HEAD answers a missing session as if it were there": 200}
    )


@must(
    "wire.delete",
    "`DELETE /v1/sessions/{id}` answers 200 the first time and 404 after; nothing of the session "
    "can be read any more, nor after it was made again.",
    because="Who deletes a chat must be able to rely on it, and hears by the 404 that an id was "
    "mistyped.",
    remedy="`DELETE ... WHERE session_id = $1` and look at how many rows went. Where messages and "
    "cost data are kept apart, both go in one transaction.",
)
async def delete(platform: Client) -> None:
    session = await platform.begin_with(ONE, COSTS)
    await expect(platform.delete(session)).to_answer(200)
    await expect(platform.get(session)).to_answer(
        404, rather_than={"a deleted session can still be read": 200}
    )
    await expect(platform.delete(session)).to_answer(
        404, rather_than={"DELETE of a missing session answers as if it had been there": 200}
    )
    headline = "a session made again has what the deleted one had"
    await platform.put(session, [])
    await expect_unchanged(platform, session, headline, [], {})
    session = await platform.begin_with(ONE, COSTS)
    await platform.delete(session)
    await platform.create(session)
    await platform.get(session)
    await expect_unchanged(platform, session, headline, [], {})
