"""What is no figure of a new turn leaves the totals, and what stands beside them, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..expect import expect, violated
from .clauses import must, should
from .script import Usage
from .stores import KitStore
from .sums import FIRST, SECOND, THIRD, expect_totals, total
from .system import Ability
from .workshop import open_on, ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..interface import Json
    from ..subject import Subject
    from .service import Service

SESSION = "chat"


@must(
    "turn.other-keys-stand",
    "Keys in cost data that are not the accumulator's are left alone; by an accumulator without a "
    "server, messages too.",
    because="Budgets, tags and other counters live beside the totals, and change between the read "
    "and the write of a turn.",
    remedy="Hand `update` the keys that the accumulator owns, never all of what was read, and make "
    "no session by saving an empty history: one may be there.",
)
async def other_keys_stand(subject: Subject) -> None:
    for is_streamed in ways(subject):
        await _hold_the_keys_of_others(subject, is_streamed=is_streamed)


async def _hold_the_keys_of_others(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    others: dict[str, Json] = {"budget": {"limit": 5}, "note": "mine", "input": [1, None]}
    messages: list[Json] = [{"role": "user", "content": "what was said before"}]
    store.put_messages(SESSION, messages)
    store.put(SESSION, others)

    async def changing(do: Callable[[], Awaitable[Any]]) -> Any:
        answer = await do()
        store.put(SESSION, {"budget": {"limit": 6}})
        return answer

    service = await open_on(subject, store)
    store.behave(changing, ["get_cost_data"])
    for usage in (FIRST, SECOND):
        await service.turn(SESSION, usage, stream=is_streamed)
    await service.shut_down()

    kept = {name: (store.peek(SESSION) or {}).get(name, "(gone)") for name in others}
    changed = {**others, "budget": {"limit": 6}}
    # A design that does not read has met no change.
    allowed = [changed] if "get_cost_data" in store.calls else [changed, others]
    await expect(service.seen("other_keys", lambda: kept)).to_be_one_of(
        allowed,
        rather_than={
            "the accumulator writes back what it read of others": others,
            "the accumulator removes the keys of others": dict.fromkeys(others, "(gone)"),
        },
    )
    if Ability.CHAT not in service.workshop.system.abilities:
        await expect(service.seen("messages", lambda: store.peek_messages(SESSION))).to_be(
            messages, rather_than={"the accumulator removes the messages": []}
        )


@should(
    "turn.recorded-twice-counts-once",
    "The same turn id recorded again adds nothing, also after the system has been started anew.",
    because="Gateways, queues and clients try again when an answer was lost.",
    remedy="Write the ids of the last turns with the totals, in the same update, and look there "
    "before adding.",
    asks={Ability.TURN_IDS},
    evidence=["litellm#15740"],
)
async def recorded_twice_counts_once(subject: Subject) -> None:
    for is_streamed in ways(subject):
        await _record_twice(subject, is_streamed=is_streamed)


async def _record_twice(subject: Subject, *, is_streamed: bool) -> None:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    for usage, turn_id in ((FIRST, "turn-1"), (FIRST, "turn-1"), (SECOND, "turn-2")):
        await service.turn(SESSION, usage, stream=is_streamed, turn_id=turn_id)
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND),
        rather_than={
            "a turn that is recorded twice is counted twice": total(FIRST, FIRST, SECOND),
            "one turn keeps another from being counted": total(FIRST),
        },
    )
    service = await open_on(subject, store)
    for usage, turn_id in ((FIRST, "turn-1"), (THIRD, "turn-3")):
        await service.turn(SESSION, usage, stream=is_streamed, turn_id=turn_id)
    await service.shut_down()
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND, THIRD),
        rather_than={
            "a restart forgets which turns are counted": total(FIRST, SECOND, FIRST, THIRD)
        },
    )


BAD_FIGURES: tuple[tuple[str, Any, int | float], ...] = (
    ("a negative figure", -5, -5),
    ("a text", "many", 4),
    ("infinity", float("inf"), float("inf")),
    ("NaN", float("nan"), float("nan")),
    ("null", None, 0),
)
"""What is reported, and what it would add if it were added."""


@should(
    "turn.bad-figures-are-not-added",
    "Negative, non-finite and non-numeric figures are not added, and are logged as a warning or "
    "an error; one that is null is not added, and need not be logged.",
    because="One NaN makes the totals of a session unreadable for ever, and a negative figure is "
    "a discount. Null is what providers say of cached tokens where they have none.",
    remedy="Check each figure before it is added; leave out the figure, or the turn.",
    evidence=["litellm#40845", "litellm#39325"],
)
async def bad_figures_are_not_added(subject: Subject) -> None:
    for name, figure, added in BAD_FIGURES:
        for which in FIGURES:
            for is_streamed in ways(subject):
                service = await _three_turns(subject, {which: figure}, is_streamed=is_streamed)
                await _expect_it_to_be_left_out(service, name, {which: added})
                # What is not kept need not be looked at.
                is_kept = which != "cached_tokens" or _keeps_cached_tokens(service)
                # To say nothing of a figure is no nonsense.
                is_said = figure is not None
                if is_said and is_kept and service.workshop.system.logger is not None:
                    _expect_to_be_logged(service, name)


FIGURES = ("input_tokens", "output_tokens", "cached_tokens")

BESIDE = {"input_tokens": 5000, "output_tokens": 3000, "cached_tokens": 0}
"""The good figures beside a bad one: so large that the sum of all is believable."""


async def _three_turns(subject: Subject, bad: dict[str, Any], *, is_streamed: bool) -> Service:
    store = KitStore()
    store.put(SESSION)
    service = await open_on(subject, store)
    await service.turn(SESSION, FIRST, stream=is_streamed)
    service.workshop.log.warned.clear()
    await service.turn(SESSION, Usage(**{**BESIDE, **bad}), stream=is_streamed)
    await service.turn(SESSION, SECOND, stream=is_streamed)
    await service.shut_down()
    return service


async def _expect_it_to_be_left_out(service: Service, name: str, added: dict[str, Any]) -> None:
    rest = Usage(**{**BESIDE, **dict.fromkeys(added, 0)})
    await expect_totals(
        service,
        SESSION,
        total(FIRST, SECOND),
        total(FIRST, SECOND, count=3),
        total(FIRST, SECOND, rest, count=2),
        total(FIRST, SECOND, rest),
        rather_than={
            f"{name} is added": total(FIRST, Usage(**{**BESIDE, **added}), SECOND),
            f"{name} keeps later turns from being counted": total(FIRST),
        },
    )


def _keeps_cached_tokens(service: Service) -> bool:
    return service.keeps_cached_tokens(SESSION) and not service.has_only("cached_tokens", 0)


def _expect_to_be_logged(service: Service, name: str) -> None:
    if not service.workshop.log.warned:
        violated(
            f"{name} is not logged",
            demanded="a warning or an error in the log",
            answered="nothing of that level",
        )
