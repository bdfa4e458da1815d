"""The reference accumulator over several processes that fail, die and are asked again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as draw

from reference_backends.accounting import Accounting, Usage
from reference_backends.figures import Tokens, Totals
from sessionstore_contract.turn.stores import KitStore, raising, raising_afterwards

WRITERS = (None, "a", "b")
AWAY = RuntimeError("away")
TROUBLES = {
    "reading fails": ("get_cost_data", raising(AWAY)),
    "writing fails": ("update", raising(AWAY)),
    "the answer is lost": ("update", raising_afterwards(AWAY)),
}


@dataclass(frozen=True)
class Ask:
    """Turns recorded at once on one server; their callers may be cancelled meanwhile."""

    server: int
    turns: tuple[int, ...]
    is_cancelled: bool


@dataclass(frozen=True)
class Die:
    """A server that ends without a word; another one of its name begins."""

    server: int


Deed = Ask | Die | str

numbers = draw.integers(0, 7)
servers = draw.integers(0, len(WRITERS) - 1)
deeds = draw.lists(
    draw.builds(
        Ask, servers, draw.lists(numbers, min_size=1, max_size=4).map(tuple), draw.booleans()
    )
    | draw.builds(Die, servers)
    | draw.sampled_from(["all is well", *TROUBLES]),
    max_size=12,
)


async def ask(server: Accounting, number: int) -> bool:
    return await server.record(
        "chat", Usage(2**number, number, 0), model=f"m{number % 2}", turn_id=f"turn-{number}"
    )


async def play(program: list[Deed]) -> tuple[Totals, set[int]]:
    """Play it, ask again for what is not known to be counted, and answer the totals."""
    store = KitStore()
    store.put("chat")
    running = [Accounting(store, writer=name) for name in WRITERS]
    asked: set[int] = set()
    for deed in program:
        match deed:
            case Ask(server, turns, is_cancelled):
                calls = [asyncio.create_task(ask(running[server], one)) for one in turns]
                if is_cancelled:
                    await asyncio.sleep(0)
                    for call in calls:
                        call.cancel()
                await asyncio.wait(calls)
                asked.update(turns)
                # One turn is not counted by two servers at the same instant: see decision 051.
                await running[server].drain()
            case Die(server):
                running[server] = Accounting(store, writer=WRITERS[server])
            case str(trouble):
                store.recover()
                if trouble in TROUBLES:
                    operation, behaviour = TROUBLES[trouble]
                    store.behave(behaviour, [operation])
    store.recover()
    for number in asked:
        assert await ask(running[number % len(WRITERS)], number)
    for one in running:
        assert await one.drain()
    return await running[0].totals("chat"), asked


@settings(max_examples=200)
@given(deeds)
@example(["the answer is lost", Ask(1, (0, 1), False), Die(1), "all is well", Ask(2, (0,), True)])
def test_the_sum_of_turns_is_the_total(program: list[Deed]) -> None:
    """Each turn once: whoever was asked, how often, and whatever failed or died in between."""
    totals, asked = asyncio.run(play(program))
    # Powers of two: no other selection of turns has this sum.
    assert totals.tokens.input_tokens == sum(2**number for number in asked)
    assert totals.turn_count == len(asked)
    for parity in (0, 1):
        own = {number for number in asked if number % 2 == parity}
        found = totals.models.get(f"m{parity}", Tokens())
        assert found.input_tokens == sum(2**number for number in own)
