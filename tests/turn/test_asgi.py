"""An application that is run as a server runs it."""

from __future__ import annotations

from typing import Any

from sessionstore_contract.turn.asgi import Application


async def remembering(scope: Any, receive: Any, send: Any) -> None:
    """Answer what it has put into the state at its start, and spoil it."""
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = "opened"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    said = scope["state"].pop("pool").encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


async def test_each_request_has_the_state_of_the_start() -> None:
    """Its own copy: what one request does to it the next one does not see."""
    application = Application(remembering)
    await application.start()
    answers = [await application.post("/", {}, b"{}") for _ in range(2)]
    await application.stop()

    assert [(one.status, one.body) for one in answers] == [(200, b"opened")] * 2
