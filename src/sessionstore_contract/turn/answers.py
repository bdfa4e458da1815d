"""What a client makes of the answer to a chat, in one word: complete, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from .script import TEXT

if TYPE_CHECKING:
    from ..interface import Json
    from .asgi import Received

COMPLETE = "complete"

USED = ("prompt_tokens", "completion_tokens", "total_tokens")


def of_whole(received: Received) -> str:
    """Judge an answer that was to come in one piece."""
    if received.status != 200:
        return f"status {received.status}"
    try:
        whole = json.loads(received.body)
        text = whole["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return "no chat completion"
    if _has_error(whole):
        return f"an error beside {text!r}"
    return COMPLETE if text == TEXT else f"the text {text!r}"


def of_stream(received: Received) -> str:
    """Judge an answer that was to come in pieces."""
    if received.status != 200:
        return f"status {received.status}"
    try:
        chunks = list(_chunks(received.body))
        # OpenAI's clients raise there, whatever follows.
        said = list(takewhile(lambda chunk: not _has_error(chunk), chunks))
        text = "".join(_pieces(said))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "no stream of chat completion chunks"
    if said != chunks:
        return f"an error after {text!r}"
    if not is_done(received.body):
        return f"cut off after {text!r}"
    return COMPLETE if text == TEXT else f"the text {text!r}"


def end_of(received: Received, *, is_stream: bool) -> dict[str, Json]:
    """Answer what clients read beside the text: why it ended, the tokens, and whether it failed."""
    said: dict[str, Json] = {}
    try:
        for part in _chunks(received.body) if is_stream else [json.loads(received.body)]:
            said |= _end_in(part)
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
    return said


def _end_in(part: Any) -> dict[str, Json]:
    reasons = [choice.get("finish_reason") for choice in part.get("choices") or ()]
    said: dict[str, Json] = {"finish_reason": reasons[-1]} if any(reasons) else {}
    said |= {"error": True} if _has_error(part) else {}
    usage = part.get("usage")
    return said | ({name: usage[name] for name in USED if name in usage} if usage else {})


def is_done(body: bytes) -> bool:
    """Answer whether the end of the stream has been read."""
    return any(data == "[DONE]" for data in _data(body))


def is_passed_off(received: Received, *, is_stream: bool) -> bool:
    """Answer whether part of the text, or all of it, is answered as if nothing had gone wrong.

    Words of the server's own after the text may well say that something has.
    """
    ended = end_of(received, is_stream=is_stream)
    is_ended = received.status == 200 and (not is_stream or is_done(received.body))
    try:
        text = _text_of(received.body, is_stream=is_stream)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    says_so = "error" in ended or ended.get("finish_reason") != "stop"
    return is_ended and not says_so and TEXT.startswith(text)


def _text_of(body: bytes, *, is_stream: bool) -> str:
    if is_stream:
        return "".join(_pieces(_chunks(body)))
    return json.loads(body)["choices"][0]["message"].get("content") or ""


def _has_error(part: Any) -> bool:
    """Answer whether it is an error to OpenAI's clients; one that is null is none."""
    return bool(part.get("error"))


def _chunks(body: bytes) -> Iterator[Any]:
    for data in _data(body):
        if data == "[DONE]":
            return
        yield json.loads(data)


def _pieces(chunks: Iterable[Any]) -> Iterator[str]:
    for chunk in chunks:
        # What is null is as if it were not there: so are the last chunks of some providers.
        for choice in chunk.get("choices") or ():
            yield (choice.get("delta") or {}).get("content") or ""


def _data(body: bytes) -> Iterator[str]:
    """Read server-sent events: any of three line ends, and the data of one over several lines."""
    text = body.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    # What stands after the last blank line is no whole event yet.
    for event in text.split("\n\n")[:-1]:
        lines = [one for one in event.split("\n") if one.startswith("data:")]
        if lines:
            yield "\n".join(one.removeprefix("data:").removeprefix(" ") for one in lines).strip()
