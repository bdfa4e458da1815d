"""A server that repeats what it was told, secrets and all, as a helpful error message does."""

from __future__ import annotations

import asyncio
import struct
from enum import StrEnum
from typing import TYPE_CHECKING

from .port import Port

if TYPE_CHECKING:
    import socket

MOST = 2**16
"""Bytes of a question that are read and repeated."""


class Manner(StrEnum):
    """How the server answers; each manner repeats the question."""

    REFUSING = "refusing"
    """As a server that does not let in: 401, or a wrong password."""
    FAILING = "failing"
    """As a server that has failed: 500, or an internal error."""
    RUBBISH = "rubbish"
    """As no server of that kind: the question comes back as the beginning of an answer."""


class Echo:
    """Answers HTTP and the start of a PostgreSQL conversation, from a port of its own."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._port = Port(self._converse)
        self.number = self._port.number
        self._port.open()

    def close(self) -> None:
        """Give the port back; may be called again."""
        self._port.close()

    async def _converse(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            question = await loop.sock_recv(client, MOST)
            if question[:1] == b"\0":
                await self._answer_postgres(client, question)
            elif question:
                question = await _whole_request(client, question)
                await loop.sock_sendall(client, self._http(question))
            client.shutdown(1)
            # Closing before the other side has would take back what it has not read yet.
            while await loop.sock_recv(client, MOST):
                pass

    async def _answer_postgres(self, client: socket.socket, question: bytes) -> None:
        """Ask for the password in clear, and repeat it."""
        loop = asyncio.get_running_loop()
        while _code(question) in _ENCRYPTION:
            await loop.sock_sendall(client, b"N")
            question = await loop.sock_recv(client, MOST)
        if not question:
            return
        await loop.sock_sendall(client, b"R" + struct.pack(">ii", 8, 3))
        said = question[8:] + await loop.sock_recv(client, MOST)
        repeated = b"you said: " + said.replace(b"\0", b" ")
        if self._manner is Manner.RUBBISH:
            await loop.sock_sendall(client, repeated)
            return
        state = b"28P01" if self._manner is Manner.REFUSING else b"XX000"
        fields = {b"S": b"FATAL", b"C": state, b"M": repeated, b"D": repeated}
        body = b"".join(name + value + b"\0" for name, value in fields.items()) + b"\0"
        await loop.sock_sendall(client, b"E" + struct.pack(">i", len(body) + 4) + body)

    def _http(self, question: bytes) -> bytes:
        line = b" ".join(question.split())[:4000]
        if self._manner is Manner.RUBBISH:
            return b"HTTP/1.1 " + line + b"\r\n\r\n"
        status = b"401" if self._manner is Manner.REFUSING else b"500"
        return (
            b"HTTP/1.1 " + status + b" you said: " + line + b"\r\nx-you-said: " + line + b"\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(question) + question
        )


_ENCRYPTION = {80877103, 80877104}
"""The codes by which a client of PostgreSQL asks for TLS or GSSAPI first."""


def _code(question: bytes) -> int:
    return int.from_bytes(question[4:8], "big")


async def _whole_request(client: socket.socket, question: bytes) -> bytes:
    """Read the head of an HTTP request to its end, with what came of its body."""
    loop = asyncio.get_running_loop()
    while b"\r\n\r\n" not in question and len(question) < MOST:
        more = await loop.sock_recv(client, MOST)
        if not more:
            break
        question += more
    return question
