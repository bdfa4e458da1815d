"""One ASGI application on one socket: up and down at once, and silent."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


KEEP_ALIVE = 75
"""Seconds that an idle connection is kept, as by most servers. After uvicorn's own five it is gone
before anybody can say that the store has not closed it."""

# Not by settings of uvicorn: those are for the whole process, which may have a uvicorn of its own.
_silent = logging.getLogger(__name__)
_silent.setLevel(logging.CRITICAL + 1)


def _quiet_protocol(*args: Any, **kwargs: Any) -> asyncio.Protocol:
    """Make a protocol that logs nothing: connections are cut in mid-request on purpose here."""
    # httptools where it is installed, which reads and writes a request at half the cost of h11.
    protocol: Any = AutoHTTPProtocol(*args, **kwargs)
    protocol.logger = _silent
    protocol.access_log = False
    return cast("asyncio.Protocol", protocol)


async def start(make_app: Callable[[], Any], listener: socket.socket) -> uvicorn.Server:
    """Serve the application on the socket, until `stop` closes it.

    Not by `Server.serve`: it would take over the process's signals, and looks up only every tenth
    of a second whether it should end, then sleeps as long again.
    """
    config = uvicorn.Config(
        make_app(),
        http=cast("type[asyncio.Protocol]", _quiet_protocol),
        ws="none",
        log_config=None,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    server.lifespan.logger = _silent
    try:
        await server.startup(sockets=[listener])
    except SystemExit:  # would end the thread, and every other platform with it
        raise RuntimeError("the application did not start") from None
    return server


async def stop(server: uvicorn.Server) -> None:
    """Close the port, cut every connection, and cancel the requests under way."""
    # First accept no more, then close: asyncio (3.11) loses the socket of a connection that it has
    # accepted and not yet set up when its server closes, and the client waits for ever. Setting
    # one up takes three turns of the loop.
    for listening in server.servers:
        for listener in listening.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(5):
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
    for listening in server.servers:
        listening.close()
    requests = set(server.server_state.tasks)
    for request in requests:
        request.cancel()
    if requests:
        await asyncio.wait(requests, timeout=5)
    await server.lifespan.shutdown()
