"""The HTTP store's conversation with one peer: made late, bounded in time, closed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import anyio

from reference_backends.http_answer import (
    ACCEPTED,
    MAX_ANSWER_BYTES,
    Answer,
    check_length,
    is_success,
)
from reference_backends.http_by_httpx import HttpxClient, LentClient, new_client
from reference_backends.http_url import check_url, in_ascii
from reference_backends.rest import error_code
from reference_backends.secrecy import Redaction, check_token
from reference_backends.tracing import carried
from sessionstore_contract.interface import (
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractContextManager

    import httpx

    from reference_backends.http_engine import AiohttpClient

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""By their names: httpx is imported only by who uses it, and what is not httpx says the same."""


@dataclass(frozen=True)
class Reply:
    """What the peer answered, with the request for messages about it."""

    asked: str
    status: int
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of an error of the platform, None for what is not one."""
        return error_code(self.body)


class _Failure(NamedTuple):
    what: str
    is_unsent: bool


Outcome: TypeAlias = Answer | _Failure

Client: TypeAlias = "HttpxClient | AiohttpClient"

Token = str | Callable[[], str | None] | None
"""A bearer token, or what answers that of the call under way when it is called in its context."""


class Connection:
    """One HTTP client for all operations of a store, in the event loop of its first use."""

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        client: httpx.AsyncClient | None,
        transport: httpx.AsyncBaseTransport | None,
        timeout: float,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.url = check_url(url)
        self._address = in_ascii(self.url)
        self._token = check_token(token) if isinstance(token, str) else token
        self._is_lent = client is not None
        self._client: Client | None = None if client is None else _lent(client, token)
        self._transport = transport
        self._timeout = timeout
        self._max_answer_bytes = check_length(max_answer_bytes)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._redaction: Redaction | None = None
        self._under_way: dict[asyncio.Task[Outcome], anyio.CancelScope] = {}
        self._is_closed = False

    def deadline(self) -> float:
        """Answer the time of the loop by which an operation that begins now has to end."""
        return asyncio.get_running_loop().time() + self._timeout

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        by: float | None = None,
        is_repeatable: bool = True,
    ) -> Reply:
        """Send one request, with JSON text as its body, and answer what came back.

        Raises:
            StoreUnavailableError: no whole answer came by the deadline `by`, or it was too long.
            StoreClosedError: the store was closed before or meanwhile.
        """
        client = self._open_client()
        # In the caller's context, before anything is awaited: a token belongs to one call.
        headers = self._headers()
        asked = f"{method} {self.url}{path if len(path) <= 120 else path[:120] + '...'}"
        scope = anyio.CancelScope(deadline=self.deadline() if by is None else by)
        exchange = asyncio.create_task(
            self._exchange(scope, client, method, path, body, headers=headers)
        )
        self._under_way[exchange] = scope
        exchange.add_done_callback(self._under_way.pop)
        try:
            outcome = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            # By its scope: httpcore shields its tidying from anyio's cancellation only. One of
            # asyncio's that falls into it costs a slot of the pool for good.
            scope.cancel()
            await asyncio.wait({exchange})
            raise
        if not isinstance(outcome, _Failure):
            return self._reply(asked, outcome, is_repeatable=is_repeatable)
        # Not chained to the library's exception: it may quote the peer, and the peer the token.
        if self._is_closed:
            raise StoreClosedError(f"{asked}: the store was closed before the answer came")
        raise StoreUnavailableError(
            f"{asked} failed: {outcome.what}", is_retry_safe=outcome.is_unsent or is_repeatable
        )

    def _reply(self, asked: str, answer: Answer, *, is_repeatable: bool) -> Reply:
        status, content = answer
        if content is None and is_success(status):
            raise StoreUnavailableError(
                f"{asked} answered {status} with more than {self._max_answer_bytes} bytes:"
                " a longer answer takes a greater max_answer_bytes",
                is_retry_safe=is_repeatable,
            )
        # A failure of so many words is one of its status alone.
        return Reply(asked, status, content or b"")

    async def _exchange(
        self,
        scope: anyio.CancelScope,
        client: Client,
        method: str,
        path: str,
        body: bytes | None,
        *,
        headers: dict[str, str],
    ) -> Outcome:
        with scope, self._redacting(headers):
            try:
                return await client.request(
                    method,
                    self._address + path,
                    content=body,
                    headers=headers,
                    most=self._max_answer_bytes,
                    # A redirect may lead anywhere, and the token would go there too.
                    follow_redirects=False,
                    # The scope bounds the whole; these would be for each step of it.
                    timeout=None,
                )
            except Exception as found:  # noqa: BLE001 - a transport raises what it likes
                name = type(found).__name__
                return _Failure(name, is_unsent=name in _NEVER_SENT)
        return _Failure(f"no answer within {self._timeout:g} s", is_unsent=False)

    async def close(self) -> None:
        """End what is under way, then close the client unless it was lent."""
        self._is_closed = True
        try:
            await self._end()
        finally:
            if self._redaction is not None:
                self._redaction.lift()

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        if self._client is None:
            return
        if self._loop is not loop:
            # Its loop is gone, and took the connections with it; what holds them may complain.
            forget = getattr(self._client, "forget", None)
            if forget is not None and self._loop is not None and self._loop.is_closed():
                await forget()
            return
        for scope in self._under_way.values():
            scope.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                if self._under_way:
                    await asyncio.wait(tuple(self._under_way))
                if not self._is_lent:
                    await self._client.aclose()

    def _token_of_the_call(self) -> str | None:
        token = self._token
        if token is None or isinstance(token, str):
            return token
        given = token()
        return None if given is None else check_token(given)

    def _headers(self) -> dict[str, str]:
        # For each request, never on the client: a lent one may serve others too.
        headers = {
            "accept": "application/json",
            "accept-encoding": ACCEPTED,
            "content-type": "application/json",
        }
        headers |= carried.get({})
        token = self._token_of_the_call()
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return headers

    def _redacting(self, headers: dict[str, str]) -> AbstractContextManager[None]:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return self._redaction.of(token) if token and self._redaction else nullcontext()

    def _open_client(self) -> Client:
        # Without an await in it, so that many first uses make one client.
        if self._is_closed:
            raise StoreClosedError("the store was closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            if self._token is not None:
                self._redaction = Redaction(self._token if isinstance(self._token, str) else None)
        elif self._loop is not loop:
            # Pooled connections belong to the loop they were made in, and hang in another one.
            raise SessionStoreError("the store is used in another event loop: open one for each")
        if self._client is None:
            self._client = _new_client(self._address, self._transport)
        return self._client


def _lent(client: httpx.AsyncClient, token: Token) -> HttpxClient:
    # Of one who hands over no token the client is used as it is. Its cookies are kept beside one
    # token, which is always the same, and never where each call has its own.
    if token is None:
        return HttpxClient(client)
    return LentClient(client, keeps_cookies=isinstance(token, str))


def _new_client(url: str, transport: httpx.AsyncBaseTransport | None) -> Client:
    if transport is None:
        try:
            from reference_backends.http_engine import AiohttpClient  # noqa: PLC0415
        except ImportError:
            pass
        else:
            return AiohttpClient(_ssl_context() if url.startswith("https:") else None)
    return new_client(transport, _ssl_context())


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    import httpx  # noqa: PLC0415

    # Reading the certificates takes longer than everything else about a client.
    return httpx.create_ssl_context()
