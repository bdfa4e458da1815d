"""The clients of a place that act at once: several instances, where others are let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...capabilities import Capability

if TYPE_CHECKING:
    from ...subject import Subject


def message(text: str) -> dict[str, str]:
    """Answer what a user says."""
    return {"role": "user", "content": text}


async def several(store: Subject) -> list[Subject]:
    """Answer three instances on the place, or the one where nobody else is let in; all used."""
    instances = [store]
    if store.can(Capability.SHARED):
        instances += [await store.another(), await store.another()]
    for instance in instances:
        await instance.exists(instance.unused_id())
    return instances


def twelve_of(instances: list[Subject]) -> list[Subject]:
    """Answer twelve clients of the instances."""
    return instances * (12 // len(instances))
