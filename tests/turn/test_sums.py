"""The reference accumulator over several processes that fail, die and are asked again."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as draw

from reference_backends.accounting import Accounting, Usage
from reference_backends.figures import Tokens, Totals
from sessionstore_contract.turn.stores import Behaviour, KitStore, raising, raising_afterwards

if TYPE_CHECKING:
    from collections.abc import Callable

WRITERS = (None, "a", "b")
AWAY = RuntimeError("away")
TROUBLES = {
    "reading fails": ("get_cost_data", raising(AWAY)),
    "writing fails": ("update", raising(AWAY)),
    "the answer is lost": ("update", raising_afterwards(AWAY)),
}


class PacedStore(KitStore):
    """Takes as many turns of the loop for each call as it is told, so that they meet anyhow."""

    def __init__(self, pace: list[int]) -> None:
        super().__init__()
        self._pace = itertools.cycle(pace)

    async def _perform(self, operation: str, session_id: str | None, do: Callable[[], Any]) -> Any:
        for _ in range(next(self._pace)):
            await asyncio.sleep(0)
        answer = await super()._perform(operation, session_id, do)
        for _ in range(next(self._pace)):
            await asyncio.sleep(0)
        return answer


@dataclass(frozen=True)
class Ask:
    """Turns recorded at once, or each some turns of the loop after the one before."""

    turns: dict[int, int]
    """By number, on which server: one turn is not counted by two at the same instant (051)."""
    apart: int
    cancelled_after: int | None
    """Turns of the loop after which the callers leave."""


@dataclass(frozen=True)
class Die:
    """A server that ends without a word, whatever is under way; another of its name begins."""

    server: int


Deed = Ask | Die | str

servers = draw.integers(0, len(WRITERS) - 1)
deeds = draw.lists(
    draw.builds(
        Ask,
        draw.dictionaries(draw.integers(0, 7), servers, min_size=1, max_size=6),
        draw.sampled_from([0, 1, 3, 6]),
        draw.none() | draw.integers(0, 6),
    )
    | draw.builds(Die, servers)
    | draw.sampled_from(["all is well", "all is written", *TROUBLES]),
    max_size=12,
)
paces = draw.lists(draw.integers(0, 9), min_size=1, max_size=8)


async def ask(server: Accounting, number: int, after: int = 0) -> bool:
    for _ in range(after):
        await asyncio.sleep(0)
    return await server.record(
        "chat", Usage(2**number, number, 0), model=f"m{number % 2}", turn_id=f"turn-{number}"
    )


class Fleet:
    """Servers on one store."""

    def __init__(self, pace: list[int]) -> None:
        self.store = PacedStore(pace)
        self.store.put("chat")
        self.running = [Accounting(self.store, writer=name) for name in WRITERS]

    def server_for(self, number: int, drawn: int) -> Accounting:
        """Answer the server on which a turn waits, if it waits; else the one that was drawn."""
        name = f"turn-{number}"
        waits_on = (
            one for one in self.running if any(name in book.waiting for book in one._books.values())
        )
        return next(waits_on, self.running[drawn])

    async def ask(self, deed: Ask) -> None:
        calls = [
            asyncio.create_task(ask(self.server_for(number, drawn), number, place * deed.apart))
            for place, (number, drawn) in enumerate(deed.turns.items())
        ]
        if deed.cancelled_after is not None:
            for _ in range(deed.cancelled_after):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
        await asyncio.wait(calls)

    async def die(self, server: int) -> None:
        writing = self._writing(self.running[server])
        for task in writing:
            task.cancel()
        await self._ended(writing)
        self.running[server] = Accounting(self.store, writer=WRITERS[server])

    async def end_calls(self) -> None:
        await self._ended({task for one in self.running for task in self._writing(one)})

    def _writing(self, server: Accounting) -> set[asyncio.Task[None]]:
        return {book.writing for book in server._books.values() if book.writing is not None}

    async def _ended(self, writing: set[asyncio.Task[None]]) -> None:
        if writing:
            await asyncio.wait(writing)


async def play(program: list[Deed], pace: list[int]) -> tuple[Totals, set[int]]:
    """Play it, ask again for what is not known to be counted, and answer the totals."""
    fleet = Fleet(pace)
    asked: set[int] = set()
    for deed in program:
        match deed:
            case Ask(turns):
                await fleet.ask(deed)
                asked.update(turns)
            case Die(server):
                await fleet.die(server)
            case "all is written":
                await fleet.end_calls()
            case str(trouble):
                fleet.store.recover()
                if trouble in TROUBLES:
                    operation, behaviour = TROUBLES[trouble]
                    fleet.store.behave(behaviour, [operation])
    fleet.store.recover()
    await fleet.end_calls()
    for number in asked:
        assert await ask(fleet.server_for(number, number % len(WRITERS)), number)
    for one in fleet.running:
        assert await one.drain()
    return await fleet.running[0].totals("chat"), asked


@settings(max_examples=200)
@given(deeds, paces)
@example(
    ["the answer is lost", Ask({0: 1, 1: 1}, 0, None), Die(1), "all is well", Ask({0: 2}, 0, 1)],
    [0],
)
@example([Ask({0: 1, 1: 1, 2: 1}, 1, None)], [0, 0, 9, 0, 0, 0, 0, 0])
@example([Ask({0: 1, 1: 2, 2: 0}, 0, 3), Die(1), Ask({0: 2, 3: 0}, 1, None)], [0, 2, 1])
def test_the_sum_of_turns_is_the_total(program: list[Deed], pace: list[int]) -> None:
    """Each turn once: whoever was asked, how often, and whatever failed or died in between."""
    totals, asked = asyncio.run(play(program, pace))
    # Powers of two: no other selection of turns has this sum.
    assert totals.tokens.input_tokens == sum(2**number for number in asked)
    assert totals.turn_count == len(asked)
    for parity in (0, 1):
        own = {number for number in asked if number % 2 == parity}
        found = totals.models.get(f"m{parity}", Tokens())
        assert found.input_tokens == sum(2**number for number in own)


def made_later(turns: int, made: list[asyncio.Task[Any]]) -> Behaviour:
    """Raise at once, and do it after so many turns of the loop: a request that was given up."""

    async def behave(do: Callable[[], Any]) -> Any:
        async def later() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await do()

        made.append(asyncio.create_task(later()))
        raise AWAY

    return behave


async def play_late(delays: list[int | None]) -> int:
    """Take a turn for each, whose write is given up and made after a delay; answer the sum."""
    store, made = KitStore(), list[asyncio.Task[Any]]()
    store.put("chat")
    server = Accounting(store)
    for number, delay in enumerate([None, *delays, None]):
        if number > len(delays) and made:
            await asyncio.wait(made)
        store.recover()
        if delay is not None:
            store.behave(made_later(delay, made), ["update"])
        await ask(server, number)
    assert await server.drain()
    return (await server.totals("chat")).tokens.input_tokens


@settings(max_examples=100)
@given(draw.lists(draw.none() | draw.integers(0, 40), max_size=6))
@example([9, None])
def test_a_write_that_is_made_after_it_was_given_up_takes_no_turn_away(delays: Any) -> None:
    """What it overwrites is added again with the next turn."""
    assert asyncio.run(play_late(delays)) == 2 ** (len(delays) + 2) - 1
