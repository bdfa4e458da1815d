"""What a client of a chat server asks with, and what the history says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..interface import Json
    from .script import Script

WORD_OF_THE_CLIENT = "the-word-of-the-client"
"""The model that requests name: whoever pays by model does not choose the price by a word."""

WITHOUT = "(not in the request)"
"""Said of a member of the request's body that is left out."""


def body_of(
    session: str | None, prompt: str, *, stream: bool, instead: Mapping[str, Json]
) -> dict[str, Json]:
    """Answer the body of a request; what is said `instead` stands in the place of what would."""
    asked: dict[str, Json] = {
        "model": WORD_OF_THE_CLIENT,
        "messages": [{"role": "user", "content": prompt}],
    }
    if session is not None:
        asked["session_id"] = session
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    asked |= instead
    return {name: value for name, value in asked.items() if value != WITHOUT}


def said_of(script: Script, *, stream: bool, turn_id: str | None) -> dict[str, Json]:
    """Word a turn for the history."""
    usage = None if script.usage is None else script.usage.fields()
    said: dict[str, Json] = {"usage": usage, "model": script.model}
    said |= {"stream": True} if stream else {}
    said |= {} if turn_id is None else {"id": turn_id}
    midway = [one.fields() for one in script.known]
    said |= {"usage_midway": midway[0] if len(midway) == 1 else midway} if midway else {}
    return said | ({} if script.failure is None else {"agent": "fails in mid-answer"})
