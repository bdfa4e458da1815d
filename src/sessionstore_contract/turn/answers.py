"""What a client makes of the answer to a chat, in one word: complete, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .script import TEXT

if TYPE_CHECKING:
    from .asgi import Received

COMPLETE = "complete"


def of_whole(received: Received) -> str:
    """Judge an answer that was to come in one piece."""
    if received.status != 200:
        return f"status {received.status}"
    try:
        text = json.loads(received.body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return "no chat completion"
    return COMPLETE if text == TEXT else f"the text {text!r}"


def of_stream(received: Received) -> str:
    """Judge an answer that was to come in pieces."""
    if received.status != 200:
        return f"status {received.status}"
    try:
        text = "".join(_pieces(received.body))
    except (ValueError, LookupError, TypeError):
        return "no stream of chat completion chunks"
    if not is_done(received.body):
        return f"cut off after {text!r}"
    return COMPLETE if text == TEXT else f"the text {text!r}"


def is_done(body: bytes) -> bool:
    """Answer whether the end of the stream has been read."""
    return any(data == "[DONE]" for data in _data(body))


def has_begun(body: bytes) -> bool:
    """Answer whether half of the text has been read."""
    try:
        return len("".join(_pieces(body))) >= len("Hello, wörld")
    except (ValueError, LookupError, TypeError):
        return False


def _pieces(body: bytes) -> Iterator[str]:
    for data in _data(body):
        if data == "[DONE]":
            return
        chunk: Any = json.loads(data)
        for choice in chunk.get("choices", ()):
            yield choice.get("delta", {}).get("content") or ""


def _data(body: bytes) -> Iterator[str]:
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    # What stands after the last blank line is no whole event yet.
    for event in text.split("\n\n")[:-1]:
        for line in event.split("\n"):
            if line.startswith("data:"):
                yield line.removeprefix("data:").strip()
