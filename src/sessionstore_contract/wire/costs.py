"""What a PATCH does to cost data, and what is read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from ..values import are_equal, word
from .expect import expect, raise_violation
from .histories import TEXTS
from .sessions import COSTS, ONE
from .validators import demand_another_etag

if TYPE_CHECKING:
    from ..interface import Json
    from .client import Client

VALUES: dict[str, Json] = {
    "price": 0.0031,
    "zero": 0,
    "no": False,
    "text": "",
    "list": [],
    "object": {},
}
"""Values that a column of money rounds, and that a careless `if` takes for none."""

KEYS = {
    "a dot": "gpt-4.1",
    "a dollar sign": "$set",
    "a quote": 'the "m"',
    "nothing in it": "",
    "a letter past ASCII": "\u00e9",
    "spaces around it": " x ",
}


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
    if platform.can(Capability.COST_READ):
        await _try_values(platform)
        await _try_texts(platform)
        await _try_keys(platform)


async def _try_values(platform: Client) -> None:
    session = await platform.begin_with()
    for number in (1, 3, 2):
        await expect(platform.patch(session, {"n": number, "list": [number]})).to_answer(200)
    await expect(platform.cost_data(session)).to_answer(
        200,
        cost_data={"n": 2, "list": [2]},
        rather_than={
            "PATCH adds to the number that is there": {"cost_data": {"n": 6, "list": [2]}},
            "PATCH keeps the greater number": {"cost_data": {"n": 3, "list": [2]}},
            "PATCH extends the list that is there": {"cost_data": {"n": 2, "list": [1, 3, 2]}},
        },
    )
    session = await platform.begin_with()
    await expect(platform.patch(session, VALUES)).to_answer(200)
    await expect(platform.cost_data(session)).to_answer(
        200,
        cost_data=VALUES,
        rather_than={
            "PATCH rounds a number": {"cost_data": {**VALUES, "price": 0.0}},
            "PATCH drops what is 0, false or empty": {"cost_data": {"price": 0.0031}},
        },
    )


async def _try_texts(platform: Client) -> None:
    """Try the texts that messages are tried with: one may be refused, and that is noted."""
    platform.rewind(0)
    session = await platform.begin_with()
    kept: dict[str, Json] = {}
    for number, (what, text) in enumerate(TEXTS.items()):
        answer = await platform.patch(session, {f"text-{number}": text}).perform(is_judged=True)
        if answer.outcome != "answered" or answer.status >= 500:
            raise_violation(answer, f"PATCH of a text with {what} is answered 5xx", "2xx or 4xx")
        if answer.status < 300:
            kept[f"text-{number}"] = text
        else:
            platform.note(f"a PATCH of a text with {what} was not taken: {answer.answered()}")
    found = await platform.cost_data(session).perform(is_judged=True)
    stored = found.member("cost_data")
    read = stored if isinstance(stored, dict) else {}
    for number, what in enumerate(TEXTS):
        if read.get(f"text-{number}") != kept.get(f"text-{number}"):
            raise_violation(
                found,
                f"a text with {what} in cost data is read as another",
                f"200 with {word(kept)}",
            )


async def _try_keys(platform: Client) -> None:
    """Try keys that some database takes for a path: one may be refused, and then adds nothing."""
    session = await platform.begin_with(cost_data=COSTS)
    kept = dict(COSTS)
    for what, key in KEYS.items():
        answer = await platform.patch(session, {key: 1}).perform(is_judged=True)
        if answer.outcome != "answered" or answer.status >= 500:
            raise_violation(answer, f"PATCH of a key with {what} is answered 5xx", "2xx or 4xx")
        if answer.status < 300:
            kept[key] = 1
        found = await platform.cost_data(session).perform(is_judged=True)
        if found.status != 200 or not are_equal(
            found.member("cost_data"), kept, kinds_of_numbers=False
        ):
            raise_violation(
                found, f"PATCH of a key with {what} stores another", f"cost_data {word(kept)}"
            )


@must(
    "wire.cost-data-is-readable",
    "`GET /v1/sessions/{id}/cost_data` answers 200 with `cost_data`, {} when there is none, and "
    "404 when the session is missing. An `ETag` that it has is that of no other cost data.",
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
    await demand_another_etag(
        platform,
        platform.cost_data(session),
        platform.patch(session, {"turns": 2}),
        "after a PATCH, GET cost_data answers 304 to the ETag of before",
    )
