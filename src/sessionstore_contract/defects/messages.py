"""Stores that save another history than the one they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .defect import Wrapper, defect

if TYPE_CHECKING:
    from ..interface import Json


@defect(
    "`save` writes the whole session, and cost data with it.",
    caught_by="messages.save-keeps-cost-data",
)
class SaveResetsCostData(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        await self.store.save(session_id, messages)
        await self.put(session_id, messages, {})


@defect("`save` appends to the history.", caught_by="messages.save-then-load")
class SaveAppends(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        earlier = await self.store.load(session_id) or []
        await self.store.save(session_id, messages)
        await self.store.save(session_id, [*earlier, *messages])


@defect("`load` answers the last message first.", caught_by="messages.save-then-load")
class LoadsBackwards(Wrapper):
    async def load(self, session_id: str) -> Json:
        messages = await self.store.load(session_id)
        return messages and messages[::-1]


@defect("`save` without messages is ignored.", caught_by="messages.save-replaces-the-history")
class SaveOfNothingIsIgnored(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        if messages != [] or not await self.store.exists(session_id):
            await self.store.save(session_id, messages)


@defect("A shorter history does not replace it.", caught_by="messages.save-replaces-the-history")
class KeepsTheLongerHistory(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        earlier = await self.store.load(session_id) or []
        await self.store.save(session_id, messages)
        if len(earlier) > len(messages):
            await self.store.save(session_id, earlier)


@defect(
    "`save` of an unknown session stores nothing.",
    caught_by="messages.save-creates-a-missing-session",
)
class SaveNeedsASession(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        if await self.store.exists(session_id):
            await self.store.save(session_id, messages)


class SavesOthers(Wrapper):
    """Saves other messages than it was given."""

    def saved(self, messages: list[Json]) -> list[Json]:
        raise NotImplementedError

    async def save(self, session_id: str, messages: list[Json]) -> None:
        is_history = isinstance(messages, list)
        await self.store.save(session_id, self.saved(messages) if is_history else messages)


@defect("Members that are null are dropped.", caught_by="messages.any-message-shape")
class DropsNulls(SavesOthers):
    def saved(self, messages: list[Json]) -> list[Json]:
        return [
            {name: value for name, value in one.items() if value is not None} for one in messages
        ]


@defect("Empty messages are dropped.", caught_by="messages.any-message-shape")
class DropsEmptyMessages(SavesOthers):
    def saved(self, messages: list[Json]) -> list[Json]:
        return [one for one in messages if one]


@defect("A message that repeats the last one is dropped.", caught_by="messages.any-message-shape")
class DropsRepeatedMessages(SavesOthers):
    def saved(self, messages: list[Json]) -> list[Json]:
        before = [None, *messages]
        return [one for one, last in zip(messages, before, strict=False) if one != last]


@defect("Members with unknown names are dropped.", caught_by="messages.any-message-shape")
class DropsUnknownMembers(SavesOthers):
    KNOWN = ("role", "content", "name", "tool_calls", "tool_call_id")

    def saved(self, messages: list[Json]) -> list[Json]:
        return [{name: one[name] for name in self.KNOWN if name in one} for one in messages]


@defect("The last thousand messages are kept.", caught_by="messages.long-histories")
class KeepsTheLastThousand(SavesOthers):
    def saved(self, messages: list[Json]) -> list[Json]:
        return messages[-1000:]


@defect("A content is cut after 65,535 characters.", caught_by="messages.long-histories")
class CutsLongContents(SavesOthers):
    def saved(self, messages: list[Json]) -> list[Json]:
        return [
            {**one, "content": one["content"][:65535]}
            if isinstance(one.get("content"), str)
            else one
            for one in messages
        ]


@defect(
    "`save` empties the history before it looks at the messages.",
    caught_by="messages.refused-save-changes-nothing",
)
class RefusedSaveEmpties(Wrapper):
    async def save(self, session_id: str, messages: list[Json]) -> None:
        if await self.store.exists(session_id):
            await self.store.save(session_id, [])
        await self.store.save(session_id, messages)


@defect("`save` takes None for no messages.", caught_by="messages.must-be-a-list")
class SaveTakesNone(Wrapper):
    async def save(self, session_id: str, messages: list[Json] | None) -> None:
        await self.store.save(session_id, [] if messages is None else messages)


@defect("`save` takes one message for a history.", caught_by="messages.must-be-a-list")
class SaveTakesOneMessage(Wrapper):
    async def save(self, session_id: str, messages: Json) -> None:
        await self.store.save(session_id, [messages] if isinstance(messages, dict) else messages)


@defect("Each third save is acknowledged and lost.", caught_by="messages.save-replaces-the-history")
class LosesASaveNowAndThen(Wrapper):
    saves = 0

    async def save(self, session_id: str, messages: list[Json]) -> None:
        self.saves += 1
        if self.saves % 3:
            await self.store.save(session_id, messages)
