"""A platform in a process of its own, on a file, which can be killed and is back at once."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessionstore_contract.storage import OwnServer, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0
"""Seconds for a platform to be imported and to serve."""


@contextmanager
def own_platform(maker: str) -> Iterator[OwnServer]:
    """Serve what the function of this name makes of the path of a file, on 127.0.0.1.

    At the end neither process, port nor file is left, whatever was killed.

    Raises:
        StorageUnavailableError: it does not start; one line says why.
    """
    folder = tempfile.mkdtemp(prefix="sessionstore-")
    try:
        keeper = _started(maker, folder)
        try:
            port = _served(keeper)
            yield OwnServer(f"http://127.0.0.1:{port}", lambda: _crash(keeper))
        finally:
            _end(keeper)
    finally:
        # The keeper does it as well, but it may have been killed.
        shutil.rmtree(folder, ignore_errors=True)


def _started(maker: str, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        [sys.executable, "-m", "sessionstore_contract.storage.platform_keeper", maker, folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,  # Ctrl-C reaches us, and it ends with us
    )


def _crash(keeper: subprocess.Popen[bytes]) -> None:
    if keeper.stdin is None:
        raise StorageUnavailableError("the platform can't be told to stop")
    try:
        keeper.stdin.write(b"crash\n")
    except OSError:
        raise StorageUnavailableError("the platform's keeper has ended") from None
    _served(keeper)


def _served(keeper: subprocess.Popen[bytes]) -> int:
    """Wait until it serves, and answer its port."""
    said, deadline = b"", time.monotonic() + PATIENCE
    while keeper.stdout is not None and not said.endswith(b"\n"):
        if not select.select([keeper.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise StorageUnavailableError(f"the platform did not serve within {PATIENCE:.0f} s")
        read = keeper.stdout.read(2**16)
        if not read:
            raise StorageUnavailableError("the platform's keeper has ended")
        said += read
    words = said.decode().split()
    if words[0] != "ready":
        raise StorageUnavailableError(f"the platform does not serve: {' '.join(words)}")
    return int(words[-1])


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """Let the keeper end what it keeps, and wait for it."""
    if keeper.stdin is not None:
        keeper.stdin.close()
    try:
        keeper.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    if keeper.stdout is not None:
        keeper.stdout.close()
