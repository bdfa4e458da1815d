"""A path of the platform and the function for each of its methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def served_at(template: str, **handlers: Handler) -> Route:
    """Answer the route that serves the path by the handler of each method that is named."""
    # A plain route: what FastAPI does for a function with typed parameters took two thirds of the
    # time of a request, and everything is read by functions of our own.
    return Route(template, _Methods(handlers), include_in_schema=False)


class _Methods:
    """An ASGI application: a route that took methods itself would answer HEAD wherever GET is."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["method"])
        if handler is None:
            raise HTTPException(405)
        response = await handler(Request(scope, receive, send))
        await response(scope, receive, send)
