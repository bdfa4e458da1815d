"""The sum of the turns equals the totals, whatever happens between them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..expect import expect_all_answered, violated
from ..subject import at_once
from .answers import COMPLETE
from .clauses import must
from .script import Usage
from .service import Service
from .stores import KitStore, raising
from .sums import total
from .system import Ability
from .workshop import open_on

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from ..interface import Json
    from ..subject import Subject

SESSIONS = ("one", "two")

TROUBLED = ("get_cost_data", "update", "load", "save")
"""The operations that raise for a while."""


@dataclass(frozen=True)
class Taken:
    """A turn to be taken; one that was taken before is taken again."""

    session: str
    usage: Usage
    id: str


@dataclass(frozen=True)
class AtOnce:
    """Turns to be taken at the same time."""

    turns: tuple[Taken, ...]


@dataclass(frozen=True)
class Trouble:
    """An operation of the store that raises from now on; with none, the store works again."""

    operation: str | None


@dataclass(frozen=True)
class Restart:
    """The store works again, the system has its time to end, and another one is begun with."""


Deed = AtOnce | Trouble | Restart


def programs() -> SearchStrategy[list[Deed]]:
    """Draw what happens."""
    from hypothesis import strategies as draw  # noqa: PLC0415 - most clauses do without

    figure = draw.integers(0, 50)
    usage = draw.builds(Usage, figure, figure, draw.integers(0, 0))
    # An id means one turn, and so one usage: it is drawn with it.
    numbered = draw.builds(
        lambda number, session: Taken(session, Usage(number + 1, 2 * number, 0), f"turn-{number}"),
        draw.integers(0, 5),
        draw.sampled_from(SESSIONS),
    )
    unnumbered = draw.builds(Taken, draw.sampled_from(SESSIONS), usage, draw.sampled_from([""]))
    turns = draw.lists(numbered | unnumbered, min_size=1, max_size=4)
    deeds = (
        draw.builds(lambda some: AtOnce(tuple(some)), turns)
        | draw.builds(Trouble, draw.sampled_from([*TROUBLED, None]))
        | draw.builds(Restart)
    )
    return draw.lists(deeds, min_size=1, max_size=8)


@must(
    "turn.totals-are-the-sum-of-turns",
    "The totals of each session are the sums over its turns, in whatever order turns come, at once "
    "or one after the other, while the store fails for a while, over restarts, and with turns "
    "recorded again.",
    because="Each of these alone may be right while two of them together lose a turn.",
    remedy="One task for each session reads, adds and writes; turns wait in memory until they are "
    "known to be written; their ids are written with the totals.",
    evidence=["seed"],
    examples=programs,
)
async def totals_are_the_sum_of_turns(subject: Subject, program: list[Deed]) -> None:
    store = KitStore()
    for session in SESSIONS:
        store.put(session)
    service = await open_on(subject, store)
    has_ids = Ability.TURN_IDS in service.workshop.system.abilities
    taken: dict[tuple[str, str], Usage] = {}
    for deed in program:
        match deed:
            case Trouble(None):
                await service.recovery()
            case Trouble(operation):
                away = raising(RuntimeError("the store is away"))
                await service.trouble("raises", away, [str(operation)])
            case Restart():
                await _end(service, taken)
                service = await open_on(subject, store)
            case AtOnce(turns):
                await _take(service, turns, taken, has_ids=has_ids)
    await _end(service, taken)
    for session in SESSIONS:
        await _expect_the_sum(
            service, session, [usage for (name, _), usage in taken.items() if name == session]
        )


async def _end(service: Service, taken: dict[tuple[str, str], Usage]) -> None:
    """End the system in order: what waits is counted with one more turn, if not by the end."""
    await service.recovery()
    for session in SESSIONS:
        last = Taken(session, Usage(1, 1, 0), "")
        await _take(service, (last,), taken, has_ids=False)
    await service.shut_down()


async def _take(
    service: Service,
    turns: tuple[Taken, ...],
    taken: dict[tuple[str, str], Usage],
    *,
    has_ids: bool,
) -> None:
    is_chat = Ability.CHAT in service.workshop.system.abilities
    calls = []
    for turn in turns:
        turn_id = turn.id if has_ids and turn.id else f"turn-{len(taken)}-alone"
        taken[turn.session, turn_id] = turn.usage
        stream = is_chat and len(taken) % 2 == 0
        calls.append(service.turn(turn.session, turn.usage, stream=stream, turn_id=turn_id))
    steps = await at_once(*calls)
    expect_all_answered(steps, "a turn")
    for step in steps:
        if step.answer != COMPLETE:
            violated("an answer is broken", demanded=COMPLETE, answered=str(step.answer))
    await asyncio.sleep(0)


async def _expect_the_sum(service: Service, session: str, turns: list[Usage]) -> None:
    step = await service.totals(session).perform(is_expected=True)
    found: dict[str, Json] = step.answer or {}
    for name, demanded in total(*turns).items():
        if name in {"model", "cached_tokens"} or found.get(name, 0) == demanded:
            continue
        fewer = "fewer" if _number(found.get(name, 0)) < demanded else "more"
        violated(
            f"{fewer} {name.replace('_', ' ').replace('turn count', 'turns')} than were used",
            demanded=f"{name} {demanded} in session {session!r}",
            answered=step.answered(),
        )


def _number(value: Json) -> float:
    return value if isinstance(value, (int, float)) else 0
