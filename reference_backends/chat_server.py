"""A chat server that speaks as OpenAI's does, keeps each session's history and counts its turns."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from reference_backends.accounting import Accounting
from reference_backends.asking import ask
from reference_backends.chat_events import TextDelta
from reference_backends.chat_turn import AgentError, Turn, Turns
from reference_backends.chat_wording import (
    DONE,
    BadRequestError,
    Wording,
    answer,
    error_answer,
    error_fields,
    event,
    read_request,
)
from reference_backends.figures import UnreadableTotalsError
from reference_backends.null import NullSessionStore
from reference_backends.prices import Price, bill
from sessionstore_contract.interface import InvalidSessionIdError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.types import Send

    from reference_backends.chat_events import Agent
    from reference_backends.chat_wording import ChatRequest
    from reference_backends.figures import Totals
    from sessionstore_contract.interface import Json, SessionStore

_log = logging.getLogger(__name__)

_NO_RETRY = {"x-should-retry": "false"}
"""The agent has been paid for once: OpenAI's clients would have it answer two times more."""


@dataclass(frozen=True)
class Settings:
    """What a server is told beside its store and its agent."""

    model: str = "agent"
    """Named in answers and bills where the agent names none; what a client names is not taken."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """By model. Without any, `/usage` has no dollars."""
    writer: str | None = None
    """The name of this process among several on one store; see Accounting."""
    patience: float = 2.0
    """Seconds that an answer waits for the store, before it and again after it."""
    drain_patience: float = 30.0
    """Seconds that the end of the server waits for turns that are not saved and counted yet: half
    of them for answers and histories, then for what is to be counted."""
    max_body_bytes: int = 16 * 2**20
    turn_id_header: str | None = "x-request-id"
    """Whose value is the turn's id: who sends one twice is billed once, so let your gateway set it.
    None has the server make all ids."""


def create_app(
    store: SessionStore | None, agent: Agent, settings: Settings | None = None
) -> Starlette:
    """Answer an ASGI application for `POST /v1/chat/completions` and `/v1/sessions/{id}/usage`.

    A request with a `session_id` is answered from the session's history, which then has the
    request's messages and the answer in it as well; the turn's usage is counted on the session.
    Without a store nothing is kept. Both stay open when the application ends.
    """
    server = ChatServer(
        NullSessionStore() if store is None else store, agent, settings or Settings()
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await server.drain()

    return Starlette(
        routes=[
            Route("/v1/chat/completions", server.complete, methods=["POST"]),
            # Any id that can be sent: also one with a slash in it, which servers decode.
            Route("/v1/sessions/{session_id:path}/usage", server.usage, methods=["GET"]),
        ],
        exception_handlers={BadRequestError: _refuse, ClientDisconnect: _let_go},
        lifespan=lifespan,
    )


class ChatServer:
    """Answers the requests of one application."""

    def __init__(self, store: SessionStore, agent: Agent, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._accounting = Accounting(store, writer=settings.writer, patience=settings.patience)
        self._turns = Turns(store, agent, self._accounting, patience=settings.patience)

    async def complete(self, request: Request) -> Response:
        """Answer a chat request."""
        asked = read_request(await self._body(request))
        turn = Turn(
            id=self._turn_id(request),
            session_id=asked.session_id,
            asked=asked.messages,
            model=self._settings.model,
        )
        try:
            await self._turns.begin(turn)
        except InvalidSessionIdError:
            raise BadRequestError("no session can have this id", param="session_id") from None
        headers = {"x-request-id": turn.id}
        if asked.is_stream:
            return _Stream(turn, self._streamed(turn, asked), headers)
        return await self._whole(turn, headers)

    async def usage(self, request: Request) -> JSONResponse:
        """Answer what the turns of a session have used."""
        session_id = request.path_params["session_id"]
        try:
            totals = await self._accounting.totals(session_id)
            if not totals.turn_count and not await ask(
                self._store.exists(session_id), self._settings.patience
            ):
                return error_answer(HTTPStatus.NOT_FOUND, "no such session")
        except InvalidSessionIdError:
            raise BadRequestError("no session can have this id", param="session_id") from None
        except NotImplementedError:
            return error_answer(HTTPStatus.NOT_IMPLEMENTED, "the store can't read what it keeps")
        except UnreadableTotalsError as error:
            _log.warning("session %a: %s", session_id, error)
            return error_answer(HTTPStatus.BAD_GATEWAY, "the stored totals can't be read")
        except Exception as error:  # noqa: BLE001 - a store raises anything
            _log.warning("session %a: totals: %s", session_id, type(error).__name__)
            return error_answer(HTTPStatus.SERVICE_UNAVAILABLE, "the store did not answer")
        return answer(worded_totals(session_id, totals, self._settings.prices), {})

    async def drain(self) -> None:
        """See that every turn is saved and counted, within the time that there is."""
        ends = time.monotonic() + self._settings.drain_patience
        await self._turns.drain(self._settings.drain_patience / 2)
        await self._accounting.drain(ends - time.monotonic())

    async def _whole(self, turn: Turn, headers: Mapping[str, str]) -> JSONResponse:
        try:
            async for _ in turn.events():
                pass
        except AgentError:
            await turn.settled(self._settings.patience)
            return error_answer(
                HTTPStatus.BAD_GATEWAY, "the agent failed", headers={**headers, **_NO_RETRY}
            )
        except asyncio.CancelledError:
            turn.cut()
            raise
        await turn.settled(self._settings.patience)
        words = Wording(turn.model)
        return answer(words.whole(turn.text, turn.finish_reason, turn.usage), headers)

    async def _streamed(self, turn: Turn, asked: ChatRequest) -> AsyncIterator[bytes]:
        words = Wording(turn.model, asked.includes_usage)
        yield words.first()
        try:
            async for one in turn.events():
                if isinstance(one, TextDelta) and one.text:
                    yield words.piece(one.text)
        except AgentError:
            yield event(error_fields("the agent failed", "server_error"))
            return
        words.model = turn.model
        yield words.last(turn.finish_reason)
        if asked.includes_usage:
            yield words.usage(turn.usage)
        # Clients close as soon as they read [DONE]: before that the turn is saved and counted.
        await turn.settled(self._settings.patience)
        yield DONE

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._settings.max_body_bytes:
                raise BadRequestError(
                    f"the body has more than {self._settings.max_body_bytes} bytes",
                    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                )
        return bytes(body)

    def _turn_id(self, request: Request) -> str:
        name = self._settings.turn_id_header
        given = request.headers.get(name, "") if name else ""
        # It goes back in a header and into logs.
        return given if re.fullmatch(r"[!-~]{1,200}", given) else uuid.uuid4().hex


class _Stream(StreamingResponse):
    """Server-sent events of one turn; the agent stops when there is nobody to listen."""

    def __init__(
        self, turn: Turn, content: AsyncIterator[bytes], headers: Mapping[str, str]
    ) -> None:
        super().__init__(
            content,
            media_type="text/event-stream",
            # Proxies that buffer would hand out the answer in one piece.
            headers={"cache-control": "no-store", "x-accel-buffering": "no", **headers},
        )
        self._turn = turn

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            self._turn.cut()


def worded_totals(session_id: str, totals: Totals, prices: Mapping[str, Price]) -> dict[str, Json]:
    """Word totals as `/usage` answers them; the dollars are those of today's prices."""
    words: dict[str, Json] = {
        "session_id": session_id,
        **totals.tokens.fields(),
        "turn_count": totals.turn_count,
        "model": totals.model,
        "models": {name: tokens.fields() for name, tokens in sorted(totals.models.items())},
    }
    if prices:
        found = bill(totals, prices)
        words["dollars"] = float(found.dollars)
        words["unpriced"] = found.unpriced.fields()
    return words


async def _refuse(_: Request, refusal: Any) -> JSONResponse:
    return error_answer(refusal.status, str(refusal), param=refusal.param)


async def _let_go(_: Request, __: Exception) -> Response:
    # It left before its body was there: nothing was done, and nobody reads this.
    return Response(status_code=HTTPStatus.BAD_REQUEST)
