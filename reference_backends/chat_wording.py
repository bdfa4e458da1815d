"""Requests and answers of the chat server as OpenAI's clients write and read them."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from reference_backends.figures import FIGURES, believable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_backends.accounting import Usage
    from sessionstore_contract.interface import Json, Message


class BadRequestError(Exception):
    """A request that can't be answered; the message is for its sender."""

    def __init__(
        self, message: str, *, param: str | None = None, status: int = HTTPStatus.BAD_REQUEST
    ) -> None:
        super().__init__(message)
        self.param = param
        self.status = status


@dataclass(frozen=True)
class ChatRequest:
    """What a client asks for."""

    messages: list[Message]
    session_id: str | None
    is_stream: bool
    includes_usage: bool


def read_request(body: bytes) -> ChatRequest:
    """Read the body of a request.

    Raises:
        BadRequestError: it is no chat request.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequestError("the body is no JSON") from None
    if not isinstance(asked, dict):
        raise BadRequestError("the body is no JSON object")
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise BadRequestError(
            "messages is a list of objects with a role, at least one", param="messages"
        )
    session_id = asked.get("session_id")
    if session_id is not None and not (isinstance(session_id, str) and session_id):
        raise BadRequestError("session_id is a text that is not empty", param="session_id")
    options = asked.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadRequestError("stream_options is an object", param="stream_options")
    return ChatRequest(
        messages=messages,
        session_id=session_id,
        is_stream=asked.get("stream") is True,
        includes_usage=options.get("include_usage") is True,
    )


def _is_message(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


@dataclass
class Wording:
    """The words of one answer: the same id and time in all its chunks."""

    model: str
    includes_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, finish_reason: str | None, usage: Usage | None) -> dict[str, Json]:
        """Word an answer that is not streamed."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], "usage": worded_usage(usage)}

    def first(self) -> bytes:
        """Word the chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        """Word a piece of the text."""
        return self._chunk({"content": text})

    def last(self, finish_reason: str | None) -> bytes:
        """Word the chunk that says that the text has ended."""
        return self._chunk({}, finish_reason or "stop")

    def usage(self, usage: Usage | None) -> bytes:
        """Word the chunk with the usage."""
        head = self._head("chat.completion.chunk")
        return event({**head, "choices": [], "usage": worded_usage(usage)})

    def _chunk(self, delta: Mapping[str, Json], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return event({**chunk, "usage": None} if self.includes_usage else chunk)

    def _head(self, kind: str) -> dict[str, Json]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


DONE = b"data: [DONE]\n\n"
"""What ends a stream that is complete."""


def event(content: Mapping[str, Json]) -> bytes:
    """Word one event of a stream."""
    # In ASCII: a piece of text may end in the middle of a surrogate pair.
    return f"data: {json.dumps(content, separators=(',', ':'))}\n\n".encode("ascii")


def worded_usage(usage: Usage | None) -> dict[str, Json] | None:
    """Word the usage as clients read it; a figure that is none is 0."""
    if usage is None:
        return None
    prompt, completion, cached = (
        believable(one) or 0 for one in (getattr(usage, name, None) for name in FIGURES)
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


class Answer(JSONResponse):
    """JSON in ASCII: what a model says may hold half of a surrogate pair, which UTF-8 has not."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def error_fields(message: str, kind: str, *, param: str | None = None) -> dict[str, Json]:
    """Word an error in the one shape that clients know."""
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


def error_answer(
    status: int, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer an error."""
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    return Answer(error_fields(message, kind, param=param), status, headers=dict(headers or {}))


def answer(content: Any, headers: Mapping[str, str]) -> Answer:
    """Answer what was asked for."""
    return Answer(content, headers={"cache-control": "no-store", **headers})
