"""Correct platforms that are not the reference one: what broken ones are made from."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from urllib.parse import parse_qs, unquote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

Reply = tuple[int, Any]
"""Status and body: plain data, or None for no body."""


@dataclass
class Row:
    """A session; texts, so that nothing is shared with whoever reads or writes."""

    messages: str = "[]"
    costs: str = "{}"
    created: float = 0.0
    active: float = 0.0


class Refused(Exception):  # noqa: N818 - it is the answer
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _no_number(literal: str) -> NoReturn:
    raise ValueError(literal)


class PlainPlatform:
    """An ASGI application by hand, which takes few ids, and words errors in its own way."""

    token: ClassVar[str | None] = "right-token"
    reader: ClassVar[str | None] = "reader-token"
    limit: ClassVar[int] = 100_000
    ids: ClassVar[str] = r"[A-Za-z0-9-]{1,64}"
    is_served: ClassVar[bool] = False
    """Whether it is tried on a socket."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        try:
            status, content = await self.answer(scope, await self.read(receive))
        except Refused as refused:
            status, content = refused.status, self.error(str(refused))
        body = b"" if content is None else self.word(content)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] == "HEAD":
            body = self.body_of_head(body)
        await send({"type": "http.response.body", "body": body})

    def error(self, why: str) -> dict[str, Any]:
        return {"error": why}

    def word(self, content: Any) -> bytes:
        return json.dumps(content).encode()

    def body_of_head(self, body: bytes) -> bytes:
        return b""

    async def read(self, receive: Any) -> bytes:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                return self.within(body)

    def within(self, body: bytes) -> bytes:
        if len(body) > self.limit:
            raise Refused(413, "too large")
        return body

    async def answer(self, scope: Any, body: bytes) -> Reply:
        method = scope["method"]
        self.let_in(method, dict(scope["headers"]))
        parts = self.segments(scope)
        if parts[:2] != ["v1", "sessions"]:
            raise Refused(404, "no such route")
        match method, parts[2:]:
            case "POST", []:
                return await self.post(self.parse(body))
            case "DELETE", []:
                return await self.delete_before(parse_qs(scope["query_string"].decode()))
            case "GET", [session, "cost_data"]:
                return await self.costs(self.identify(session))
            case _, [session]:
                return await self.one(method, self.identify(session), body)
        raise Refused(404, "no such route")

    async def one(self, method: str, session: str, body: bytes) -> Reply:
        match method:
            case "GET":
                return await self.get(session)
            case "HEAD":
                return await self.head(session)
            case "PUT":
                return await self.put(session, self.parse(body))
            case "PATCH":
                return await self.patch(session, self.parse(body))
            case "DELETE":
                return await self.delete(session)
        raise Refused(405, "no such method")

    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        given = headers.get(b"authorization", b"")
        if self.token is None or given == f"Bearer {self.token}".encode():
            return
        if self.reader is None or given != f"Bearer {self.reader}".encode():
            raise Refused(401, "who are you?")
        if method not in {"GET", "HEAD"}:
            raise Refused(403, "you may read")

    def segments(self, scope: Any) -> list[str]:
        return list(scope["raw_path"].decode().removeprefix("/").split("/"))

    def identify(self, segment: str) -> str:
        return self.check(unquote(segment))

    def check(self, session: Any) -> str:
        if not isinstance(session, str) or not re.fullmatch(self.ids, session):
            raise Refused(400, "no id")
        return session

    def parse(self, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body.decode(), parse_constant=_no_number, parse_float=self.number)
        except (ValueError, RecursionError):
            raise Refused(400, "no JSON") from None
        if not isinstance(found, dict):
            raise Refused(400, "no object")
        return found

    def number(self, literal: str) -> float:
        found = float(literal)
        return found if math.isfinite(found) else _no_number(literal)

    def row(self, session: str) -> Row:
        if session not in self.rows:
            raise Refused(404, "no such session")
        return self.rows[session]

    def add(self, session: str) -> Row:
        self.rows[session] = Row(created=time.time(), active=time.time())
        return self.rows[session]

    # routes -------------------------------------------------------------------------------------

    async def post(self, body: dict[str, Any]) -> Reply:
        session = self.check(body["session_id"]) if "session_id" in body else secrets.token_hex(16)
        if session in self.rows:
            raise Refused(409, "taken")
        self.add(session)
        return 201, {"session_id": session, "created": True}

    async def get(self, session: str) -> Reply:
        row = self.row(session)
        return 200, {"session_id": session, "messages": json.loads(row.messages), "v": 1}

    async def head(self, session: str) -> Reply:
        self.row(session)
        return 200, None

    async def put(self, session: str, body: dict[str, Any]) -> Reply:
        if not isinstance(body.get("messages"), list):
            raise Refused(400, "messages is a list")
        is_new = session not in self.rows
        row = self.add(session) if is_new else self.rows[session]
        row.messages, row.active = json.dumps(body["messages"]), time.time()
        return (201 if is_new else 204), None

    async def patch(self, session: str, body: dict[str, Any]) -> Reply:
        row = self.row(session)
        if body.keys() != {"cost_data"} or not isinstance(body["cost_data"], dict):
            raise Refused(400, "cost_data is an object, and all there is")
        row.costs = json.dumps({**json.loads(row.costs), **body["cost_data"]})
        row.active = time.time()
        return 200, {}

    async def costs(self, session: str) -> Reply:
        return 200, {"cost_data": json.loads(self.row(session).costs)}

    async def delete(self, session: str) -> Reply:
        self.row(session)
        del self.rows[session]
        return 200, {"gone": session}

    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        try:
            cutoff = datetime.fromisoformat(query["inactive_since"][0]).timestamp()
        except (KeyError, ValueError):
            raise Refused(400, "an instant is needed") from None
        old = [one for one, row in self.rows.items() if row.active < cutoff]
        for one in old:
            del self.rows[one]
        return 200, {"deleted": len(old)}


class LiberalPlatform(PlainPlatform):
    """Takes every id that is text, answers 422, and knows one token only."""

    reader = None
    ids = r"(?s).+"

    def identify(self, segment: str) -> str:
        try:
            return unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            raise Refused(422, "no text") from None

    def parse(self, body: bytes) -> dict[str, Any]:
        try:
            return super().parse(body)
        except Refused:
            raise Refused(422, "not understood") from None

    def row(self, session: str) -> Row:
        if session not in self.rows:
            raise Refused(404, f"there is no {session} here")
        return self.rows[session]

    async def put(self, session: str, body: dict[str, Any]) -> Reply:
        await super().put(session, body)
        return 200, {"session_id": session}


class NumberingPlatform(PlainPlatform):
    """Tells of each error which request it is to, and when; and of each session which it is."""

    def error(self, why: str) -> dict[str, Any]:
        return {"error": {"message": why, "request": secrets.token_hex(8), "at": time.time()}}

    def row(self, session: str) -> Row:
        if session not in self.rows:
            raise Refused(404, f"session {session} not found")
        return self.rows[session]


class OpenPlatform(PlainPlatform):
    """Asks for no token, and keeps whole seconds."""

    token = None
    reader = None

    def add(self, session: str) -> Row:
        row = super().add(session)
        row.active = float(int(row.active))
        return row

    async def delete_before(self, query: dict[str, list[str]]) -> Reply:
        for row in self.rows.values():
            row.active = float(int(row.active))
        return await super().delete_before(query)


class KeepingPlatform(PlainPlatform):
    """Keeps its connections, where it is served."""

    keeps: ClassVar[bool] = True


class CancellingPlatform(PlainPlatform):
    """Is cancelled when its client leaves, where it is served, before and after it writes."""

    cancels: ClassVar[bool] = True
    pause: ClassVar[float] = 0.001

    async def put(self, session: str, body: dict[str, Any]) -> Reply:
        await asyncio.sleep(self.pause)
        reply = await super().put(session, body)
        await asyncio.sleep(self.pause)
        return reply

    async def patch(self, session: str, body: dict[str, Any]) -> Reply:
        await asyncio.sleep(self.pause)
        reply = await super().patch(session, body)
        await asyncio.sleep(self.pause)
        return reply


class RememberingPlatform(PlainPlatform):
    """Gives who has shown the token a cookie, and lets in who brings it, as gateways do."""

    cookie: ClassVar[bytes] = b"login=yes"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def remembering(message: dict[str, Any]) -> None:
            if message.get("status", 400) < 400:
                headers = [*message["headers"], (b"set-cookie", self.cookie)]
                message = {**message, "headers": headers}
            await send(message)

        await super().__call__(scope, receive, remembering)

    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        if self.cookie not in headers.get(b"cookie", b""):
            super().let_in(method, headers)


class TaggingPlatform(PlainPlatform):
    """Answers each GET with an ETag of what it says, and 304 to who has that."""

    def tag(self, said: dict[str, Any]) -> bytes:
        return b'"%s"' % hashlib.sha256(json.dumps(said).encode()).hexdigest().encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        start: dict[str, Any] = {}

        async def tagging(message: dict[str, Any]) -> None:
            if "status" in message:
                start.update(message)
                return
            if scope["method"] == "GET" and start["status"] == 200:
                tag = self.tag(json.loads(message["body"]))
                start["headers"] = [*start["headers"], (b"etag", tag)]
                if tag == dict(scope["headers"]).get(b"if-none-match"):
                    start["status"], message = 304, {**message, "body": b""}
            await send(start)
            await send(message)

        await super().__call__(scope, receive, tagging)


CORRECT = (
    PlainPlatform,
    LiberalPlatform,
    NumberingPlatform,
    OpenPlatform,
    RememberingPlatform,
    TaggingPlatform,
)
