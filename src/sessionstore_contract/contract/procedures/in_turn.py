"""The same one after the other: what is wrong then is no matter of doing it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...capabilities import Capability
from ...history import StepFailed
from .beginning import make_sure

if TYPE_CHECKING:
    from ...subject import Subject

ONE = {"role": "user", "content": "one"}
TWO = {"role": "assistant", "content": "two"}


async def create_in_turn(instances: list[Subject]) -> None:
    """Make sure that an id that one instance has taken is refused by another, and stays empty."""
    first, last = instances[0], instances[-1]
    session = first.unused_id("in-turn")
    await make_sure(first.create(session), session)
    again = await last.create(session).perform(is_expected=False)
    if again.outcome != "raised":
        raise StepFailed(again)
    await make_sure(last.load(session), [])


async def delete_in_turn(instances: list[Subject]) -> None:
    """Make sure that a session is deleted once, and is then gone for every instance and update."""
    first, last = instances[0], instances[-1]
    session = await first.create()
    await make_sure(first.update(session, cost_data={"turns": 1}), answer=True)
    for one in (first, last):
        await make_sure(one.load(session), [])
    await make_sure(last.delete(session), answer=True)
    await make_sure(first.exists(session), answer=False)
    await make_sure(first.update(session, cost_data={"turns": 2}), answer=False)
    await make_sure(first.delete(session), answer=False)
    await first.save(session, [])
    if first.can(Capability.COST_READ):
        await make_sure(first.get_cost_data(session), {})


async def make_again_in_turn(instances: list[Subject]) -> None:
    """Make sure that every instance loads what was saved, then nothing, then what is saved anew."""
    first, last = instances[0], instances[-1]
    session = await first.create()
    await first.save(session, [ONE, TWO])
    for one in instances:
        await make_sure(one.load(session), [ONE, TWO])
    await make_sure(last.delete(session), answer=True)
    for one in instances:
        await make_sure(one.load(session), None)
    await first.save(session, [TWO])
    for one in instances:
        await make_sure(one.load(session), [TWO])


async def save_in_turn(instances: list[Subject]) -> None:
    """Make sure that a save replaces the history, for every instance, and keeps cost data."""
    first, last = instances[0], instances[-1]
    session = await first.create()
    await first.update(session, cost_data={"turns": 1})
    await first.save(session, [ONE, TWO])
    await make_sure(last.load(session), [ONE, TWO])
    await last.save(session, [TWO])
    await make_sure(first.load(session), [TWO])
    if first.can(Capability.COST_READ):
        await make_sure(first.get_cost_data(session), {"turns": 1})


async def update_in_turn(instances: list[Subject]) -> None:
    """Make sure that updates merge key by key, for every instance."""
    first, last = instances[0], instances[-1]
    session = await first.create()
    await first.update(session, cost_data={"total": {"by": 1}, "other": 1})
    await last.update(session, cost_data={"total": {"of": 2}})
    for one in instances:
        await make_sure(one.get_cost_data(session), {"total": {"of": 2}, "other": 1})
