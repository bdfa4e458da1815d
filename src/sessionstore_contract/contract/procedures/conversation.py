"""A chat as agents have it: what is in it is known to many programs, and nothing of it to a store.

A store that looks at a role, an id, a time or a call of a tool does so by their usual names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...interface import Json

OPEN_CALL: Json = {
    "id": "msg_8",
    "timestamp": "2026-01-02T10:00:07Z",
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_2",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Oslo", "days": 2}'},
        }
    ],
}
"""What a chat ends with that stopped before the tool had answered."""

CUT_OFF: Json = {
    "id": "msg_9",
    "timestamp": "2026-01-02T10:00:08Z",
    "role": "assistant",
    "content": "",
}
"""What a chat ends with whose answer was cut off before its first word."""

CHAT: list[Json] = [
    {
        "id": "msg_1",
        "timestamp": "2026-01-02T10:00:00Z",
        "role": "user",
        "content": [{"type": "text", "text": "What is this?"}],
    },
    {
        "id": "msg_2",
        "timestamp": "2026-01-02T10:00:02Z",
        "role": "user",
        "content": [
            {"type": "text", "text": "And the weather there?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    },
    # Sent earlier, and arrived later.
    {
        "id": "msg_3",
        "timestamp": "2026-01-02T10:00:01Z",
        "role": "system",
        "content": "Answer in one sentence. Key: sk-0123456789abcdefghijklmnop",
        "name": "moderator",
    },
    {
        "id": "msg_4",
        "timestamp": "2026-01-02T10:00:03Z",
        "role": "assistant",
        "content": "",
        "refusal": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "Bergen"}'},
            }
        ],
    },
    {
        "id": "msg_5",
        "timestamp": "2026-01-02T10:00:04Z",
        "role": "tool",
        "tool_call_id": "call_1",
        "content": '{"sky": "rain"}',
    },
    # In pieces, as they were streamed, under one id.
    {
        "id": "msg_6",
        "timestamp": "2026-01-02T10:00:05Z",
        "role": "assistant",
        "content": "It rains ",
    },
    {
        "id": "msg_6",
        "timestamp": "2026-01-02T10:00:05Z",
        "role": "assistant",
        "content": "in Bergen.",
        "usage": {"input_tokens": 120, "output_tokens": 9},
    },
    {
        "id": "msg_7",
        "timestamp": "2026-01-02T10:00:06Z",
        "role": "user",
        "content": "And in Oslo?",
    },
]
