"""A correct store on a platform, with a token perhaps: what mutants with a server are made from."""

from __future__ import annotations

from typing import ClassVar, Self

import httpx

from reference_backends.http import HttpSessionStore
from reference_backends.http_connection import Connection


class PlatformStore(HttpSessionStore):
    """Talks to a platform by a connection of its own kind."""

    storage: ClassVar[str] = "platform"
    claims: ClassVar[frozenset[str]] = frozenset(
        {"persistence", "cost-read", "retention", "shared", "durable", "faults"}
    )
    connection_kind: ClassVar[type[Connection]] = Connection

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        client: httpx.AsyncClient | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(url, token=token, client=client)
        # Of httpx, as what others write: what it logs, quotes and leaves behind is theirs to know.
        transport = httpx.AsyncHTTPTransport(verify=False)
        self.token = token
        self._connection = self.connection_kind(
            url, token=token, client=client, transport=transport, timeout=timeout
        )

    @classmethod
    def open_bounded(cls, url: str, seconds: float) -> Self:
        return cls(url, timeout=seconds)


class TokenStore(PlatformStore):
    """Takes a token."""

    @classmethod
    def open_with_token(cls, url: str, token: str) -> Self:
        return cls(url, token=token)
