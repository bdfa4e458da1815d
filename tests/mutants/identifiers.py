"""Stores in which an id is not exactly one session, or not for every operation."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sessionstore_contract.interface import InvalidSessionIdError, Json

from .correct import DictStore, FileStore, RowsStore
from .defect import mutant

if TYPE_CHECKING:
    from pathlib import Path

EXACT = "identifiers.are-exact"
SAME = "identifiers.same-rule-everywhere"
NOTHING = "identifiers.mean-nothing"


@mutant(EXACT, "ids that differ in Unicode form are one session")
class ComposesIds(FileStore):
    """Has ids in file names, on a file system that normalises them."""

    def path(self, session_id: str) -> Path:
        return super().path(unicodedata.normalize("NFC", session_id))


@mutant(EXACT, "ids that differ after the 64th character are one session")
class CutsIdsAt64(FileStore):
    """Has a column of 64 characters."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id[:64])


@mutant(EXACT, "ids that differ after the 255th character are one session")
class CutsIdsAt255(FileStore):
    """Has names of 255 characters."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id[:255])


@mutant(
    EXACT,
    "ids that differ after NUL are one session",
    also={NOTHING: "load of the id 'victim"},
)
class CutsIdsAtNul(FileStore):
    """Hands ids to C."""

    def path(self, session_id: str) -> Path:
        return super().path(session_id.partition("\0")[0])


@mutant(EXACT, "ids that differ in zeros at the beginning are one session")
class IdsAreNumbers(FileStore):
    """Has a column without a type of its own."""

    def path(self, session_id: str) -> Path:
        is_number = session_id.isascii() and session_id.isdigit() and len(session_id) < 30
        return super().path(str(int(session_id)) if is_number else session_id)


@mutant(EXACT, "ids that differ in the case of a UUID are one session")
class IdsAreUuids(FileStore):
    """Brings what can be read as a UUID into one form."""

    def path(self, session_id: str) -> Path:
        with suppress(ValueError):
            return super().path(str(UUID(session_id)))
        return super().path(session_id)


@mutant(EXACT, "ids that differ in the dashes of a UUID are one session")
class UuidsHaveNoDashes(FileStore):
    """Takes the dashes out of what looks like a UUID."""

    def path(self, session_id: str) -> Path:
        bare = session_id.replace("-", "")
        return super().path(bare if re.fullmatch("[0-9a-f]{32}", bare) else session_id)


@mutant(EXACT, "ids that differ in the braces of a UUID are one session")
class UuidsHaveNoBraces(FileStore):
    """Takes braces for a way to write a UUID."""

    def path(self, session_id: str) -> Path:
        is_braced = re.fullmatch(r"\{[0-9a-f-]{36}\}", session_id)
        return super().path(session_id[1:-1] if is_braced else session_id)


class NamedBySums(FileStore):
    """Names files by a sum of the id that is too short: a start for defects."""

    def sum(self, encoded: bytes) -> object:
        raise NotImplementedError

    def path(self, session_id: str) -> Path:
        return super().path(f"{self.sum(session_id.encode())}")


@mutant(EXACT, "ids that differ and have one CRC-32 are one session")
class NamedByCrc32(NamedBySums):
    """Has the sum that archives have."""

    def sum(self, encoded: bytes) -> object:
        return zlib.crc32(encoded)


@mutant(EXACT, "ids that differ and have one CRC-32 are one session")
class NamedByAdler32(NamedBySums):
    """Has the quicker sum."""

    def sum(self, encoded: bytes) -> object:
        return zlib.adler32(encoded.rjust(300, b"-"))


@mutant(EXACT, "ids that differ and have one head of MD5 are one session")
class NamedByTheHeadOfMd5(NamedBySums):
    """Finds 8 digits enough."""

    def sum(self, encoded: bytes) -> object:
        return hashlib.md5(encoded, usedforsecurity=False).hexdigest()[:8]


@mutant(EXACT, "ids that differ and have one head of SHA-1 are one session")
class NamedByTheHeadOfSha1(NamedBySums):
    """Finds 8 digits enough."""

    def sum(self, encoded: bytes) -> object:
        return hashlib.sha1(encoded, usedforsecurity=False).hexdigest()[:8]


@mutant(EXACT, "ids that differ and have one head of SHA-256 are one session")
class NamedByTheHeadOfSha256(NamedBySums):
    """Finds 8 digits enough."""

    def sum(self, encoded: bytes) -> object:
        return hashlib.sha256(encoded).hexdigest()[:8]


@mutant(SAME, "create takes an id with no character, and answers another one")
class AnEmptyIdIsNone(DictStore):
    """Says `session_id or fresh_id()`."""

    async def create(self, session_id: str | None = None) -> str:
        return await super().create(session_id or None)


@mutant(SAME, "create takes an id with the word null, and answers another one")
class WordsMeanNone(DictStore):
    """Takes for no id what a form or a query says where there is none."""

    async def create(self, session_id: str | None = None) -> str:
        return await super().create(None if session_id in {"null", "undefined"} else session_id)


@mutant(SAME, "create takes an id with the word index, and save refuses it")
class HasAFileNamedIndex(FileStore):
    """Names files by ids that are short words, beside a file of its own."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if session_id == "index":
            raise FileExistsError(session_id)
        await super().save(session_id, messages)


@mutant(NOTHING, "the id '' deletes another session")
class AnEmptyIdMeansAll(DictStore):
    """Leaves out the condition when the id is empty."""

    async def delete(self, session_id: str) -> bool:
        if session_id == "" and self.row(session_id) is None and self.rows:
            self.rows.clear()
            return True
        return await super().delete(session_id)


@mutant(EXACT, "load takes ids that differ in case for one")
class LoadIgnoresCase(DictStore):
    """Searches with a collation."""

    async def load(self, session_id: str) -> list[Json] | None:
        alike = (name for name in self.rows if name.lower() == session_id.lower())
        return await super().load(next(alike, session_id))


@mutant(
    EXACT,
    "load does not find what was saved, under ids that differ after the 64th character",
    also={SAME: "load does not find an id with 65 characters"},
)
class LoadCutsIds(DictStore):
    """Has a parameter of 64 characters."""

    async def load(self, session_id: str) -> list[Json] | None:
        return await super().load(session_id[:64])


@mutant(EXACT, "ids that differ in case are one session for exists")
class ExistsIgnoresCase(DictStore):
    """Asks whether a session is there with a collation."""

    async def exists(self, session_id: str) -> bool:
        self.check_open()
        return any(name.lower() == session_id.lower() for name in self.rows)


@mutant(NOTHING, "exists of the id '%' finds another session")
class ExistsByLike(DictStore):
    """Asks whether a session is there by LIKE, with nothing escaped but `_`."""

    async def exists(self, session_id: str) -> bool:
        self.check_open()
        pattern = ".*".join(re.escape(part) for part in session_id.split("%"))
        return any(re.fullmatch(pattern, name, re.DOTALL) for name in self.rows)


class ByLike(DictStore):
    """Looks by LIKE whether there is a row, and changes that of the id: a start for defects."""

    def is_alike(self, session_id: str) -> bool:
        pattern = ".*".join(re.escape(part) for part in session_id.split("%"))
        return any(re.fullmatch(pattern, name, re.DOTALL) for name in self.rows)


@mutant(NOTHING, "update of the id '%' finds another session")
class UpdateFindsByLike(ByLike):
    """Answers what it has looked up before it writes."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        found = self.is_alike(session_id)
        await super().update(session_id, cost_data=cost_data)
        return found


@mutant(NOTHING, "delete of the id '%' finds another session")
class DeleteFindsByLike(ByLike):
    """Answers what it has looked up before it deletes."""

    async def delete(self, session_id: str) -> bool:
        found = self.is_alike(session_id)
        await super().delete(session_id)
        return found


class Composing(DictStore):
    """Takes ids of one NFC for one in an operation: a start for defects."""

    def others(self, session_id: str) -> list[str]:
        form = unicodedata.normalize("NFC", session_id)
        alike = [one for one in self.rows if unicodedata.normalize("NFC", one) == form]
        return [one for one in alike if one != session_id]


@mutant(EXACT, "ids that differ in Unicode form are one session for delete")
class DeletesAllForms(Composing):
    """Deletes with a collation."""

    async def delete(self, session_id: str) -> bool:
        for name in self.others(session_id):
            del self.rows[name]
        return await super().delete(session_id)


@mutant(EXACT, "ids that differ in Unicode form are one session for update")
class UpdatesAllForms(Composing):
    """Updates with a collation."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        for name in self.others(session_id):
            await super().update(name, cost_data=cost_data)
        return await super().update(session_id, cost_data=cost_data)


@mutant(EXACT, "ids that differ in Unicode form share cost data")
class DeletesCostsOfAllForms(Composing):
    """Deletes figures with a collation."""

    async def delete(self, session_id: str) -> bool:
        for name in self.others(session_id):
            self.rows[name].costs = "{}"
        return await super().delete(session_id)


def check(session_id: str) -> None:
    """Refuse ids with a tab."""
    if "\t" in session_id:
        raise InvalidSessionIdError("a tab is not allowed")


@mutant(SAME, "save takes an id with a tab, and create refuses it")
class OnlyCreateChecks(DictStore):
    """Validates POST, and not PUT."""

    async def create(self, session_id: str | None = None) -> str:
        check(session_id or "")
        return await super().create(session_id)


@mutant(SAME, "create takes an id with a tab, and save refuses it")
class CreateDoesNotCheck(DictStore):
    """Validates ids in paths, and not in bodies."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        check(session_id)
        await super().save(session_id, messages)


@mutant(SAME, "load refuses an id with a tab, and create and save take it")
class LoadChecks(DictStore):
    """Is stricter on the way out."""

    async def load(self, session_id: str) -> list[Json] | None:
        check(session_id)
        return await super().load(session_id)


@mutant(SAME, "exists does not find an id with a tab, and create and save take it")
class ExistsDoesNotFind(DictStore):
    """Takes for missing what it would refuse."""

    async def exists(self, session_id: str) -> bool:
        return "\t" not in session_id and await super().exists(session_id)


@mutant(SAME, "update takes an id with a tab, and create and save refuse it")
class UpdateTakesAnything(DictStore):
    """Says of what it can't find by its id that it is stored."""

    async def create(self, session_id: str | None = None) -> str:
        check(session_id or "")
        return await super().create(session_id)

    async def save(self, session_id: str, messages: list[Json]) -> None:
        check(session_id)
        await super().save(session_id, messages)

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        return "\t" in session_id or await super().update(session_id, cost_data=cost_data)


@mutant(
    NOTHING,
    'the id "\' OR 1=1 --" deletes another session',
    also={SAME: "delete refuses an id with NUL, and create and save take it"},
)
class BuildsItsSql(RowsStore):
    """Puts ids into statements as they are."""

    async def delete(self, session_id: str) -> bool:
        with self.rows() as rows:
            gone = rows.execute(f"DELETE FROM sessions WHERE id = '{session_id}'").rowcount
            rows.execute(f"DELETE FROM costs WHERE id = '{session_id}'")
        return gone > 0


class StarIsAll(DictStore):
    """Takes the id * for all sessions in one operation: a start for defects."""

    def named(self, session_id: str) -> list[Any]:
        return list(self.rows.values()) if session_id == "*" else []


@mutant(NOTHING, "load of the id '*' reads another session")
class LoadsWithAStar(StarIsAll):
    """Loads the first of what matches."""

    async def load(self, session_id: str) -> list[Json] | None:
        for row in self.named(session_id):
            return json.loads(row.messages)  # type: ignore[no-any-return]
        return await super().load(session_id)


@mutant(NOTHING, "get_cost_data of the id '*' reads another session")
class ReadsCostsWithAStar(StarIsAll):
    """Reads the figures of the first of what matches."""

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        for row in self.named(session_id):
            return json.loads(row.costs)  # type: ignore[no-any-return]
        return await super().get_cost_data(session_id)


@mutant(NOTHING, "the id '*' writes another session")
class SavesWithAStar(StarIsAll):
    """Writes all that matches."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        await super().save(session_id, messages)
        for row in self.named(session_id):
            row.messages = self.rows[session_id].messages


@mutant(NOTHING, "the id '*' empties another session")
class CreatesWithAStar(StarIsAll):
    """Clears what is to be made anew."""

    async def create(self, session_id: str | None = None) -> str:
        for row in self.named(session_id or ""):
            row.messages = "[]"
        return await super().create(session_id)


@mutant(NOTHING, "the id '*' writes the cost data of another session")
class UpdatesWithAStar(StarIsAll):
    """Merges into all that matches."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        for row in self.named(session_id):
            row.costs = json.dumps(cost_data)
        return await super().update(session_id, cost_data=cost_data)


@mutant(NOTHING, "the id '*' resets the cost data of another session")
class ResetsCostsWithAStar(StarIsAll):
    """Deletes the figures of all that matches."""

    async def delete(self, session_id: str) -> bool:
        for row in self.named(session_id):
            row.costs = "{}"
        return await super().delete(session_id)
