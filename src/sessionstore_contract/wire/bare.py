"""Requests on a connection of our own: what follows an answer, byte for byte.

An HTTP library drops such bytes, or takes them for the beginning of the next answer.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import heard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .client import Client
    from .exchange import Request

PATIENCE = 2.0
"""Seconds to wait for a peer that does not close the connection as it was asked to."""

FINE = 0.005
"""Seconds at the end of a wait that are counted exactly."""

CLOSE = ("Connection: close",)


@dataclass(frozen=True)
class Answer:
    """What came back; a status of 0 and the bytes, where they are no head of an answer."""

    status: int
    body: bytes
    is_kept: bool
    """Whether the connection is there for another request."""


async def body_of_head(platform: Client, request: Request) -> bytes:
    """Answer what follows the head of the answer; nothing where that can't be seen.

    An application in this process may answer a HEAD as a GET: servers keep the body to themselves.
    """
    received = bytearray()
    connected = await _connected(platform)
    if connected is None:
        return b""
    reader, writer = connected
    try:
        writer.write(_written(platform, request, CLOSE))
        async with asyncio.timeout(PATIENCE):
            while chunk := await reader.read(65536):
                received += chunk
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
    return _behind_the_head(bytes(received))


async def answers_in_turn(platform: Client, requests: Iterable[Request]) -> list[Answer]:
    """Ask one after the other on one connection, and answer what comes while the peer keeps it."""
    found: list[Answer] = []
    connected = await _connected(platform)
    if connected is None:
        return found
    reader, writer = connected
    try:
        async with asyncio.timeout(PATIENCE):
            for request in requests:
                await heard.send(writer, _written(platform, request))
                found.append(await _answer(reader))
                if not found[-1].is_kept:
                    break
    except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError):
        pass  # It was closed, as it may be, or is slow.
    finally:
        writer.close()
    return found


async def ask_and_leave(platform: Client, request: Request) -> bool:
    """Ask, and leave after as long as the request says; answer whether anybody was there."""
    connected = await _connected(platform)
    if connected is None:
        return False
    _, writer = connected
    try:
        writer.write(_written(platform, request))
        await writer.drain()
        await _wait(request.leaves_after or 0)
    except OSError:
        pass  # It was closed before, as it may be.
    finally:
        writer.close()
    return True


async def _wait(seconds: float) -> None:
    """Wait to a fraction of a millisecond, to which the sleep of a loop is rounded up."""
    until = time.monotonic() + seconds
    if seconds > FINE:
        await asyncio.sleep(seconds - FINE)
    _wait_until(until)


def _wait_until(end: float) -> None:
    """Hold the loop up for a moment, in which it has nothing else to do."""
    time.sleep(max(end - time.monotonic(), 0))


async def _connected(
    platform: Client,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    if platform.is_in_process:
        return None
    parts = urlsplit(platform.url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if context else 80)
    try:
        return await heard.connect(parts.hostname or "", port, context)
    except OSError:
        return None


def _written(platform: Client, request: Request, more: Iterable[str] = ()) -> bytes:
    parts = urlsplit(platform.url)
    path = f"{parts.path.rstrip('/')}{request.path}"
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {parts.netloc}", *more]
    lines.append("Accept-Encoding: identity")
    if request.credential.header:
        lines.append(f"Authorization: {request.credential.header}")
    body = request.body or b""
    if request.is_chunked:
        lines += ["Content-Type: application/json", "Transfer-Encoding: chunked"]
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    elif request.body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _behind_the_head(received: bytes) -> bytes:
    """Answer what follows the head of the final answer, before which others may come (1xx)."""
    head, _, rest = received.partition(b"\r\n\r\n")
    while re.match(rb"HTTP/\S+ 1\d\d", head):
        head, _, rest = rest.partition(b"\r\n\r\n")
    return rest


async def _answer(reader: asyncio.StreamReader) -> Answer:
    """Read the final answer to a request that is no HEAD."""
    head = await _head(reader)
    first, *lines = head.decode("latin-1").split("\r\n")
    begins = re.match(r"HTTP/1\.([01]) (\d{3})\b", first)
    if begins is None:
        return Answer(0, head, is_kept=False)
    status = int(begins[2])
    if 100 <= status < 200:
        return await _answer(reader)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
    is_kept = begins[1] == "1" and "close" not in headers.get("connection", "")
    if status in {204, 304}:
        return Answer(status, b"", is_kept)
    return Answer(status, *await _body(reader, headers, is_kept=is_kept))


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of a head, or what comes instead of one."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        # A server answers what it takes for a request of HTTP 0.9 without a head.
        if not ended.partial or ended.partial.startswith(b"HTTP/"):
            raise
        return ended.partial


async def _body(
    reader: asyncio.StreamReader, headers: Mapping[str, str], *, is_kept: bool
) -> tuple[bytes, bool]:
    if "chunked" in headers.get("transfer-encoding", ""):
        chunks = []
        while size := int((await reader.readline()).partition(b";")[0], 16):
            chunks.append(await reader.readexactly(size))
            await reader.readline()
        while (await reader.readline()).strip():
            pass
        return b"".join(chunks), is_kept
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"])), is_kept
    return await reader.read(), False
