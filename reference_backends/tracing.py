"""What a request carries so that it can be found again: its id, and the trace that it is part of.

The platform takes both from its caller, and the HTTP store gives them to the platform that it asks:
so one conversation has one id in the logs of every service on its way.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST_ID: Final = "x-request-id"
TRACEPARENT: Final = "traceparent"

carried: Final = ContextVar[dict[str, str]]("carried")
"""The headers of the request under way; each task has its own."""

# What is passed on goes into logs and headers: nothing in it may end a line.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def taken_from(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Answer what to carry on of a request; one without an id to be passed on is given one."""
    given = {name: value for name, value in headers if name in {b"x-request-id", b"traceparent"}}
    found = {REQUEST_ID: secrets.token_hex(16)}
    if _REQUEST_ID.fullmatch(given.get(b"x-request-id", b"")):
        found[REQUEST_ID] = given[b"x-request-id"].decode()
    if _TRACEPARENT.fullmatch(given.get(b"traceparent", b"")):
        found[TRACEPARENT] = given[b"traceparent"].decode()
    return found


def request_id() -> str:
    """Answer the id of the request under way, for logs; `-` where there is none."""
    return carried.get({}).get(REQUEST_ID, "-")
