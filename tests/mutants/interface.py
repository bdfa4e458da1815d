"""Stores of the wrong shape."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from .correct import DictStore, FileStore, NothingStore, RowsStore, WriteOnlyStore, encode
from .defect import mutant

if TYPE_CHECKING:
    from datetime import datetime

    from sessionstore_contract.interface import Json


@mutant(
    "interface.has-every-operation",
    "the store has no delete_before",
    also={"ephemeral.keeps-nothing": "delete_before raised MissingOperationError"},
)
class HasNoDeleteBefore(NothingStore):
    """Leaves an operation out because nobody calls it yet."""

    delete_before = None  # type: ignore[assignment]


@mutant(
    "interface.has-every-operation",
    "load is not awaited: make it `async def`",
    also={"ephemeral.keeps-nothing": "load raised NotAwaitableError"},
)
class LoadAnswersAtOnce(NothingStore):
    """Answers a list where an awaitable is expected."""

    def load(self, session_id: str) -> None:  # type: ignore[override]
        return None


@mutant(
    "interface.has-every-operation",
    "close is not awaited: make it `async def`",
    also={"closing.is-idempotent": "close raised NotAwaitableError"},
)
class CloseAnswersAtOnce(DictStore):
    """Closes synchronously, as drivers of files do."""

    def close(self) -> None:  # type: ignore[override]
        return None


@mutant("interface.update-is-keyword-only", "update takes cost_data by position")
class UpdateTakesCostDataByPosition(DictStore):
    """Has a signature without the star."""

    async def update(self, session_id: str, cost_data: Json = None) -> bool:
        return await super().update(session_id, cost_data=cost_data)


@mutant("interface.update-is-keyword-only", "update takes cost_data by position")
class UpdateTakesAnything(DictStore):
    """Is wrapped by a function that passes on whatever it is given, and ignores the rest."""

    async def update(self, *arguments: Any, **fields: Json) -> bool:
        return await super().update(arguments[0], **fields)


@mutant(
    "interface.update-is-keyword-only",
    "update needs cost_data",
    also={"cost.update-without-fields-writes-nothing": "update raised TypeError"},
)
class UpdateNeedsCostData(DictStore):
    """Has no default for the field."""

    async def update(self, session_id: str, *, cost_data: Json) -> bool:  # type: ignore[override]
        return await super().update(session_id, cost_data=cost_data)


@mutant("interface.accepts-the-declared-parameters", "create does not take session_id by name")
class CreateNamesItId(DictStore):
    """Calls the session id by another name in one operation."""

    async def create(self, id: str | None = None) -> str:  # noqa: A002
        return await super().create(id)


@mutant(
    "interface.accepts-the-declared-parameters",
    "save does not take session_id and messages by name",
)
class SaveNamesThemHistory(DictStore):
    """Calls the messages by another name."""

    async def save(self, session_id: str, history: list[Json]) -> None:
        await super().save(session_id, history)


@mutant("interface.accepts-the-declared-parameters", "delete_before does not take cutoff by name")
class DeleteBeforeNamesItBefore(DictStore):
    """Calls the cutoff by another name."""

    async def delete_before(self, before: datetime) -> int:
        return await super().delete_before(before)


@mutant("interface.answers-have-the-declared-type", "save answers boolean, not null")
class SaveAnswersTrue(DictStore):
    """Reports success where nothing is to be answered."""

    async def save(self, session_id: str, messages: list[Json]) -> bool:  # type: ignore[override]
        await super().save(session_id, messages)
        return True


@mutant(
    "interface.answers-have-the-declared-type",
    "delete answers integer, not boolean",
    also={
        "lifecycle.missing-is-not-empty": "delete answers the integer 0",
        "lifecycle.delete-answers-whether-it-existed": "delete answers the integer 1",
    },
)
class DeleteAnswersItsCount(DictStore):
    """Hands on what the driver answers."""

    async def delete(self, session_id: str) -> int:  # type: ignore[override]
        return int(await super().delete(session_id))


@mutant(
    "interface.answers-have-the-declared-type",
    "update answers null, not boolean",
    also={
        "lifecycle.missing-is-not-empty": "update answers None, not False",
        "cost.update-without-fields-writes-nothing": "update answers None, not False",
        "cost.empty-update-changes-nothing": "update answers None, not False",
        "cost.update-of-missing-creates-nothing": "update answers None, not False",
    },
)
class UpdateOfMissingAnswersNothing(DictStore):
    """Returns early, without a word, when there is no row."""

    async def update(self, session_id: str, *, cost_data: Json = None) -> Any:
        return await super().update(session_id, cost_data=cost_data) or None


@mutant(
    "interface.answers-have-the-declared-type",
    "update answers null, not boolean",
    also={"cost.update-without-fields-writes-nothing": "update answers None, not False"},
)
class UpdateOfNothingAnswersNothing(DictStore):
    """Returns early, without a word, when there is nothing to write."""

    async def update(self, session_id: str, *, cost_data: Json = None) -> Any:
        if cost_data is None:
            return None
        return await super().update(session_id, cost_data=cost_data)


@mutant(
    "interface.answers-have-the-declared-type",
    "delete answers null, not boolean",
    also={
        "lifecycle.missing-is-not-empty": "delete answers None, not False",
        "lifecycle.delete-answers-whether-it-existed": "delete answers None, not False",
    },
)
class DeleteOfMissingAnswersNothing(DictStore):
    """Returns early, without a word, when there is no row."""

    async def delete(self, session_id: str) -> Any:
        return await super().delete(session_id) or None


@mutant(
    "interface.answers-have-the-declared-type",
    "exists answers tuple, not boolean",
    is_everywhere=True,
)
class ExistsAnswersTheRow(DictStore):
    """Hands on the row that it has found, which is as good as true."""

    async def exists(self, session_id: str) -> Any:
        return await super().exists(session_id) and (1,)


@mutant(
    "interface.answers-have-the-declared-type",
    "exists answers null, not boolean",
    is_everywhere=True,
)
class ExistsOfMissingAnswersNothing(DictStore):
    """Hands on what a lookup finds where there is no row."""

    async def exists(self, session_id: str) -> Any:
        return await super().exists(session_id) or None


@mutant(
    "interface.answers-have-the-declared-type",
    "get_cost_data answers null, not object",
    also={
        "lifecycle.missing-is-not-empty": "get_cost_data answers None, not {}",
        "lifecycle.delete-answers-whether-it-existed": "get_cost_data answers None, not {}",
        "cost.update-of-missing-creates-nothing": "get_cost_data answers None, not {}",
        "cost.starts-empty": "cost data starts as null",
    },
)
class CostsOfMissingAreNothing(DictStore):
    """Hands on what a lookup finds where there is no row."""

    async def get_cost_data(self, session_id: str) -> Any:
        return None if self.row(session_id) is None else await super().get_cost_data(session_id)


@mutant(
    "interface.answers-have-the-declared-type",
    "delete_before answers text, not integer",
    also={"retention.counts-what-it-removed": "delete_before answers 'DELETE 150', not 150"},
)
class DeleteBeforeAnswersTheStatus(DictStore):
    """Hands on the status line of the driver."""

    async def delete_before(self, cutoff: datetime) -> str:  # type: ignore[override]
        return f"DELETE {await super().delete_before(cutoff)}"


@mutant("interface.answers-have-the-declared-type", "close answers text, not null")
class CloseSaysGoodbye(DictStore):
    """Answers something where nothing is to be answered."""

    async def close(self) -> str:  # type: ignore[override]
        await super().close()
        return "closed"


@mutant(
    "interface.answers-have-the-declared-type",
    "create answers UUID, not text",
    also={"lifecycle.create-makes-fresh-ids": "create answers no id"},
)
class CreateAnswersAnUuid(DictStore):
    """Hands out the object and not its text."""

    def fresh_id(self) -> Any:
        return uuid.uuid4()


@mutant(
    "interface.answers-have-the-declared-type",
    "load answers tuple, not array or null",
    is_everywhere=True,
)
class LoadAnswersATuple(WriteOnlyStore):
    """Hands out an immutable view of the messages."""

    async def load(self, session_id: str) -> Any:
        messages = await super().load(session_id)
        return messages if messages is None else tuple(messages)


@mutant(
    "interface.answers-have-the-declared-type",
    "get_cost_data answers text, not object",
    is_everywhere=True,
)
class GetCostDataAnswersText(DictStore):
    """Hands out the column as the driver reads it, which is not decoded."""

    async def get_cost_data(self, session_id: str) -> Any:
        return encode(await super().get_cost_data(session_id), dict)


@mutant("interface.unsupported-is-said", "get_cost_data pretends to work")
class PretendsToReadCostData(WriteOnlyStore):
    """Answers {} from a place that it can't read."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        return {}


@mutant("interface.unsupported-is-said", "delete_before pretends to work")
class PretendsToRemoveIdleSessions(WriteOnlyStore):
    """Answers 0 from a place that offers no housekeeping."""

    async def delete_before(self, cutoff: datetime) -> int:
        return 0


@mutant(
    "interface.unsupported-is-said",
    "delete_before is not claimed, and does not say so with NotImplementedError",
)
class UnsupportedIsACrash(WriteOnlyStore):
    """Fails in a way from which nobody learns that it will never work."""

    async def delete_before(self, cutoff: datetime) -> int:
        raise RuntimeError("no route")


@mutant(
    "interface.claims-are-true",
    "persistence is claimed, and nothing is kept",
    is_everywhere=True,
)
class ClaimsToPersist(NothingStore):
    """Keeps nothing and says that it keeps everything."""

    claims: ClassVar[frozenset[str]] = DictStore.claims


@mutant(
    "interface.claims-are-true",
    "cost-read is claimed, and nothing is read",
    is_everywhere=True,
)
class ClaimsToReadCostData(PretendsToReadCostData):
    """Writes cost data to a place that it can't read, and claims that it can."""

    claims: ClassVar[frozenset[str]] = WriteOnlyStore.claims | {"cost-read"}


@mutant(
    "interface.claims-are-true",
    "delete_before raises NotImplementedError: implement it, or do not claim it",
    also={
        "retention.goes-by-last-activity": "delete_before raises NotImplementedError",
        "retention.counts-what-it-removed": "delete_before raises NotImplementedError",
        "retention.survivors-are-whole": "writes beside delete_before: delete_before raises",
    },
)
class ClaimsRetention(WriteOnlyStore):
    """Claims housekeeping and has none."""

    claims: ClassVar[frozenset[str]] = WriteOnlyStore.claims | {"retention"}


@mutant(
    "interface.claims-are-true",
    "shared is claimed, and another instance sees nothing",
    also={
        "sharing.writes-are-seen-at-once": "another instance does not see a created session",
    },
)
class ClaimsToBeShared(DictStore):
    """Keeps everything in the instance and claims that instances see each other."""

    claims: ClassVar[frozenset[str]] = DictStore.claims | {"shared"}


@mutant(
    "interface.claims-are-true",
    "reference-layout is claimed, and sessions are not in the table `sessions`",
    is_everywhere=True,
)
class ClaimsTheReferenceLayout(RowsStore):
    """Has tables of its own, and says that it opens places of the reference backends."""

    claims: ClassVar[frozenset[str]] = RowsStore.claims | {"migration"}


@mutant(
    "interface.claims-are-true",
    "reference-layout is claimed, and sessions are not in the table `sessions`",
    is_everywhere=True,
)
class ClaimsATableAndKeepsFiles(FileStore):
    """Says the same, and has no table at all."""

    claims: ClassVar[frozenset[str]] = FileStore.claims | {"migration"}


@mutant(
    "interface.claims-are-true",
    "durable is claimed, and nothing outlives the instance",
    also={"durability.reopening-finds-everything": "a new instance does not find the session"},
)
class ClaimsToBeDurable(FileStore):
    """Cleans up after itself."""

    async def close(self) -> None:
        await super().close()
        for path in self.folder.glob("*.json"):
            path.unlink()
