"""Requests to one session at once: as if they had come one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from .client import at_once
from .exchange import WORKED, ExchangeFailed
from .expect import raise_violation
from .sessions import COSTS, ONE, TWO

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..interface import Json
    from .client import Ask, Client
    from .exchange import Exchange

MANY = 4
"""Requests of one kind at once: few, since the second already meets the first."""


@must(
    "wire.at-once-as-in-turn",
    "Requests to one session at once are answered, and leave it, as if they had come one after the "
    "other: of `POST`s one answers 201, of `DELETE`s one 200; a history is one that was sent, "
    "whole; a `PUT` loses no cost data, a `PATCH` no history, and none brings back what was "
    "deleted.",
    because="A client that tries again, two tabs and a gateway send at once what each sends alone. "
    "A route that looks first and writes then answers for what is no longer so.",
    remedy="One statement for each request, or one transaction that locks the row: INSERT and look "
    "for the unique violation, `ON CONFLICT DO UPDATE` of the one column, `UPDATE ... WHERE "
    "session_id = $1` that never inserts, DELETE and look at how many rows went.",
)
async def at_once_as_in_turn(platform: Client) -> None:
    await _make_sure_of_each_in_turn(platform)
    for number in range(platform.effort.rounds):
        for race in (
            _saves_and_a_count,
            _first_saves,
            _creations,
            _deletions,
            _deletion_and_counts,
        ):
            platform.rewind(0)
            await race(platform, number)


async def _make_sure_of_each_in_turn(platform: Client) -> None:
    """Make sure that the same is right one after the other; where not, another clause says so."""
    session = platform.new_id()
    for ask, status in (
        (platform.create(session), 201),
        (platform.get(session), 200),
        (platform.create(session), 409),
        (platform.patch(session, COSTS), 200),
    ):
        await _in_turn(ask, status)
    for history in (ONE, TWO):
        await platform.put(session, history)
    await platform.patch(session, {"in_turn": 1})
    await platform.make_sure(session, TWO, {**COSTS, "in_turn": 1})
    await _in_turn(platform.delete(session), 200)
    for ask in (platform.delete(session), platform.patch(session, COSTS), platform.get(session)):
        await _in_turn(ask, 404)


async def _in_turn(ask: Ask, status: int) -> None:
    found = await ask.perform(is_judged=False)
    if found.status != status:
        raise ExchangeFailed(found)


async def _saves_and_a_count(platform: Client, number: int) -> None:
    session = await platform.begin_with(ONE, COSTS)
    sent = _histories(platform)
    asks = [platform.put(session, history) for history in sent]
    # Whoever has read before the other wrote, and writes after it, is to be the first one.
    position = (0, MANY, MANY // 2)[number % 3]
    asks.insert(position, platform.patch(session, {"at_once": 1}))
    for answer in await at_once(*asks):
        _demand(answer, WORKED)
    await _demand_one_of(platform, session, sent)
    if platform.can(Capability.COST_READ):
        found = await platform.cost_data(session).perform(is_judged=True)
        if found.member("cost_data") != {**COSTS, "at_once": 1}:
            raise_violation(found, "a PUT at once with a PATCH loses cost data", "both counts")


async def _first_saves(platform: Client, _: int) -> None:
    session, sent = platform.new_id(), _histories(platform)
    for answer in await at_once(*(platform.put(session, history) for history in sent)):
        _demand(answer, WORKED)
    await _demand_one_of(platform, session, sent)


async def _creations(platform: Client, _: int) -> None:
    session = platform.new_id()
    await _demand_one(201, 409, [platform.create(session) for _ in range(MANY)])


async def _deletions(platform: Client, _: int) -> None:
    session = await platform.begin_with(ONE)
    await _demand_one(200, 404, [platform.delete(session) for _ in range(MANY)])


async def _deletion_and_counts(platform: Client, number: int) -> None:
    session = await platform.begin_with(ONE)
    asks = [platform.patch(session, {"at_once": one + 1}) for one in range(MANY)]
    asks.insert(1 + number % MANY, platform.delete(session))
    for answer in await at_once(*asks):
        _demand(answer, (200, 404) if answer.request.method == "PATCH" else (200,))
    found = await platform.get(session).perform(is_judged=True)
    if found.status != 404:
        raise_violation(found, "a PATCH at once with a DELETE brings the session back", "404")


def _histories(platform: Client) -> list[list[Json]]:
    """Answer histories of several messages, which can be told from each other by each message."""
    return [
        [{"role": "user", "content": f"{mark}: {one}"} for one in range(5)]
        for mark in (platform.new_id() for _ in range(MANY))
    ]


def _demand(answer: Exchange, statuses: Collection[int]) -> None:
    if answer.status not in statuses:
        said = f"answers {answer.status}" if answer.status else f"is not answered: {answer.error}"
        wanted = "2xx" if statuses == WORKED else " or ".join(map(str, statuses))
        raise_violation(answer, f"a {answer.request.method} at once with others {said}", wanted)


async def _demand_one(status: int, others: int, asks: Sequence[Ask]) -> None:
    answers = await at_once(*asks)
    for answer in answers:
        _demand(answer, (status, others))
    won = sum(answer.status == status for answer in answers)
    if won != 1:
        raise_violation(
            answers[-1],
            f"{won} of {len(answers)} {answers[-1].request.method}s at once answer {status}",
            f"{status} once, and {others}",
        )


async def _demand_one_of(platform: Client, session: str, sent: list[list[Json]]) -> None:
    found = await platform.get(session).perform(is_judged=True)
    read = found.member("messages")
    if found.status == 200 and read in sent:
        return
    headline = "PUTs at once leave a history that nobody sent"
    if read == ONE:
        headline = "a PATCH at once with PUTs writes back the history before them"
    raise_violation(found, headline, "one of the histories, whole")
