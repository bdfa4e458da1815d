"""Stores that tell of what failed by what a chat says."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from reference_backends.http_connection import Connection, Reply
from sessionstore_contract.interface import (
    SessionExistsError,
    SessionStoreError,
    UnstorableValueError,
)

from .correct import DictStore, Row, RowsStore
from .defect import mutant
from .obstacles import WithoutLockFile
from .platform_stores import PlatformStore
from .postgres_pools import Pooled
from .security import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstore_contract.interface import Json

CLAUSE = "security.contents-stay-out-of-errors"
SAVE = "save raises an exception that shows the text of a message"
LOG = logging.getLogger(__name__)
LOG.addHandler(logging.NullHandler())  # else it is printed
LOGGER = "the logger tests.mutants.contents shows the text of a message"


# Values that are refused -------------------------------------------------------------------------


@mutant(CLAUSE, SAVE)
class QuotesWhatItRefuses(DictStore):
    """Says which messages it was that it can't keep."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            raise UnstorableValueError(f"can't be kept: {messages!r}") from None


@mutant(CLAUSE, "update raises an exception that shows a value of cost data")
class QuotesCostData(DictStore):
    """Is careful with messages alone."""

    async def update(self, session_id: str, *, cost_data: dict[str, Json] | None = None) -> bool:
        try:
            return await super().update(session_id, cost_data=cost_data)
        except UnstorableValueError:
            raise UnstorableValueError(f"{session_id}: no figures: {cost_data!r}") from None


@mutant(CLAUSE, "create raises an exception that shows the text of a message")
class QuotesWhoIsThere(DictStore):
    """Says what the session holds that has the id already."""

    async def create(self, session_id: str | None = None) -> str:
        row = session_id and self.row(session_id)
        if row:
            raise SessionExistsError(f"{session_id} exists: {row}")
        return await super().create(session_id)


@mutant(CLAUSE, SAVE)
class ChainsWhatQuotes(QuotesWhatItRefuses):
    """Says nothing itself, and chains what does."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError as error:
            raise UnstorableValueError(f"the messages of {session_id} can't be kept") from error


@mutant(CLAUSE, SAVE)
class LeavesItInTheContext(QuotesWhatItRefuses):
    """Raises in the `except` of what quotes."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            raise UnstorableValueError("the messages can't be kept")  # noqa: B904 - the defect


@mutant(CLAUSE, SAVE)
class NotesWhatItWasGiven(DictStore):
    """Adds a note to the exception."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError as error:
            error.add_note(f"in save({session_id!r}, {messages!r})")
            raise


class NotSavedError(SessionStoreError):
    """Has all of it in its arguments, and a text of its own."""

    def __str__(self) -> str:
        return "the session was not saved"


@mutant(CLAUSE, SAVE)
class KeepsItInArgs(DictStore):
    """Raises what `repr` shows, and `str` does not."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            raise NotSavedError(session_id, messages) from None


@mutant(CLAUSE, SAVE)
class RaisesAGroup(QuotesWhatItRefuses):
    """Raises what a task group raises."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError as error:
            raise ExceptionGroup("in a task", [error]) from None


# Logs --------------------------------------------------------------------------------------------


class Telling(DictStore):
    """Tells of a refused save: a start for defects."""

    def tell(self, session_id: str, messages: list[Json]) -> None:
        """Say which messages were refused."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            self.tell(session_id, messages)
            raise


@mutant(CLAUSE, LOGGER)
class LogsWhatItDidNotSave(Telling):
    """Logs the messages as an error."""

    def tell(self, session_id: str, messages: list[Json]) -> None:
        LOG.error("not saved: %s %r", session_id, messages)


@mutant(CLAUSE, LOGGER)
class LogsTheTraceback(QuotesWhatItRefuses):
    """Logs, with its traceback, what it does not raise."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        try:
            await super().save(session_id, messages)
        except UnstorableValueError:
            LOG.warning("not saved", exc_info=True)
            failure = UnstorableValueError("the messages can't be kept")
        else:
            return
        raise failure from None


@mutant(CLAUSE, LOGGER)
class LogsAField(Telling):
    """Puts the messages into a field of the record, for logs that are JSON."""

    def tell(self, session_id: str, messages: list[Json]) -> None:
        fields = {"session": session_id, "messages": messages}
        LOG.warning("not saved", extra=fields)


# Storages that fail ------------------------------------------------------------------------------


class StatementError(Exception):
    """What an SQL toolkit raises instead of the driver's error."""


class Rows:
    """A cursor that tells what it was given when it fails."""

    def __init__(self, rows: sqlite3.Connection) -> None:
        self.rows = rows

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        try:
            return self.rows.execute(statement, parameters)
        except sqlite3.Error as error:
            said = f"{error}\n[SQL: {statement}]\n[parameters: {tuple(parameters)}]"
            raise StatementError(said) from error

    def executemany(self, statement: str, parameters: Any) -> sqlite3.Cursor:
        return self.rows.executemany(statement, parameters)


@mutant(CLAUSE, SAVE)
class QuotesParameters(RowsStore):
    """Quotes the parameters of a statement that fails, as SQLAlchemy does if it is not told."""

    @contextmanager
    def rows(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        with super().rows(wait) as rows:
            yield Rows(rows)  # type: ignore[misc]  # it does what the operations need


@mutant(CLAUSE, SAVE)
class QuotesWhatItCantWrite(WithoutLockFile):
    """Says what was to be in a file that can't be written."""

    def write(self, session_id: str, row: Row) -> None:
        try:
            super().write(session_id, row)
        except OSError as error:
            raise OSError(error.errno, f"{row.messages} can't be written") from None


@mutant(CLAUSE, SAVE)
class LetsTheServersDetailOut(Pooled):
    """Raises the driver's exception, whose text quotes the row that was refused."""

    storage: ClassVar[str] = "postgres"


class HidesParameters(Pooled):
    """Raises its own exception from the driver's: a start for defects."""

    storage: ClassVar[str] = "postgres"

    def failure(self, error: Exception, arguments: tuple[str, ...]) -> Exception:
        """Answer what to raise."""
        del arguments
        return SessionStoreError(type(error).__name__)

    async def _value(self, statement: str, *arguments: str) -> Any:
        try:
            return await super()._value(statement, *arguments)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            failure = self.failure(error, arguments)
        raise failure


@mutant(CLAUSE, SAVE)
class QuotesWhileAway(HidesParameters):
    """Says what could not be sent, when there is nobody to send it to."""

    def failure(self, error: Exception, arguments: tuple[str, ...]) -> Exception:
        if isinstance(error, ConnectionRefusedError):
            return SessionStoreError(f"not sent: {arguments}")
        return super().failure(error, arguments)


class Echoing(Connection):
    """Tells the body of a refusal."""

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        reply = await super().ask(method, path, body, **rest)
        if reply.status == 422 and reply.code is None:
            raise unavailable(f"{reply.asked} answered 422: {reply.body!r}")
        return reply


@mutant(CLAUSE, SAVE)
class QuotesTheAnswer(PlatformStore):
    """Tells why it was refused, in the server's words: FastAPI's echo the request."""

    connection_kind: ClassVar[type[Connection]] = Echoing


class Sending(Connection):
    """Tells what it has sent when that has failed."""

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        reply = await super().ask(method, path, body, **rest)
        if reply.status >= 500:
            raise unavailable(f"{reply.asked} failed with {body!r}")
        return reply


@mutant(CLAUSE, SAVE)
class QuotesTheRequest(PlatformStore):
    """Tells what was asked of a server that has failed."""

    connection_kind: ClassVar[type[Connection]] = Sending


class Reading(Connection):
    """Tells what it can't read."""

    async def ask(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> Reply:
        reply = await super().ask(method, path, body, **rest)
        if reply.status == 200:
            try:
                json.loads(reply.body)
            except ValueError:
                raise unavailable(f"no JSON: {reply.body!r}") from None
        return reply


@mutant(CLAUSE, "load raises an exception that shows the text of a message")
class QuotesWhatItCantRead(PlatformStore):
    """Tells an answer that is cut off."""

    connection_kind: ClassVar[type[Connection]] = Reading
