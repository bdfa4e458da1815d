"""Serves an application on a port, on a thread of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionstore_contract.storage import uvicorn_service
from sessionstore_contract.storage.platform import listener
from sessionstore_contract.storage.service_loop import ServiceLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def on_a_port(make_app: Callable[[], Any]) -> Iterator[str]:
    """Make the application on its loop, serve it, and answer its URL."""
    services = ServiceLoop()
    with listener() as socket:
        server = services.run(uvicorn_service.start(make_app, socket))
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            services.run(uvicorn_service.stop(server))
            services.close()
