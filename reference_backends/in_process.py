"""A platform in the process of its caller: the HTTP store and the REST service without a socket."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import anyio
import httpx

from reference_backends.http import HttpSessionStore
from reference_backends.platform import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from sessionstore_contract.interface import SessionStore


class _Apart(httpx.AsyncBaseTransport):
    """Runs the application in a task of its own, as a server does.

    A client that gives up keeps cancelling at every await until all is tidied (anyio); a store
    behind the platform is cancelled once, and may await while it rolls back.
    """

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        task = asyncio.create_task(self._transport.handle_async_request(request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({task})
            raise


class InProcessPlatform:
    """A storage whose places are platforms, each over a store of its own, reached by `open`.

    The store of a platform is what `make_store` answers, one in memory by default. It lives in
    the caller's event loop and is closed by whoever made it.
    """

    name = "in-process"

    def __init__(
        self,
        make_store: Callable[[], SessionStore] | None = None,
        *,
        token: str | None = None,
    ) -> None:
        self._make_store = make_store
        self._token = token
        self._apps: dict[str, FastAPI] = {}
        self._numbers = count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Make a platform; the place is a URL that means something to `open` only."""
        place = f"http://platform-{next(self._numbers)}"
        store = None if self._make_store is None else self._make_store()
        self._apps[place] = create_app(store, token=self._token)
        try:
            yield place
        finally:
            self._apps.pop(place, None)

    def open(self, place: str) -> HttpSessionStore:
        """Answer a store on the place; several may be open on one."""
        app = self._apps.get(place)
        if app is None:
            raise ValueError(f"{place} is no place of this storage, or is gone")
        return HttpSessionStore(place, token=self._token, transport=_Apart(app))

    def server(self) -> str | None:
        """Answer what serves the places."""
        return "platform in process"

    def close(self) -> None:
        """Forget every place."""
        self._apps.clear()
