"""A request of HTTP taken whole, and answered: by the server, by the kit, or by both."""

from __future__ import annotations

import asyncio
import http.client
import io
import re
from typing import TYPE_CHECKING, cast

from ..fault import Answer, Request

if TYPE_CHECKING:
    import socket

    from ..fault import Fault

CHUNK = 2**16

HEAD_ENDS = b"\r\n\r\n"

OURS = (b"connection:", b"accept-encoding:")
ASKED_SO = (b"connection: close", b"accept-encoding: identity")
"""Headers that the kit asks with instead of the store's: it reads the answer to its end."""

REPEATED = frozenset({"PUT", "PATCH", "DELETE"})
"""Methods of requests that somebody on the way, or the store itself, may well send again."""


async def request_from(client: socket.socket, begun: bytes) -> Request:
    """Read the rest of a request that has begun so.

    Raises:
        ConnectionError: the store left before it had ended, or it is no HTTP.
    """
    raw = begun
    while HEAD_ENDS not in raw:
        raw += await _more(client)
    head, _, _ = raw.partition(HEAD_ENDS)
    words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3:
        raise ConnectionResetError("what the store says is no request of HTTP")
    while not _is_whole(raw):
        raw += await _more(client)
    return Request(words[0], words[1], raw)


async def _more(client: socket.socket) -> bytes:
    chunk = await asyncio.get_running_loop().sock_recv(client, CHUNK)
    if not chunk:
        raise ConnectionResetError("the store left in mid-request")
    return chunk


def _is_whole(raw: bytes) -> bool:
    head, _, body = raw.partition(HEAD_ENDS)
    if re.search(rb"(?im)^transfer-encoding:.*chunked", head):
        return body.endswith(b"0\r\n\r\n")
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    return len(body) >= (int(length[1]) if length else 0)


async def asked(server: socket.socket, request: Request) -> Answer:
    """Ask the server, on a connection of its own, and read its answer to the end."""
    loop = asyncio.get_running_loop()
    head, _, body = request.raw.partition(HEAD_ENDS)
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(OURS)]
    question = b"\r\n".join([*kept, *ASKED_SO]) + HEAD_ENDS + body
    await loop.sock_sendall(server, question)
    raw = b""
    while chunk := await loop.sock_recv(server, CHUNK):
        raw += chunk
    return _parsed(raw, request.method)


class _Said:
    """What `http.client` takes for a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parsed(raw: bytes, method: str) -> Answer:
    found = http.client.HTTPResponse(cast("socket.socket", _Said(raw)), method=method)
    try:
        found.begin()
        return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
    except http.client.HTTPException as error:
        raise ConnectionResetError(f"the server's answer can't be read: {error!r}") from None


def worded(answer: Answer, request: Request) -> bytes:
    """Word an answer; the connection ends with it."""
    length = len(answer.body) if answer.declared is None else answer.declared
    left_out = {"content-length", "transfer-encoding", "connection"}
    headers = {name: value for name, value in answer.headers.items() if name not in left_out}
    headers |= {"content-length": str(length), "connection": "close"}
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1") + HEAD_ENDS
    return head if request.method == "HEAD" else head + answer.body


def times_to_ask(fault: Fault, request: Request) -> int:
    """Answer how often the server is asked before the request is answered."""
    if fault.forge is not None:
        return 0
    return 2 if fault.repeats and request.method in REPEATED else 1


def made(fault: Fault, request: Request, answers: list[Answer]) -> Answer | None:
    """Make the answer that the fault has for a request; None leaves the server's as it is."""
    if fault.forge is not None:
        return fault.forge(request)
    if fault.spoil is not None:
        return fault.spoil(request, answers[-1])
    return answers[-1] if len(answers) > 1 else None
