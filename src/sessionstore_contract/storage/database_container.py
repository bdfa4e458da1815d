"""One PostgreSQL server in a container, published on 127.0.0.1 alone, and removed with its data."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sessionstore_contract.storage.abandoned import KEEPER, is_abandoned, this_process
from sessionstore_contract.storage.installation import ServerFailedError

# The kit's keeper removes the container. The reaper would be one more image to be fetched, and
# a container that is given the engine's socket; who wants it sets the variable to false.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

import asyncpg
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

if TYPE_CHECKING:
    from pathlib import Path

READY_TIMEOUT = 120.0
"""Seconds for a server that was started to answer a query; the first time it makes its data."""

SETTINGS = {
    "max_connections": "200",
    # Nothing is kept after the run, so nothing waits for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    # Not UTC, under which a store that keeps the server's local time is right; worded so that no
    # file of zones is needed.
    "TimeZone": "<+0545>-5:45",
}

LOCAL = ("localhost", "127.0.0.1", "::1")

ENGINE_ERRORS = (DockerException, RequestException, OSError)


class DatabaseContainer:
    """A server in a container of an image that takes the variables of the official one."""

    def __init__(self, image: str, folder: Path) -> None:
        self._image = image
        # Written down before there is a container: whoever finds the folder can remove it.
        self._name = f"sessionstore-{secrets.token_hex(8)}"
        (folder / "container").write_text(self._name)
        self._password = secrets.token_hex(16)
        self._port = 0
        self._container: Any = None

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Make the container and start it; return when the server answers a query.

        Raises:
            ServerFailedError: it did not start; the message says in one line why.
        """
        client = _engine()
        _remove_abandoned(client)
        for attempts_left in reversed(range(5)):
            self._port = _free_port()
            try:
                self._made().start()
                break
            except ImageNotFound:
                raise ServerFailedError(f"there is no image {self._image}") from None
            except ENGINE_ERRORS as error:
                self.stop()
                # Somebody else was quicker to take the port.
                if attempts_left and "port is already allocated" in str(error):
                    continue
                raise ServerFailedError(self._refusal(error)) from None
        self._wait_until_ready()

    def stop(self) -> None:
        """Remove the container and its data, if there is one."""
        _remove(self._name)

    def crash(self) -> None:
        """Kill the server and start it again at the same address.

        Raises:
            ServerFailedError: it did not come back; the message says in one line why.
        """
        try:
            container = self._container.get_wrapped_container()
            container.kill("SIGQUIT")  # the server's word for: at once
            container.wait()
            container.start()
        except ENGINE_ERRORS as error:
            raise ServerFailedError(self._refusal(error)) from None
        self._wait_until_ready()

    def _made(self) -> DockerContainer:
        container = DockerContainer(self._image).with_name(self._name)
        container.with_env("POSTGRES_PASSWORD", self._password)
        container.with_command(["postgres", *_options()])
        container.with_kwargs(labels={KEEPER: this_process()})
        # with_bind_ports takes no address, and without one the whole network could connect.
        container.ports["5432/tcp"] = ("127.0.0.1", self._port)  # type: ignore[assignment]
        self._container = container
        return container

    def _wait_until_ready(self) -> None:
        # The port of a container is open long before: only an answer shows that it is ready.
        deadline = time.monotonic() + READY_TIMEOUT
        while not asyncio.run(_answers(self.dsn)):
            container = self._container.get_wrapped_container()
            container.reload()
            if container.status == "exited":
                raise ServerFailedError(f"the container of {self._image} ended: {self._said()}")
            if time.monotonic() > deadline:
                raise ServerFailedError(
                    f"nothing answered at 127.0.0.1:{self._port} for {READY_TIMEOUT:.0f} s, where "
                    "the engine of another machine or container can't be reached; "
                    f"the container said last: {self._said()}"
                )
            time.sleep(0.1)

    def _refusal(self, error: Exception) -> str:
        said = getattr(error, "explanation", None) or str(error)
        if isinstance(error, APIError) and self._password in said:
            said = said.replace(self._password, "***")
        return f"the container engine refuses {self._image}: {' '.join(str(said).split())}"

    def _said(self) -> str:
        lines = self._container.get_wrapped_container().logs(tail=20).decode(errors="replace")
        return next((line for line in reversed(lines.splitlines()) if line.strip()), "nothing")


def engine_version() -> str:
    """Answer for example `28.2.2`.

    Raises:
        ServerFailedError: none answers; the message says in one line why.
    """
    client = _engine(timeout=5).client
    try:
        return str(client.version()["Version"])
    finally:
        client.close()


def remove_container_of(folder: Path) -> None:
    """Remove the container whose keeper was killed, and which kept this folder."""
    with suppress(OSError):
        _remove((folder / "container").read_text())


def _engine(**options: Any) -> DockerClient:
    _refuse_other_machines()
    try:
        client = DockerClient(**options)
    except ENGINE_ERRORS as error:
        reason = _reason(error)
    else:
        _refuse_other_machines()  # testcontainers has settings of its own, and says so there
        return client
    _collect()
    raise ServerFailedError(f"no container engine answers: {reason}")


def _collect() -> None:
    """Close the socket that the engine's client could not connect, and has left open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _reason(error: BaseException) -> str:
    """Word what the system said, which the clients wrap in several layers of their own."""
    inner = [error.__cause__ or error.__context__, *error.args]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({os.environ.get('DOCKER_HOST') or 'the default address'})"
    for one in inner:
        if isinstance(one, BaseException):
            return _reason(one)
    return " ".join(str(error).split())


def _refuse_other_machines() -> None:
    address = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if address.scheme in {"tcp", "http", "https", "ssh"} and address.hostname not in LOCAL:
        raise ServerFailedError(
            f"the container engine is on {address.hostname}, and the server would listen on "
            "that machine's 127.0.0.1 only"
        )


def _remove(name: str) -> None:
    with suppress(ServerFailedError, *ENGINE_ERRORS):
        client = _engine().client
        try:
            client.containers.get(name).remove(force=True, v=True)
        except NotFound:
            pass
        finally:
            client.close()


def _remove_abandoned(client: DockerClient) -> None:
    """Remove what keepers have left that were killed together with all their clients."""
    with suppress(*ENGINE_ERRORS):
        for container in client.client.containers.list(
            all=True, filters={"label": KEEPER}, ignore_removed=True
        ):
            if is_abandoned(container.labels[KEEPER]):
                _remove(container.id)


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        return bool(await connection.fetchval("SELECT 1") == 1)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return False
    finally:
        connection.terminate()


def _options() -> list[str]:
    return [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
