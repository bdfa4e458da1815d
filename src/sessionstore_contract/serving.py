"""A platform over a store that is named by a URL, served by uvicorn until it is asked to stop."""

from __future__ import annotations

import inspect
import json
import os
import signal
import socket
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from .backend import GROUP as BACKENDS
from .backend import Backend
from .names import NotFoundError, find, nearest
from .parting import STOPPING, Parting
from .storage import StorageUnavailableError
from .storage.platform import find_platform

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES: dict[str, tuple[str, bool]] = {
    "memory": ("memory", False),
    "sqlite": ("sqlite", True),
    "postgres": ("postgres", True),
    "postgresql": ("postgres", True),
}
"""By the scheme of the URL: the installed backend, and whether several processes may serve it."""

VARIABLE = "SESSIONSTORE_CONTRACT_SERVING"
"""Carries what is served to the processes that serve it."""

GRACE = 30
"""Seconds that requests under way are given when it is asked to stop."""


KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients and gateways keep theirs. Who closes
first must be the one that sends, or a request meets a connection that is being closed."""


WAY_OUT = "pip install 'sessionstore-contract[platform]'"


class ServingError(Exception):
    """What was asked for can't be served; one line that says why."""


@dataclass(frozen=True)
class Serving:
    """What is served, where, and to whom."""

    store: str
    host: str
    port: int
    workers: int = 1
    platform: str = "reference"
    token_env: str | None = None
    reader_token_env: str | None = None
    body_limit: int | None = None

    def __post_init__(self) -> None:
        name, is_shared = _backend_of(self.store)
        place_of(self.store)
        if self.workers > 1 and not is_shared:
            raise ServingError(f"a store in {name} is in one process: leave out --workers")
        for variable in (self.token_env, self.reader_token_env):
            if variable is not None and not os.environ.get(variable):
                raise ServingError(f"the environment has no variable {variable}, or it is empty")
        if self.token_env is None and not _is_loopback(self.host):
            raise ServingError(
                f"on {self.host} others reach it: say --token-env NAME, or listen on 127.0.0.1"
            )

    @property
    def name(self) -> str:
        """The store's backend; its URL may have a password in it."""
        return _backend_of(self.store)[0]


def place_of(store: str) -> str:
    """Answer what the backend is opened on: `sqlite:///a` is the path `a`, `sqlite:////a` is `/a`.

    Raises:
        ServingError: the URL names no place.
    """
    scheme, _, rest = store.partition("://")
    match _backend_of(store)[0]:
        case "memory":
            return ""
        case "sqlite":
            if not rest.startswith("/") or rest == "/":
                raise ServingError("a store in SQLite is sqlite:///path, or sqlite:////path")
            return rest[1:]
        case _:
            return f"postgresql://{rest}" if scheme == "postgres" else store


def make_app() -> Any:
    """Make the application that `VARIABLE` describes: uvicorn calls this in each process."""
    return Parting(_described())


def _described() -> Any:
    serving = Serving(**json.loads(os.environ[VARIABLE]))
    place = place_of(serving.store)
    opener = _opener(serving.name)
    options: dict[str, Any] = {
        "token": os.environ[serving.token_env] if serving.token_env else None,
        "reader_token": os.environ[serving.reader_token_env] if serving.reader_token_env else None,
        "close_store": True,
    }
    if serving.body_limit is not None:
        options["max_body_bytes"] = serving.body_limit
    make: Any = find_platform(serving.platform)
    return make(opener(place) if place else opener(), **options)


def serve(serving: Serving, say: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT, answer requests under way, and answer the exit code.

    Raises:
        ServingError: it can't be served; one line that says why.
    """
    os.environ[VARIABLE] = json.dumps(asdict(serving))
    try:
        import uvicorn  # noqa: PLC0415 - an extra

        _described()  # a mistake is told here, and not by each worker over and over
    except ImportError as error:
        # A backend's own says already what to install.
        way_out = "" if "pip install" in str(error) else f": {WAY_OUT}"
        raise ServingError(f"{error}{way_out}") from None
    except (NotFoundError, StorageUnavailableError, ValueError) as error:
        raise ServingError(str(error)) from None
    listener = _listening(serving)
    config = uvicorn.Config(
        f"{__name__}:make_app",
        factory=True,
        workers=serving.workers,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
    )
    server = uvicorn.Server(config)
    workers = _workers(config, server, listener) if serving.workers > 1 else None
    if workers is None:
        # From before it is said where it listens: who reads that may ask it to stop at once. What
        # uvicorn has taken for a request to stop it raises again in the end, which does no harm.
        for number in STOPPING:
            signal.signal(number, server.handle_exit)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {serving.name} on http://{shown}:{port} ({_worded(serving.workers)})")
    if workers is not None:
        workers.run()
        return 0
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _workers(config: Any, server: Any, listener: socket.socket) -> Any:
    """Make what starts the worker processes and passes signals on, from here on."""
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - an extra

    takes_target = "target" in inspect.signature(Multiprocess).parameters  # uvicorn before 0.54
    more: dict[str, Any] = {"target": server.run} if takes_target else {}
    return Multiprocess(config, sockets=[listener], **more)


def _worded(workers: int) -> str:
    return f"process {os.getpid()}" if workers == 1 else f"{workers} worker processes"


def _listening(serving: Serving) -> socket.socket:
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    # The protocol is named: by it asyncio knows that it is TCP and switches off the waiting that
    # costs 40 ms for each answer of two writes. It listens from here on: whoever connects before
    # the workers are up waits for them.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((serving.host, serving.port))
        listener.listen(2048)
    except OSError as error:
        raise ServingError(
            f"can't listen on {serving.host}:{serving.port}: {error.strerror or error}"
        ) from None
    listener.set_inheritable(True)
    return listener


def _backend_of(store: str) -> tuple[str, bool]:
    scheme = store.partition("://")[0]
    if scheme not in SCHEMES or (scheme == "memory" and store not in {"memory", "memory://"}):
        # Not the whole of it: it may have a password in it.
        raise ServingError(f"no store {scheme!r}{nearest(scheme, SCHEMES)}")
    return SCHEMES[scheme]


def _opener(name: str) -> Callable[..., Any]:
    for entry in entry_points(group=BACKENDS, name=name):
        backend = find(entry.value)
        if isinstance(backend, Backend):
            return backend.open
    raise ServingError(f"no backend {name!r} is installed")


def _is_loopback(host: str) -> bool:
    return host in {"127.0.0.1", "::1", "localhost"}
