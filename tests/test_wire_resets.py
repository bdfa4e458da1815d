"""A peer that resets the connection after it has answered: what it said is heard all the same."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstore_contract.wire import bare
from sessionstore_contract.wire.exchange import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
MISREAD = b"HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n"
MORE_THAN_IS_SENT_AT_ONCE = b"x" * 2**25


@contextmanager
def answering(said: bytes) -> Iterator[Any]:
    """Serve one connection: read the head, answer, and close it with the body unread."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(4096)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield cast("Any", SimpleNamespace(url=url, is_in_process=False))
        thread.join()


@pytest.mark.parametrize(
    ("said", "statuses"), [(REFUSED + MISREAD, [413, 414]), (REFUSED, [413]), (b"", [])]
)
async def test_what_was_answered_before_a_reset_is_heard(said: bytes, statuses: list[int]) -> None:
    """To the body, which nobody reads; and nothing is made up where nothing was said."""
    asked = [Request("PUT", "/", MORE_THAN_IS_SENT_AT_ONCE), Request("GET", "/")]
    with answering(said) as platform:
        answers = await bare.answers_in_turn(platform, asked)
    assert [one.status for one in answers] == statuses
