"""What a service, or who stands before it, may answer over HTTP that is no answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from ...effort import NORMAL
from ...fault import Answer, Deed, Fault
from ...values import are_equal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...effort import Effort
    from ...fault import Request

STATUSES = (301, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)
"""Refusals and failures, of the service and of what stands before it."""

FEWER_STATUSES = (301, 401, 404, 429, 503)
"""One of each kind, for who is in a hurry."""

PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in to the network."
"""What a gateway, or the wireless network of a hotel, answers with any status."""


@dataclass
class Overheard:
    """The exchanges of one call that nothing was done to, by method and target."""

    exchanges: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def fault(self) -> Fault:
        """Answer a fault that does nothing but listen to whole exchanges."""

        def spoil(request: Request, answer: Answer) -> None:
            self.exchanges[request.method, request.target] = answer

        return Fault(Deed.FORGE, times=None, spoil=spoil)


@dataclass(frozen=True)
class Forgery:
    """An answer of the kit's in place of the service's."""

    name: str
    fault: Fault
    status: int | None = None
    """Where it is the status that is wrong."""

    @property
    def is_failure(self) -> bool:
        """Answer whether the service, or what stands before it, says that it has failed."""
        return (self.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR


def statuses(effort: Effort, *, can_tell_routes: bool) -> Iterator[Forgery]:
    """Answer each status, as no session's service words it.

    A 404 is left out where the service's own for a missing session can't be told from it.
    """
    for status in STATUSES if effort.rounds >= NORMAL.rounds else FEWER_STATUSES:
        if status != HTTPStatus.NOT_FOUND or can_tell_routes:
            yield Forgery(
                f"the status {status}", Fault(Deed.FORGE, times=None, forge=_with(status)), status
            )


def _with(status: int) -> Callable[[Request], Answer | None]:
    phrase = HTTPStatus(status).phrase
    headers = {"content-type": "application/json"}
    if status == HTTPStatus.MOVED_PERMANENTLY:
        headers["location"] = "/elsewhere"
    answer = Answer(status, headers, json.dumps({"detail": phrase}).encode())

    def forge(request: Request) -> Answer | None:
        # A HEAD has no body by which a route that is missing could be told from a session.
        is_untold = request.method == "HEAD" and status == HTTPStatus.NOT_FOUND
        return None if is_untold else answer

    return forge


def bodies(overheard: Overheard, session: str) -> Iterator[Forgery]:
    """Answer successes whose body is not what was asked for, from the true ones."""
    spoiled: dict[str, Callable[[bytes], bytes]] = {
        "a body that is no JSON": lambda _: PAGE,
        "an empty body": lambda _: b"",
        "a body that is null": lambda _: b"null",
        "a body that is a list": lambda _: b"[]",
        "a body without its members": lambda _: b"{}",
        "a body whose members are null": _with_null_members,
        "a body that is cut": lambda body: body[: len(body) // 2],
        "the body of another session": lambda body: body.replace(
            session.encode(), b"another-session"
        ),
    }
    for name, spoil in spoiled.items():
        yield Forgery(name, Fault(Deed.FORGE, times=None, forge=_spoiling(overheard, spoil)))
    yield Forgery(
        "a body that is too short", Fault(Deed.FORGE, times=None, forge=_shortened(overheard))
    )


BELIEVED = (401, 503)
"""A refusal and a failure, whose body may be that of a success: kept by who stands before it."""


def believed(overheard: Overheard, session: str, asked: str) -> Iterator[Forgery]:
    """Answer a refusal and a failure with the body of a success on the session that is asked for.

    The true one is on another session.
    """
    for status in BELIEVED:
        yield Forgery(
            f"the status {status} with the body of a success",
            Fault(Deed.FORGE, times=None, forge=_failed(overheard, status, session, asked)),
            status,
        )


def _failed(
    overheard: Overheard, status: int, session: str, asked: str
) -> Callable[[Request], Answer | None]:
    def forge(request: Request) -> Answer | None:
        true = _success(overheard, request)
        if true is None:
            return None
        return replace(
            true, status=status, body=true.body.replace(session.encode(), asked.encode())
        )

    return forge


def _with_null_members(body: bytes) -> bytes:
    try:
        found = json.loads(body)
    except ValueError:
        return body
    return json.dumps(dict.fromkeys(found)).encode() if isinstance(found, dict) else body


def _success(overheard: Overheard, request: Request) -> Answer | None:
    """Answer what the service says when it succeeds; None where that has no body to spoil."""
    exchanges = overheard.exchanges
    exact = exchanges.get((request.method, request.target))
    alike = [one for (method, _), one in exchanges.items() if method == request.method]
    true = exact or (alike[0] if alike else None)
    if true is None or true.status >= HTTPStatus.MULTIPLE_CHOICES or request.method == "HEAD":
        return None
    return true if true.body else None


def _spoiling(
    overheard: Overheard, spoil: Callable[[bytes], bytes]
) -> Callable[[Request], Answer | None]:
    def forge(request: Request) -> Answer | None:
        true = _success(overheard, request)
        if true is None or _is_the_same(body := spoil(true.body), true.body):
            return None
        return replace(true, body=body)

    return forge


def _is_the_same(one: bytes, other: bytes) -> bool:
    """Answer whether two bodies say the same: half of `0` and a line's end does."""
    try:
        return one == other or are_equal(json.loads(one), json.loads(other))
    except ValueError:
        return False


def _shortened(overheard: Overheard) -> Callable[[Request], Answer | None]:
    def forge(request: Request) -> Answer | None:
        true = _success(overheard, request)
        return None if true is None else replace(true, declared=len(true.body) + 7)

    return forge
