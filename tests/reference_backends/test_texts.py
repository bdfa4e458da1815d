"""Which stores are handed texts by their platform, and that they are handed the same ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reference_backends import json_text
from reference_backends.memory import MemorySessionStore
from reference_backends.platform import create_app
from reference_backends.sqlite import SqliteSessionStore
from reference_backends.texts import loading_text, saving_text
from tests.reference_backends.asker import Asker, code
from tests.reference_backends.dict_store import DictStore
from tests.reference_backends.sqlite_places import run_sql

if TYPE_CHECKING:
    from pathlib import Path

    from sessionstore_contract.interface import Message

MESSAGES: list[Any] = [{"role": "user", "content": "ä\n\\u0000"}, 1.5, [2**64, None]]


class Shouts(MemorySessionStore):
    """A store that does something of its own, in either direction."""

    async def save(self, session_id: str, messages: list[Message]) -> None:
        await super().save(session_id, [*messages, "saved"])  # type: ignore[list-item]

    async def load(self, session_id: str) -> list[Message] | None:
        return [*(await super().load(session_id) or []), "loaded"]  # type: ignore[list-item]


class Quiet(Shouts):
    """A store that inherits it."""


def test_only_who_has_both_ways_in_one_class_is_handed_texts(tmp_path: Path) -> None:
    """What somebody has overridden, or put in the place of it, is called."""
    patched = MemorySessionStore()
    patched.save = Shouts().save  # type: ignore[method-assign]
    for store in (DictStore(), Shouts(), Quiet()):
        assert (saving_text(store), loading_text(store)) == (None, None)
    assert saving_text(patched) is None
    assert loading_text(patched) is patched
    for plain in (MemorySessionStore(), SqliteSessionStore(tmp_path / "s")):
        assert (saving_text(plain), loading_text(plain)) == (plain, plain)


class Records(MemorySessionStore):
    """A store that tells which way was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.ways: list[str] = []

    async def save(self, session_id: str, messages: list[Message]) -> None:
        self.ways.append("save")
        await super().save_text(session_id, json_text.encode(messages).encode())

    async def save_text(self, session_id: str, text: bytes) -> None:
        self.ways.append("save_text")
        await super().save_text(session_id, text)

    async def load(self, session_id: str) -> list[Message] | None:
        self.ways.append("load")
        return await super().load(session_id)

    async def load_text(self, session_id: str) -> bytes | None:
        self.ways.append("load_text")
        return await super().load_text(session_id)


@pytest.mark.skipif(json_text._FAST is None, reason="the extra `fast` is not installed")
@pytest.mark.parametrize(
    ("messages", "way"),
    [
        ('[{"role":"user","content":"a\\n\\"ä"},{"n":1.5}]', "save_text"),
        ("[]", "save_text"),
        ('[{"role": "user"}]', "save"),
        (f"[{2**64}]", "save"),
        ("[" * 10 + "]" * 10, "save"),
    ],
)
async def test_a_text_that_is_plainly_ours_goes_through(messages: str, way: str) -> None:
    """Byte by byte; any other is read, though it may be sound."""
    store = Records()
    ask = Asker(create_app(store))
    assert (await ask("PUT", "/v1/sessions/s", f'{{"messages":{messages}}}'.encode()))[0] == 200
    assert (await ask("GET", "/v1/sessions/s"))[1]["messages"] == json.loads(messages)
    assert store.ways == [way, "load_text"]
    if way == "save_text":
        assert await store.load_text("s") == messages.encode()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_messages_are_the_same_however_they_are_worded(
    tmp_path: Path, kind: str, separators: tuple[str, str]
) -> None:
    """In our wording they are kept as they came, in another one they are read and worded."""
    store = MemorySessionStore() if kind == "memory" else SqliteSessionStore(str(tmp_path / "s"))
    ask = Asker(create_app(store))
    body = json.dumps({"messages": MESSAGES}, separators=separators, ensure_ascii=False)
    assert (await ask("PUT", "/v1/sessions/s", body.encode()))[0] == 200
    assert await store.load("s") == MESSAGES
    assert (await ask("GET", "/v1/sessions/s"))[1] == {"session_id": "s", "messages": MESSAGES}
    await store.close()


async def test_a_store_that_overrides_is_served_as_it_is() -> None:
    """A platform does not go round what the store adds."""
    ask = Asker(create_app(Quiet()))
    assert (await ask("PUT", "/v1/sessions/s", b'{"messages":[]}'))[0] == 200
    assert (await ask("GET", "/v1/sessions/s"))[1]["messages"] == ["saved", "loaded"]


@pytest.mark.parametrize(
    "messages",
    ['"text"', '{"a":[]}', "null", '["\\u0000"]', "[" * 257 + "]" * 257, f"[{10**4290}]"],
)
async def test_what_can_not_be_kept_is_refused_in_our_wording_too(messages: str) -> None:
    """Such a text is not handed over, and what was there stays."""
    store = MemorySessionStore()
    await store.save("s", MESSAGES)
    ask = Asker(create_app(store))
    status, answer = await ask("PUT", "/v1/sessions/s", f'{{"messages":{messages}}}'.encode())
    assert (status, code(answer)) == (422, "unstorable_value")
    assert await store.load("s") == MESSAGES


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (None, []),
        ('[{"n":1},{"n":2}]', [{"n": 1}, {"n": 2}]),
        ('[{"n": 1}, {"t": "\\u00e4"}]', [{"n": 1}, {"t": "ä"}]),
        ('[{"n":1,"n":2}]', [{"n": 2}]),
    ],
)
async def test_what_others_have_stored_is_sent_as_it_is_read(
    tmp_path: Path, stored: str | None, sent: list[Any]
) -> None:
    """In whatever wording an older release has stored it."""
    store = SqliteSessionStore(tmp_path / "s")
    await store.create("s")
    run_sql(tmp_path / "s", "UPDATE sessions SET messages = ?", stored)
    assert await store.load("s") == sent
    assert await store.load_text("s") == json_text.encode(sent).encode()
    ask = Asker(create_app(store))
    assert (await ask("GET", "/v1/sessions/s"))[1]["messages"] == sent
    assert code((await ask("GET", "/v1/sessions/t"))[1]) == "session_missing"
    await store.close()
