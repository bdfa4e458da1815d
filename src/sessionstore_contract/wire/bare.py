"""A HEAD on a connection of its own: whether bytes follow the head of the answer.

An HTTP library drops such bytes, or takes them for the beginning of the next answer.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .client import Client
    from .exchange import Request

PATIENCE = 2.0
"""Seconds to wait for a peer that does not close the connection as it was asked to."""


async def body_of_head(platform: Client, request: Request) -> bytes:
    """Answer what follows the head of the answer; nothing where that can't be seen.

    An application in this process may answer a HEAD as a GET: servers keep the body to themselves.
    """
    if platform.is_in_process:
        return b""
    parts = urlsplit(platform.url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if context else 80)
    lines = [f"HEAD {parts.path.rstrip('/')}{request.path} HTTP/1.1", f"Host: {parts.netloc}"]
    if request.credential.header:
        lines.append(f"Authorization: {request.credential.header}")
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    except OSError:
        return b""
    received = bytearray()
    try:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        async with asyncio.timeout(PATIENCE):
            while chunk := await reader.read(65536):
                received += chunk
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
    return _behind_the_head(bytes(received))


def _behind_the_head(received: bytes) -> bytes:
    """Answer what follows the head of the final answer, before which others may come (1xx)."""
    head, _, rest = received.partition(b"\r\n\r\n")
    while re.match(rb"HTTP/\S+ 1\d\d", head):
        head, _, rest = rest.partition(b"\r\n\r\n")
    return rest
