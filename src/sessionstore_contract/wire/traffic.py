"""What many clients and long histories do to a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..clause import must, should
from ..expect import Violation
from .client import at_once
from .expect import raise_violation

if TYPE_CHECKING:
    from ..interface import Json
    from .client import Client

CLIENTS = 20


@should(
    "wire.patch-is-small",
    "The answer to a `PATCH` does not carry the history.",
    because="Tokens are counted after every turn. An answer that grows with the chat makes the "
    "count cost more than the turn: 10 MB for a number.",
    remedy="Answer the id, or nothing but the status. Do not read the row back to answer it.",
    evidence=["origin"],
)
async def patch_is_small(platform: Client) -> None:
    mark = platform.new_id()
    messages: list[Json] = [{"role": "user", "content": mark} for _ in range(50)]
    session = await platform.begin_with(messages)
    answer = await platform.patch(session, {"turns": 1})
    if mark.encode() in answer.body:
        answer.is_judged = True
        raise_violation(
            answer, "the answer to a PATCH carries the history", "an answer without messages"
        )


@must(
    "wire.concurrent-patches-all-survive",
    "`PATCH`es of different keys at once are all answered 200, and all stand.",
    because="Several agents share a session, and a gateway spreads their requests over processes. "
    "A merge that reads, changes and writes in three steps loses all but the last.",
    remedy="Merge in one statement, or under a lock on the row: PostgreSQL `cost_data || "
    "$1::jsonb` in the UPDATE. A lock in the process does not help where there are several.",
    needs={Capability.COST_READ},
    evidence=["seed", "origin"],
)
async def concurrent_patches_all_survive(platform: Client) -> None:
    for number in range(platform.effort.rounds):
        platform.rewind(0)
        session = await platform.begin_with([])
        keys = [f"client-{number}-{one}" for one in range(CLIENTS)]
        answers = await at_once(*(platform.patch(session, {key: key}) for key in keys))
        for answer in answers:
            if answer.status != 200:
                raise_violation(answer, f"a PATCH at once with others {_said(answer)}", "200")
        found = await platform.cost_data(session).perform(is_judged=True)
        stored = found.member("cost_data")
        kept = stored if isinstance(stored, dict) else {}
        lost = [key for key in keys if kept.get(key) != key]
        if lost:
            raise Violation(
                f"PATCHes at once are lost: {len(lost)} of {CLIENTS}",
                demanded=f"all {CLIENTS} keys",
                answered=found.answered(),
            )


def _said(answer: Any) -> str:
    return f"answers {answer.status}" if answer.status else f"is not answered: {answer.error}"
