"""Platforms: REST services on ports of their own, each over a fresh store in memory."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Any, NoReturn

from sessionstore_contract.storage import OwnServer, StorageUnavailableError
from sessionstore_contract.storage.own_platform import own_platform
from sessionstore_contract.storage.service_loop import ServiceLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

GROUP = "sessionstore_contract.platforms"
"""The entry points that make a platform: each, called with nothing, answers an ASGI application."""

ON_A_FILE = "-on-a-file"
"""After a platform's name: the entry point that makes it with a path, where it keeps what it is
told; from one process to the next, and whatever became of the first."""

_EXTRA = "pip install 'sessionstore-contract[platform]'"


class PlatformStorage:
    """Places are URLs of platforms on 127.0.0.1, served on a thread of the kit.

    A store under trial may block its event loop: its platform goes on answering.
    """

    name = "platform"

    def __init__(self, platform: str = "reference") -> None:
        self._platform = platform
        self._services = ServiceLoop()
        self._make_app: Callable[[], Any] | None = None
        self._serving: dict[str, Any] = {}

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Serve a new platform on a free port; at the end nothing listens there any more.

        Raises:
            StorageUnavailableError: the platform or its packages are not installed.
        """
        if self._make_app is None:
            self._make_app = find_platform(self._platform)
        try:
            from sessionstore_contract.storage import uvicorn_service  # noqa: PLC0415
        except ImportError as problem:
            raise _lacking(problem) from None
        with listener() as listening:
            server = self._services.run(uvicorn_service.start(self._make_app, listening))
            place = f"http://127.0.0.1:{listening.getsockname()[1]}"
            self._serving[place] = server
            try:
                yield place
            finally:
                del self._serving[place]
                self._services.run(uvicorn_service.stop(server))

    @contextmanager
    def own_server(self) -> Iterator[OwnServer]:
        """Serve a platform on a file, in a process of its own that may be killed.

        Where none is to be had a place as any other is lent, whose `crash` says why.
        """
        with ExitStack() as stack:
            try:
                maker = _entry(self._platform + ON_A_FILE).value
                server = stack.enter_context(own_platform(maker))
            except StorageUnavailableError as error:
                place = stack.enter_context(self.fresh())
                server = OwnServer(place, partial(_raise, error))
            yield server

    def connections(self, place: str) -> int | None:
        """Count the connections that the platform at this place holds open."""
        server = self._serving.get(place)
        return None if server is None else len(server.server_state.connections)

    def server(self) -> str | None:
        """Answer what serves the platforms, None when it is not installed."""
        try:
            return f"uvicorn {version('uvicorn')}"
        except PackageNotFoundError:
            return None

    def close(self) -> None:
        """End the thread that serves the platforms; may be called again."""
        self._services.close()


def listener() -> socket.socket:
    """Answer a socket on a free port of 127.0.0.1."""
    # The protocol is named, unlike in `socket.create_server`: by it asyncio knows that it is TCP
    # and switches off the waiting that costs 40 ms for each answer of two writes.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    return made


def find_platform(name: str) -> Callable[[], Any]:
    """Find what makes a platform of this name.

    Raises:
        StorageUnavailableError: none is installed, or its packages are not.
    """
    try:
        make_app: Callable[[], Any] = _entry(name).load()
    except ImportError as problem:
        raise _lacking(problem) from None
    return make_app


def _entry(name: str) -> EntryPoint:
    # By entry point: the kit tries any platform, and knows none by name.
    for found in entry_points(group=GROUP, name=name):
        return found
    raise StorageUnavailableError(f"no platform {name!r} is installed (entry points {GROUP})")


def _raise(error: Exception) -> NoReturn:
    raise error


def _lacking(problem: ImportError) -> StorageUnavailableError:
    return StorageUnavailableError(f"no platform can be served: {problem}; {_EXTRA}")
