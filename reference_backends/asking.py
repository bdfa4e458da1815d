"""Calls of a store that somebody waits for: so long and no longer, whatever the store does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class StoreBrokenError(Exception):
    """The store raised what is no Exception: drivers that are not written in Python panic so."""


async def ask(call: Awaitable[T], patience: float) -> T:
    """Answer what the call answers, within `patience` seconds, or raise an Exception.

    Raises:
        TimeoutError: it took longer, and is cancelled; whether it ends then is not waited for.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(_noticed)
    try:
        # Not asyncio.timeout: it would wait for a call that does not let itself be cancelled.
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            raise TimeoutError(f"the store did not answer within {patience:g} s")
        if task.cancelled():
            raise ConnectionAbortedError("the store's call was cancelled from within")
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise StoreBrokenError(in_short(error)) from error
        return task.result()
    finally:
        task.cancel()


def in_short(value: object) -> str:
    """Word what a store or a provider made, for a log; it may be of any size, and do anything."""
    try:
        text = ascii(value) if not isinstance(value, BaseException) else ascii(str(value))[1:-1]
    except Exception:  # noqa: BLE001 - the str of a foreign exception may raise
        return f"a {type(value).__name__} that can't be shown"
    return text if len(text) <= 200 else f"{text[:200]}..."


def _noticed(task: asyncio.Future[T]) -> None:
    """Look at what became of a call that nobody waits for any more, or the loop complains."""
    if not task.cancelled():
        task.exception()
