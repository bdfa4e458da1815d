"""The platform as the harness sees it: each request is an ask that the history remembers."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..capabilities import Capability
from ..expect import NothingFound
from ..values import are_equal
from .exchange import ANONYMOUS, WORKED, Credential, Exchange, ExchangeFailed, Request

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Generator

    import httpx

    from ..effort import Effort
    from ..interface import Json

SESSIONS = "/v1/sessions"

AT_ONCE = 10
"""Requests that are sent at once where there are many, and none of them is judged for that."""

CHUNK = 65_536
"""Bytes of a chunk, where a body is sent in chunks."""

_UNREACHABLE = frozenset({"ConnectError", "ConnectTimeout"})
"""Exceptions of httpx, which is imported by who asks: `list` must not wait for it."""


def path_of(session_id: str, more: str = "") -> str:
    """Answer the path of a session: the id is one segment, whatever it holds."""
    return f"{SESSIONS}/{quote(session_id, safe='')}{more}"


class Client:
    """Asks one platform, on behalf of one clause."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        capabilities: frozenset[Capability],
        effort: Effort,
        seed: random.Random,
        credential: Credential = ANONYMOUS,
        reader: Credential | None = None,
        body_limit: int | None = None,
        is_disposable: bool = False,
        is_in_process: bool = False,
        timeout: float = 10.0,
    ) -> None:
        self.url = url
        self.capabilities = capabilities
        self.effort = effort
        self.random = seed
        self.credential = credential
        self.reader = reader
        """A credential with the right to read and no other, where the platform knows such."""
        self.body_limit = body_limit
        """Bytes of the largest body that the platform says it takes."""
        self.is_disposable = is_disposable
        """Whether idle sessions of anybody may be removed."""
        self.is_in_process = is_in_process
        self.exchanges: list[Exchange] = []
        self.notes: list[str] = []
        self._http = http
        self._timeout = timeout
        self._made: dict[str, None] = {}

    # requests -----------------------------------------------------------------------------------

    def create(self, session_id: Json = None, **more: Any) -> Ask:
        body = {} if session_id is None else {"session_id": session_id}
        if isinstance(session_id, str):
            self._made.setdefault(session_id)
        return self.ask("POST", SESSIONS, body, **more)

    def get(self, session_id: str, **more: Any) -> Ask:
        return self.ask("GET", path_of(session_id), **more)

    def put(self, session_id: str, messages: Json, **more: Any) -> Ask:
        self._made.setdefault(session_id)
        return self.ask("PUT", path_of(session_id), {"messages": messages}, **more)

    def patch(self, session_id: str, cost_data: Json, **more: Any) -> Ask:
        self._made.setdefault(session_id)
        return self.ask("PATCH", path_of(session_id), {"cost_data": cost_data}, **more)

    def cost_data(self, session_id: str, **more: Any) -> Ask:
        return self.ask("GET", path_of(session_id, "/cost_data"), **more)

    def head(self, session_id: str, **more: Any) -> Ask:
        return self.ask("HEAD", path_of(session_id), **more)

    def delete(self, session_id: str, **more: Any) -> Ask:
        return self.ask("DELETE", path_of(session_id), **more)

    def delete_before(self, cutoff: str, **more: Any) -> Ask:
        return self.ask("DELETE", f"{SESSIONS}?inactive_since={quote(cutoff, safe='')}", **more)

    def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        raw: bytes | None = None,
        credential: Credential | None = None,
        is_chunked: bool = False,
        if_none_match: str = "",
    ) -> Ask:
        """Make any request; `raw` is a body that no JSON library would write.

        In chunks, it does not announce its length. It carries the platform's own credential
        unless another is given, and may have the ETag of an answer that is known.
        """
        content = raw if raw is not None or body is None else json.dumps(body).encode()
        asked = Request(method, path, content, credential or self.credential, is_chunked)
        return Ask(self, replace(asked, if_none_match=if_none_match))

    # what a clause is lent ----------------------------------------------------------------------

    def can(self, capability: Capability) -> bool:
        """Answer whether the platform claims the capability."""
        return capability in self.capabilities

    def new_id(self) -> str:
        """Make an id that no session of anybody has."""
        made = str(uuid.uuid4())
        self._made.setdefault(made)
        return made

    def remember(self, session_id: str) -> None:
        """Note a session that the platform made for us, to remove it in the end."""
        self._made.setdefault(session_id)

    def note(self, text: str) -> None:
        """Put a remark beside the verdict."""
        if text not in self.notes:
            self.notes.append(text)

    def rewind(self, length: int) -> None:
        """Forget the exchanges from there on: a case that held is not part of the next one."""
        del self.exchanges[length:]

    async def begin_with(
        self, messages: list[Json] | None = None, cost_data: dict[str, Json] | None = None
    ) -> str:
        """Make a session with these, and make sure that they can be read; answer its id."""
        session = self.new_id()
        await self.put(session, [] if messages is None else messages)
        if cost_data is not None:
            await self.patch(session, cost_data)
        await self.make_sure(session, messages or [], cost_data or {})
        return session

    async def make_sure(
        self, session: str, messages: list[Json], cost_data: dict[str, Json]
    ) -> None:
        """Make sure of what a session holds; where it holds another, another clause says so."""
        found = await self.get(session)
        if not are_equal(found.member("messages"), messages, kinds_of_numbers=False):
            raise ExchangeFailed(found)
        if self.can(Capability.COST_READ):
            found = await self.cost_data(session)
            if not are_equal(found.member("cost_data"), cost_data, kinds_of_numbers=False):
                raise ExchangeFailed(found)

    async def clean_up(self) -> None:
        """Remove every session that was made here; what can't be removed is left."""
        made = list(self._made)
        for start in range(0, len(made), AT_ONCE):
            requests = (
                Request("DELETE", path_of(session), credential=self.credential)
                for session in made[start : start + AT_ONCE]
            )
            await asyncio.gather(
                *(self.send(Exchange(0, one, is_judged=False)) for one in requests)
            )

    async def send(self, exchange: Exchange) -> None:
        """Send the request of an exchange, and note what comes of it; never raises."""
        request = exchange.request
        headers: dict[str, str] = {"accept": "application/json"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        if request.credential.header:
            headers["authorization"] = request.credential.header
        if request.if_none_match:
            headers["if-none-match"] = request.if_none_match
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._http.request(
                    request.method,
                    request.path,
                    content=_chunks(request.body) if request.is_chunked else request.body,
                    headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                )
        except TimeoutError:
            exchange.outcome, exchange.error = "failed", f"none within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - a transport raises what it likes
            exchange.outcome, exchange.error = "failed", type(error).__name__
            exchange.is_unreachable = exchange.error in _UNREACHABLE
        else:
            exchange.outcome, exchange.status = "answered", answer.status_code
            exchange.body, exchange.headers = answer.content, answer.headers


async def _chunks(body: bytes | None) -> AsyncIterator[bytes]:
    for start in range(0, len(body or b""), CHUNK):
        yield (body or b"")[start : start + CHUNK]


class Ask:
    """A request that was not sent yet: await it, if it has to work, or hand it to `expect`."""

    def __init__(self, client: Client, request: Request) -> None:
        self.client = client
        self.request = request

    def __await__(self) -> Generator[Any, None, Exchange]:
        return self._worked().__await__()

    async def _worked(self) -> Exchange:
        exchange = await self.perform(is_judged=False)
        if exchange.outcome != "answered" or exchange.status not in WORKED:
            raise ExchangeFailed(exchange)
        return exchange

    async def perform(self, *, is_judged: bool, is_at_once: bool = False) -> Exchange:
        """Send it and answer the exchange, whatever came of it.

        Raises:
            NothingFound: the platform can't be reached, or would not be asked as much.
        """
        client = self.client
        exchange = Exchange(len(client.exchanges) + 1, self.request, is_judged, is_at_once)
        client.exchanges.append(exchange)
        await client.send(exchange)
        if exchange.is_unreachable:
            raise NothingFound(f"the platform can't be reached: {exchange.error}")
        is_busy = exchange.status == 503 and "retry-after" in exchange.headers
        if exchange.status == 429 or is_busy:
            raise NothingFound(f"the platform answered {exchange.status}: it limits the rate")
        return exchange


async def at_once(*asks: Ask) -> list[Exchange]:
    """Send all requests at once and answer the exchanges in the order given."""
    return await asyncio.gather(*(ask.perform(is_judged=True, is_at_once=True) for ask in asks))
