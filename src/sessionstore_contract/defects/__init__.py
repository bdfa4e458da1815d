"""Defects that are wrapped around a correct store: what the contract must catch on any backend."""

from __future__ import annotations

import fnmatch
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..names import NotFoundError, find, nearest
from ..opening import open_store
from . import (
    cancellation,
    closing,
    concurrency,
    cost,
    durability,
    ephemeral,
    failure,
    faults,
    growth,
    identifiers,
    interface,
    isolation,
    lifecycle,
    messages,
    migration,
    opening,
    retention,
    security,
    sequence,
    sharing,
    values,
)
from .defect import Defect, Wrapper, defect, defect_of, defects_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ..backend import Backend

__all__ = [
    "DEFECTS",
    "Defect",
    "UnknownDefectError",
    "Wrapper",
    "defect",
    "defect_of",
    "select",
    "wrapped",
]

DEFECTS: tuple[Defect, ...] = tuple(
    one
    for module in (
        interface,
        ephemeral,
        lifecycle,
        messages,
        cost,
        values,
        identifiers,
        isolation,
        retention,
        sequence,
        opening,
        sharing,
        concurrency,
        cancellation,
        failure,
        durability,
        migration,
        faults,
        closing,
        security,
        growth,
    )
    for one in defects_in(module)
)
"""Every defect, in the order of the contract's areas."""

LEFT_OUT = Capability.MULTI_PROCESS
"""A wrapped opener has no name by which another process finds it."""


class UnknownDefectError(ValueError):
    """No defect matches; the message names the nearest that exist."""


def select(wanted: Iterable[str]) -> list[Defect]:
    """Select defects by name, glob or area, or an author's own as `module:Class`; without any, all.

    Raises:
        UnknownDefectError: there is none; the message names the nearest that exist.
    """
    selected: list[Defect] = []
    for name in wanted:
        found = [_own(name)] if ":" in name else [one for one in DEFECTS if _matches(one, name)]
        if not found:
            known = [one.name for one in DEFECTS]
            raise UnknownDefectError(f"no defect {name!r}{nearest(name, known)}")
        selected += [one for one in found if one not in selected]
    return selected or list(DEFECTS)


def _own(address: str) -> Defect:
    try:
        found = defect_of(find(address))
    except NotFoundError as error:
        raise UnknownDefectError(str(error)) from None
    if found is None:
        raise UnknownDefectError(f"{address} is no defect: a class under @defect(...) is one")
    return found


def _matches(defect: Defect, glob: str) -> bool:
    return defect.area == glob or fnmatch.fnmatchcase(defect.name, glob)


def wrapped(backend: Backend, wrapper: type[Wrapper]) -> Backend:
    """Answer the backend with this wrapper around each of its stores."""
    declared = defect_of(wrapper)

    @asynccontextmanager
    async def opened(*place: str) -> AsyncIterator[Any]:
        store, ending = await open_store(backend.open, *(place or (None,)))
        try:
            yield wrapper(store)
        finally:
            await ending()

    bounded = backend.open_bounded

    @asynccontextmanager
    async def opened_bounded(place: str, seconds: float) -> AsyncIterator[Any]:
        store, ending = await open_store(lambda place: bounded and bounded(place, seconds), place)
        try:
            yield wrapper(store)
        finally:
            await ending()

    return replace(
        backend,
        open=opened,
        open_bounded=None if bounded is None else opened_bounded,
        timeout=(declared and declared.timeout) or backend.timeout,
        adding=set(backend.adding) - {LEFT_OUT},
        without={*backend.without, LEFT_OUT},
    )
