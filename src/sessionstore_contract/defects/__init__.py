"""Defects that are wrapped around a correct store: what the contract must catch on any backend."""

from __future__ import annotations

import fnmatch
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..capabilities import Capability
from ..names import nearest
from ..opening import open_store
from . import (
    closing,
    concurrency,
    cost,
    durability,
    ephemeral,
    identifiers,
    interface,
    isolation,
    lifecycle,
    messages,
    retention,
    sharing,
    values,
)
from .defect import Defect, Wrapper, defects_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ..backend import Backend

__all__ = ["CONTROL", "DEFECTS", "Defect", "UnknownDefectError", "Wrapper", "select", "wrapped"]

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
        sharing,
        concurrency,
        durability,
        closing,
    )
    for one in defects_in(module)
)
"""Every defect, in the order of the contract's areas."""

CONTROL = "control"
"""The name of no defect: the wrapper that passes everything on."""

LEFT_OUT = Capability.MULTI_PROCESS
"""A wrapped opener has no name by which another process finds it."""


class UnknownDefectError(ValueError):
    """No defect matches; the message names the nearest that exist."""


def select(globs: Iterable[str]) -> list[Defect]:
    """Select defects by name, glob or area; without any, all. In order.

    Raises:
        UnknownDefectError: a glob matches nothing.
    """
    globs = tuple(globs)
    for glob in globs:
        if not any(_matches(one, glob) for one in DEFECTS):
            known = [one.name for one in DEFECTS]
            raise UnknownDefectError(f"no defect {glob!r}{nearest(glob, known)}")
    return [one for one in DEFECTS if not globs or any(_matches(one, glob) for glob in globs)]


def _matches(defect: Defect, glob: str) -> bool:
    return defect.area == glob or fnmatch.fnmatchcase(defect.name, glob)


def wrapped(backend: Backend, name: str) -> Backend:
    """Answer the backend with the defect of that name around each of its stores."""
    defect = next((one for one in DEFECTS if one.name == name), None)
    wrapper = Wrapper if defect is None else defect.wrapper
    timeout = defect.timeout if defect else None

    @asynccontextmanager
    async def opened(*place: str) -> AsyncIterator[Any]:
        store, ending = await open_store(backend.open, *(place or (None,)))
        try:
            yield wrapper(store)
        finally:
            await ending()

    return replace(
        backend,
        open=opened,
        timeout=timeout or backend.timeout,
        adding=set(backend.adding) - {LEFT_OUT},
        without={*backend.without, LEFT_OUT},
    )
