"""Two requests on one connection that the platform keeps."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from . import bare
from .client import SESSIONS, path_of
from .exchange import ANONYMOUS, NO_JSON, Exchange, Request
from .expect import raise_violation, unless_reads_flap
from .sessions import COSTS, ONE

if TYPE_CHECKING:
    from .client import Client

ON_A_SOCKET = "an application in this process has no connections: it is seen on a socket alone"


@must(
    "wire.kept-connections-stay-in-step",
    "On a connection that is kept, the next request is answered for itself: a body that was "
    "refused, in chunks too, is read to its end, or the connection closed, and nothing follows an "
    "answer that has no body.",
    because="A pool of connections gives the next request to whoever comes: bytes that are left "
    "over from one caller are read as the request, or the answer, of another.",
    remedy="Read what is left of a body before the connection is kept, whichever route refused it, "
    "or answer with `Connection: close`; a body in chunks announces no length, and is none of 0 "
    "bytes. A 204 has no body, in a framework that writes one too: answer it without content.",
)
async def kept_connections_stay_in_step(platform: Client) -> None:
    if platform.is_in_process:
        platform.note(ON_A_SOCKET)
        return
    session = await platform.begin_with(ONE)
    begun = len(platform.exchanges)
    for what, first in _firsts(platform, session).items():
        platform.rewind(begun)
        await _try_next(platform, session, what, first)


def _firsts(platform: Client, session: str) -> dict[str, Request]:
    """Answer requests after which a connection may be in disorder, by what they are."""
    path, body = path_of(session), json.dumps({"messages": ONE}).encode()
    found = {
        "a PUT": Request("PUT", path, body, platform.credential),
        "a PUT in chunks": Request("PUT", path, body, platform.credential, is_chunked=True),
        **_refused(platform, session, body),
    }
    if platform.can(Capability.AUTH):
        found["a PUT without a token"] = Request("PUT", path, body, ANONYMOUS)
    if platform.body_limit is not None:
        large = b'{"messages": ["%s"]}' % (b"x" * platform.body_limit)
        found["a PUT over the limit"] = Request("PUT", path, large, platform.credential)
    return found


def _refused(platform: Client, session: str, history: bytes) -> dict[str, Request]:
    """Answer requests that can be refused by what stands before their body, by what they are."""
    missing = path_of(platform.new_id())
    odd = f"{platform.new_id()}\0"
    platform.remember(odd)
    nowhere = f"/v1/{platform.new_id()}/nothing"
    counts = json.dumps({"cost_data": COSTS}).encode()
    taken = json.dumps({"session_id": session}).encode()
    asked = {
        "a PATCH of a missing session": ("PATCH", missing, counts),
        "a PUT of an id with NUL": ("PUT", path_of(odd), history),
        "a PUT to a missing route": ("PUT", nowhere, history),
        "a POST to a missing route": ("POST", nowhere, history),
        "a POST of a taken id": ("POST", SESSIONS, taken),
    }
    return {
        f"{what}{more}": Request(method, path, body, platform.credential, is_chunked)
        for what, (method, path, body) in asked.items()
        for more, is_chunked in {"": False, " in chunks": True}.items()
    }


async def _try_next(platform: Client, session: str, what: str, first: Request) -> None:
    asked = [first, platform.get(session).request]
    answers = await bare.answers_in_turn(platform, asked)
    for request, answer in zip(asked, answers, strict=False):
        found = Exchange(len(platform.exchanges) + 1, request, is_judged=True)
        found.outcome, found.status, found.body = "answered", answer.status, answer.body
        platform.exchanges.append(found)
    if len(answers) < len(asked) or found.status in {429, 503}:
        return
    if not found.status:
        raise_violation(found, f"bytes follow the answer to {what}", "an answer to each request")
    # A body in another coding than was asked for can't be read here, and is nobody else's answer.
    is_another = found.json is not NO_JSON and found.member("session_id") != session
    if found.status != 200 or is_another:
        # What follows an unread body is no 404 of a session; what a process does not know is.
        flapping = unless_reads_flap(platform, ONE) if found.status == 404 else nullcontext()
        async with flapping:
            raise_violation(
                found,
                f"GET on the connection of {what} answers {found.status}",
                "200, as on a connection of its own",
            )
