"""Connections end with the answers that are given after a process was asked to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from sessionstore_contract.parting import STOPPING, Parting

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Take the signals as a server does, and list them."""
    numbers: list[int] = []
    before = {one: signal.signal(one, lambda number, _: numbers.append(number)) for one in STOPPING}
    yield numbers
    for one, handler in before.items():
        signal.signal(one, handler)


def headers_of(app: Any) -> list[tuple[bytes, bytes]]:
    """Ask once, and answer the headers of the answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http"}, None, send))
    found: list[tuple[bytes, bytes]] = sent[0]["headers"]
    return found


async def answering(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("number", STOPPING)
def test_after_the_signal_an_answer_ends_its_connection(heard: list[int], number: int) -> None:
    """A connection that the server did not know of when it began to stop is not served on."""
    app = Parting(answering)
    assert headers_of(app) == [(b"a", b"b")]

    signal.raise_signal(number)

    assert headers_of(app) == [(b"a", b"b"), (b"connection", b"close")]
    assert heard == [number]
