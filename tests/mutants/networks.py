"""Correct stores over a network, each of another design: no fault may have them accused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from sessionstore_contract.interface import StoreUnavailableError

from .platform_stores import PlatformStore
from .raw_connection import RawConnection, RawStore

if TYPE_CHECKING:
    from reference_backends.http_connection import Connection, Reply
    from sessionstore_contract.interface import Json


class Retrying(RawConnection):
    """Tries reads again twice, and writes that were not sent, a little later each time."""

    repeated: ClassVar[frozenset[str]] = frozenset({"GET"})

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        for pause in (0.01, 0.05):
            try:
                return await super().ask(method, path, body, **rest)
            except StoreUnavailableError as error:
                if method not in self.repeated and str(error) != "ConnectionRefusedError":
                    raise
                await asyncio.sleep(pause)
        return await super().ask(method, path, body, **rest)

    async def exchange(self, asked: str, request: bytes) -> Reply:
        # A server ends what is idle, and a write on such a connection would not be tried again.
        for streams in [*self.idle]:
            if streams[0].at_eof() or streams[1].is_closing():
                self.idle.remove(streams)
                self.spoilt(streams)
        return await super().exchange(asked, request)


class RetryingStore(RawStore):
    """Tries again by itself."""

    connection_kind: ClassVar[type[Connection]] = Retrying


class Waiting(RawConnection):
    """Waits for a server that is away for as long as an operation may take."""

    def __init__(self, url: str, *, timeout: float, **settings: Any) -> None:
        super().__init__(url, timeout=timeout, **settings)
        self.longest = timeout

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        until = asyncio.get_running_loop().time() + self.longest
        while True:
            try:
                return await super().ask(method, path, body, **rest)
            except StoreUnavailableError as error:
                is_over = asyncio.get_running_loop().time() > until
                if is_over or str(error) != "ConnectionRefusedError":
                    raise
            await asyncio.sleep(0.02)


class WaitingStore(RawStore):
    """Has a pool that goes on trying to connect, as psycopg's does."""

    connection_kind: ClassVar[type[Connection]] = Waiting


class OneForEach(RawConnection):
    """Keeps no connection."""

    async def exchange(self, asked: str, request: bytes) -> Reply:
        reply = await super().exchange(asked, request)
        self.after_failure()
        return reply


class ConnectsForEachOperation(RawStore):
    """Has no connection while it is idle."""

    connection_kind: ClassVar[type[Connection]] = OneForEach


class PatientStore(PlatformStore):
    """Has a time-out of some seconds, which nobody can make shorter."""

    open_bounded = None  # type: ignore[assignment]

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **{**settings, "timeout": 2.0})


class Breaking(RawConnection):
    """Does not try for a while when it has failed three times on end."""

    failures = 0
    until = -1.0

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        now = asyncio.get_running_loop().time()
        if now < self.until:
            raise StoreUnavailableError("it was away a moment ago", is_retry_safe=True)
        try:
            reply = await super().ask(method, path, body, **rest)
        except StoreUnavailableError:
            self.failures += 1
            if self.failures >= 3:
                self.failures, self.until = 0, now + 0.2
            raise
        self.failures = 0
        return reply


class BreakerStore(RawStore):
    """Has a circuit breaker."""

    connection_kind: ClassVar[type[Connection]] = Breaking


class Wary(Retrying):
    """Does not try for a moment whenever it has failed, once."""

    until = -1.0

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        loop = asyncio.get_running_loop()
        if loop.time() < self.until:
            raise StoreUnavailableError("it was away a moment ago", is_retry_safe=True)
        try:
            return await RawConnection.ask(self, method, path, body, **rest)
        except StoreUnavailableError:
            self.until = loop.time() + 0.05
            raise


class WaryStore(RawStore):
    """Has a circuit breaker that opens at the first failure."""

    connection_kind: ClassVar[type[Connection]] = Wary


class Distant(RawConnection):
    """Takes a while to connect, and is given up before that where its time-out is shorter."""

    takes: ClassVar[float] = 0.4
    is_connected = False

    def __init__(self, url: str, *, timeout: float, **settings: Any) -> None:
        super().__init__(url, timeout=timeout, **settings)
        self.longest = timeout

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        if not self.is_connected:
            await asyncio.sleep(min(self.takes, self.longest))
            if self.longest < self.takes:
                raise StoreUnavailableError("no connection in time", is_retry_safe=True)
            self.is_connected = True
        return await super().ask(method, path, body, **rest)


class DistantStore(RawStore):
    """Is far from its server."""

    connection_kind: ClassVar[type[Connection]] = Distant


class HearsLate(RawConnection):
    """What its server sends is under way for a while, the end of a connection too."""

    takes: ClassVar[float] = 0.1
    was_used_at = 0.0

    async def exchange(self, asked: str, request: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        if loop.time() - self.was_used_at > self.takes:
            for streams in [*self.idle]:
                if streams[0].at_eof() or streams[1].is_closing():
                    self.idle.remove(streams)
                    self.spoilt(streams)
        try:
            reply = await super().exchange(asked, request)
            await asyncio.sleep(self.takes)
        finally:
            self.was_used_at = loop.time()
        return reply

    def after_failure(self) -> None:
        """Keep the others: each is looked at before it is used."""


class HearsLateStore(RawStore):
    """Is far from its server, and hears of what is idle before it uses it again."""

    connection_kind: ClassVar[type[Connection]] = HearsLate


class Remembering(PlatformStore):
    """Answers reads from what it has read or written, while the platform does not answer.

    That is what is stored, for nobody else writes there.
    """

    claims: ClassVar[frozenset[str]] = PlatformStore.claims - {"shared"}

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.known: dict[str, list[Json]] = {}

    async def load(self, session_id: str) -> list[Json] | None:
        try:
            found = await super().load(session_id)
        except StoreUnavailableError:
            if session_id in self.known:
                return self.known[session_id]
            raise
        if found is not None:
            self.known[session_id] = found
        return found


class AsksByHead(PlatformStore):
    """Looks for a session by HEAD, whose answer has no body to be checked."""

    async def exists(self, session_id: str) -> bool:
        reply = await self._connection.ask("HEAD", f"/v1/sessions/{session_id}")
        if reply.status not in {200, 404}:
            raise StoreUnavailableError(f"HEAD answered {reply.status}", is_retry_safe=True)
        return reply.status == 200


CORRECT = (
    PlatformStore,
    RawStore,
    RetryingStore,
    ConnectsForEachOperation,
    PatientStore,
    BreakerStore,
    WaryStore,
    WaitingStore,
    Remembering,
    AsksByHead,
)
