"""The process that serves one platform on a file, kills it when it is told to, and serves it anew.

It imports the platform once, and serves it in a fork: what was killed is back at once. It ends,
with the platform and the folder, when whoever has started it does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionstore_contract import names
from sessionstore_contract.port import bound
from sessionstore_contract.storage import uvicorn_service

if TYPE_CHECKING:
    from collections.abc import Callable

READY = b"ready"


class Keeper:
    """Keeps the port, and the process that serves the platform on it."""

    def __init__(self, make_app: Callable[[str], Any], file: str) -> None:
        self._make_app = make_app
        self._file = file
        # Bound and not listening: between two processes nobody answers there, and nobody else may.
        self._reservation = bound(0)
        self.port: int = self._reservation.getsockname()[1]
        self._process: int | None = None
        self._lifeline: int | None = None

    def start(self) -> str:
        """Serve, and answer `ready`, or else why it can't be done."""
        hearing, telling = os.pipe()
        watching, self._lifeline = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(hearing)
            os.close(self._lifeline)
            _serve(lambda: self._make_app(self._file), self.port, watching, telling)
        os.close(telling)
        os.close(watching)
        with os.fdopen(hearing, "rb") as told:
            return told.read().decode() or "its process ended"

    def kill(self) -> None:
        """Stop it without warning; may be called again."""
        process, self._process = self._process, None
        if process is not None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def _serve(make_app: Callable[[], Any], port: int, watching: int, telling: int) -> None:
    """Serve in this process, until it is killed or its keeper is gone."""

    def watch() -> None:
        os.read(watching, 1)
        os._exit(0)

    async def serve() -> None:
        await uvicorn_service.start(make_app, bound(port))
        os.write(telling, READY)
        os.close(telling)
        await asyncio.Event().wait()

    try:
        # What it is told is for the keeper.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        threading.Thread(target=watch, daemon=True).start()
        asyncio.run(serve())
    except BaseException as error:  # noqa: BLE001 - whatever it was, it is told
        with suppress(OSError):
            os.write(telling, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def main() -> None:
    """Serve what is named: a function that makes the platform, and a folder for its file."""
    maker, folder = sys.argv[1:3]
    said = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    keeper = None
    try:
        keeper = Keeper(names.find(maker), os.path.join(folder, "platform"))  # noqa: PTH118 - a text
        said.write(f"{keeper.start()} {keeper.port}\n")
        for _ in sys.stdin.buffer:
            keeper.kill()
            said.write(f"{keeper.start()} {keeper.port}\n")
    except names.NotFoundError as error:
        said.write(f"{error}\n")
    finally:
        if keeper is not None:
            keeper.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
