"""Connections that a store leaves open are cut when its clause has been tried."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_backends.memory import MemorySessionStore
from sessionstore_contract import catalogue
from sessionstore_contract.backend import Backend
from sessionstore_contract.effort import EFFORTS
from sessionstore_contract.harness import Conditions, try_clause
from sessionstore_contract.storage.elsewhere import NoStorage
from sessionstore_contract.verdict import Verdict


def test_a_connection_that_was_left_open_is_cut() -> None:
    """Also one that somebody still holds, which no collector of garbage would close."""
    held: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        class ConnectedStore(MemorySessionStore):
            async def create(self, session_id: str | None = None) -> str:
                held.append(await asyncio.open_connection(*listener.getsockname()))
                return await super().create(session_id)

        (clause,) = catalogue.select(["messages.save-then-load"])
        backend = Backend(
            "left", open=ConnectedStore, storage="none", profile="ephemeral", adding=["persistence"]
        )
        found = try_clause(clause, backend, NoStorage(), Conditions(1, EFFORTS["quick"]))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(10)
            said = accepted.recv(1)

    assert found.verdict is Verdict.HELD
    assert held
    assert said == b""
