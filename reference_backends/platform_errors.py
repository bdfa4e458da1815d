"""How the platform words what went wrong: one status, one code and one shape for each situation."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from reference_backends import rest, tracing
from reference_backends.platform_description import methods_of
from reference_backends.platform_door import error, served_path
from sessionstore_contract.interface import (
    InvalidSessionIdError,
    SessionExistsError,
    StoreClosedError,
    StoreUnavailableError,
    UnstorableValueError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request
    from starlette.responses import JSONResponse

_log = logging.getLogger("reference_backends.platform")

_STORE_ERRORS: dict[type[Exception], tuple[int, str, str | None]] = {
    InvalidSessionIdError: (422, rest.INVALID_ID, None),
    UnstorableValueError: (422, rest.UNSTORABLE_VALUE, None),
    SessionExistsError: (409, rest.SESSION_EXISTS, "a session of this id exists"),
    NotImplementedError: (501, rest.NOT_SUPPORTED, "the store can't do this"),
    StoreUnavailableError: (503, rest.UNAVAILABLE, "the storage can't be reached"),
    StoreClosedError: (503, rest.UNAVAILABLE, "the service is stopping"),
}
"""Status, code and message; None stands for the exception's own message, which is about the
request. The others may name hosts and files, and go to the log."""

_ROUTING_CODES = {404: rest.NOT_FOUND, 405: rest.METHOD_NOT_ALLOWED}


class Refusal(Exception):  # noqa: N818 - it is the answer
    """A request that is refused, with the status, the code and the message of the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def missing() -> JSONResponse:
    """Word that the session is missing: by its code, no missing route can be taken for it."""
    return error(404, rest.SESSION_MISSING, "there is no session of this id")


def translate_errors(app: FastAPI) -> None:
    """Give each exception that a route may raise its answer. The door has one for all others."""
    for kind, (status, code, message) in _STORE_ERRORS.items():
        app.add_exception_handler(kind, _store_error(status, code, message))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)


def _store_error(
    status: int, code: str, message: str | None
) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handle(request: Request, problem: Exception) -> JSONResponse:
        if status >= 500:
            said = request.method, request.url.path, tracing.request_id(), problem
            _log.warning("%s %s (request %s): %s", *said)
        return error(status, code, message or str(problem))

    return handle


async def _refused(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Refusal)  # noqa: S101 - what it is registered for
    return error(problem.status, problem.code, str(problem))


async def _not_routed(request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, HTTPException)  # noqa: S101 - what it is registered for
    code = _ROUTING_CODES.get(problem.status_code, rest.INVALID_BODY)
    headers = problem.headers
    if problem.status_code == 405:
        # The router names the methods of the first route of the path alone.
        headers = {"allow": ", ".join(methods_of(served_path(request.scope)))}
    return error(problem.status_code, code, problem.detail, headers=headers)
