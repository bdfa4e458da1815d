"""Stores that make more of data than data, or that show what is secret."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import logging
import re
import sys
from collections import OrderedDict
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anyio
import httpx

from reference_backends.http_connection import Connection, Reply
from sessionstore_contract.interface import (
    Json,
    StoreClosedError,
    StoreUnavailableError,
    UnstorableValueError,
)

from .correct import DictStore
from .defect import mutant
from .platform_stores import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

# Data --------------------------------------------------------------------------------------------


class Reviving(DictStore):
    """Decodes with hooks: a start for defects."""

    def revive(self, value: Any) -> Any:
        """Make of a value, whose members were revived, whatever it looks like."""
        return value

    def revived(self, value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: self.revived(member) for key, member in value.items()}
        elif isinstance(value, list):
            value = [self.revived(member) for member in value]
        return self.revive(value)

    async def load(self, session_id: str) -> list[Json] | None:
        found = await super().load(session_id)
        return None if found is None else self.revived(found)

    async def get_cost_data(self, session_id: str) -> dict[str, Json]:
        found: dict[str, Json] = self.revived(await super().get_cost_data(session_id))
        return found


@mutant("security.answers-are-plain-data", "load answers jsonpickle's py/reduce as ")
class RevivesTuples(Reviving):
    """Decodes as jsonpickle does."""

    def revive(self, value: Any) -> Any:
        is_tuple = isinstance(value, dict) and value.keys() == {"py/tuple"}
        return tuple(value["py/tuple"]) if is_tuple else value


@mutant("security.answers-are-plain-data", "a module that stored data names is imported")
class ImportsWhatDataNames(Reviving):
    """Looks for the class that a value names, and leaves the value as it is."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(place)
        sys.modules.pop("tabnanny", None)

    def revive(self, value: Any) -> Any:
        named = value.get("py/object") if isinstance(value, dict) else None
        if isinstance(named, str):
            importlib.import_module(named.partition(".")[0])
        return value


@mutant("security.answers-are-plain-data", "load answers a __class__ member as Decimal('1.5')")
class RevivesClasses(Reviving):
    """Makes the object that a member names."""

    def revive(self, value: Any) -> Any:
        is_decimal = isinstance(value, dict) and value.get("__class__") == "Decimal"
        return Decimal(value["value"]) if is_decimal else value


@mutant("security.answers-are-plain-data", "load answers MongoDB's $oid as b")
class RevivesExtendedJson(Reviving):
    """Decodes as MongoDB's extended JSON."""

    def revive(self, value: Any) -> Any:
        is_oid = isinstance(value, dict) and value.keys() == {"$oid"}
        return bytes.fromhex(value["$oid"]) if is_oid else value


@mutant("security.answers-are-plain-data", "load answers a __bytes__ member as b'hi'")
class RevivesBytes(Reviving):
    """Has a tag of its own for bytes, and takes that of others for it."""

    def revive(self, value: Any) -> Any:
        is_bytes = isinstance(value, dict) and value.keys() == {"__bytes__"}
        return base64.b64decode(value["__bytes__"]) if is_bytes else value


@mutant("security.answers-are-plain-data", "load answers a YAML tag as ")
class RunsYamlTags(Reviving):
    """Calls what a tag names, as an unsafe YAML loader does."""

    def revive(self, value: Any) -> Any:
        found = re.fullmatch(r"!!python/object/apply:(\w+)\.(\w+) \[\]", str(value))
        if not isinstance(value, str) or found is None:
            return value
        return getattr(importlib.import_module(found[1]), found[2])()


@mutant(
    "security.answers-are-plain-data",
    "load answers a date as [datetime.date(2024, 1, 31)",
    also={"values.json-round-trips": "'2026-01-02' comes back as datetime.date(2026, 1, 2)"},
)
class RevivesDates(Reviving):
    """Takes a text that looks like a date for one, as YAML and SQLite's detect_types do."""

    def revive(self, value: Any) -> Any:
        is_date = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)
        return date.fromisoformat(value) if is_date else value


@mutant(
    "security.answers-are-plain-data",
    "load answers a text that is JSON as {'role'",
    also={"values.json-round-trips": "'{}' comes back as {}"},
)
class DecodesTwice(Reviving):
    """Decodes texts that look like JSON objects."""

    def revive(self, value: Any) -> Any:
        try:
            found = json.loads(value) if isinstance(value, str) and value.startswith("{") else None
        except ValueError:
            return value
        return value if found is None else found


@mutant(
    "security.answers-are-plain-data",
    "load answers a collections.OrderedDict, not a plain object",
)
class AnswersOrderedDicts(Reviving):
    """Hands out the driver's own kind of object."""

    def revive(self, value: Any) -> Any:
        return OrderedDict(value) if isinstance(value, dict) and "role" in value else value


class Text(str):
    """A driver's own kind of text."""

    __slots__ = ()


@mutant("security.answers-are-plain-data", "get_cost_data answers a tests.mutants.security.Text")
class AnswersTextsOfItsOwn(Reviving):
    """Hands out the driver's own kind of text in cost data."""

    async def load(self, session_id: str) -> list[Json] | None:
        return await DictStore.load(self, session_id)

    def revive(self, value: Any) -> Any:
        return Text(value) if isinstance(value, str) else value


@mutant("security.answers-are-plain-data", "load raised KeyError: 'value'")
class StumblesOverLookalikes(Reviving):
    """Takes a value for an object of its own, and finds that it is none."""

    def revive(self, value: Any) -> Any:
        return value["value"] if isinstance(value, dict) and "py/object" in value else value


@mutant(
    "security.answers-are-plain-data",
    "'2024-01-31' comes back as datetime.date(2024, 1, 31)",
    also={"values.json-round-trips": "'2026-01-02' comes back as datetime.date(2026, 1, 2)"},
)
class RefusesTagsAndRevivesDates(RevivesDates):
    """Refuses one kind of what it might revive, and revives the other."""

    async def save(self, session_id: str, messages: list[Json]) -> None:
        if "!!python" in str(messages):
            raise UnstorableValueError("a tag can't be kept")
        await super().save(session_id, messages)


# Secrets -----------------------------------------------------------------------------------------


@mutant("security.secrets-stay-secret", "the repr of the store shows the token")
class ShowsItselfWithToken(TokenStore):
    """Has the repr of a dataclass."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(token={self.token!r})"


class HeaderLogger(Connection):
    """Logs what it sends, for debugging."""

    def _headers(self) -> dict[str, str]:
        headers = super()._headers()
        logging.getLogger(__name__).debug("sending %s", headers)
        return headers


@mutant("security.secrets-stay-secret", "the logger tests.mutants.security shows the token")
class LogsHeaders(TokenStore):
    """Logs what it sends."""

    connection_kind: ClassVar[type[Connection]] = HeaderLogger


class Unredacted(Connection):
    """Leaves it to the client what is logged of the peer's words."""

    def _open_client(self) -> Any:
        client = super()._open_client()
        if self._redaction is not None:
            self._redaction.lift()
        return client


@mutant("security.secrets-stay-secret", "the logger http")
class LetsTheClientLog(TokenStore):
    """Lets the client log the peer's words."""

    connection_kind: ClassVar[type[Connection]] = Unredacted


class Quoting(Connection):
    """Puts the body of an answer into its message."""

    async def ask(self, method: str, path: str, body: Json = None, **rest: Any) -> Reply:
        reply = await super().ask(method, path, body, **rest)
        if reply.status >= 400 and reply.code is None:
            raise unavailable(f"the platform says {reply.body!r}")
        return reply


def unavailable(message: str) -> StoreUnavailableError:
    return StoreUnavailableError(message, is_retry_safe=False)


@mutant(
    "security.secrets-stay-secret",
    "create raises an exception that shows the token",
    also={
        "security.contents-stay-out-of-errors": "save raises an exception that shows the text of a "
        "message"
    },
)
class QuotesThePeer(TokenStore):
    """Tells the peer's words."""

    connection_kind: ClassVar[type[Connection]] = Quoting


class Direct(Connection):
    """Raises what the client raises, which quotes an answer that it can't read."""

    is_chained = False

    def complain(self, error: httpx.HTTPError) -> Exception:
        """Answer what to raise from the client's error."""
        return error

    async def ask(self, method: str, path: str, body: bytes | None = None, **_rest: Any) -> Reply:
        with self.under_way():
            try:
                response = await self._open_client().request(
                    method,
                    self.url + path,
                    content=body,
                    headers=self._headers(),
                    most=2**20,
                    follow_redirects=False,
                )
            except httpx.HTTPError as error:
                raise self.complain(error) from (error if self.is_chained else None)
            return Reply(f"{method} {path}", response.status_code, response.content or b"")
        raise StoreClosedError("the store was closed before the answer came")

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Let `close` end what is asked, and wait for that."""
        asking: Any = asyncio.current_task()
        with anyio.CancelScope() as scope:
            self._under_way[asking] = scope
            try:
                yield
            finally:
                del self._under_way[asking]


@mutant("security.secrets-stay-secret", "create raises an exception that shows the token")
class LetsTheDriversErrorOut(TokenStore):
    """Raises the client's error as it is."""

    connection_kind: ClassVar[type[Connection]] = Direct


class Chaining(Direct):
    """Raises an error of its own from the client's, which a traceback shows."""

    is_chained = True

    def complain(self, error: httpx.HTTPError) -> Exception:
        return unavailable(f"{type(error).__name__}: the platform did not answer")


@mutant("security.secrets-stay-secret", "create raises an exception that shows the token")
class ChainsTheDriversError(TokenStore):
    """Hides the client's error, and chains it."""

    connection_kind: ClassVar[type[Connection]] = Chaining


class Noting(Direct):
    """Tells in a note what was asked."""

    def complain(self, error: httpx.HTTPError) -> Exception:
        found = unavailable(f"{type(error).__name__}: the platform did not answer")
        found.add_note(f"asked with {self._headers()}")
        return found


@mutant("security.secrets-stay-secret", "create raises an exception that shows the token")
class AddsANote(TokenStore):
    """Adds a note with the headers."""

    connection_kind: ClassVar[type[Connection]] = Noting


class QuietError(StoreUnavailableError):
    """Says nothing, and holds all."""

    def __str__(self) -> str:
        return "the platform did not answer"

    def __repr__(self) -> str:
        return "QuietError()"


class Holding(Direct):
    """Keeps the headers in the arguments of the exception, which error trackers send."""

    def complain(self, error: httpx.HTTPError) -> Exception:
        return QuietError(f"{error}: {self._headers()}", is_retry_safe=False)


@mutant("security.secrets-stay-secret", "create raises an exception that shows the token")
class HoldsItInArgs(TokenStore):
    """Raises what says nothing, and holds all."""

    connection_kind: ClassVar[type[Connection]] = Holding


@mutant("security.secrets-stay-secret", "opening the store raises an exception that shows")
class OpensWithAQuestion(TokenStore):
    """Looks at the place when it is opened, and tells whom it asked."""

    @classmethod
    async def open_with_token(cls, url: str, token: str) -> Self:  # type: ignore[override]
        made = cls(url, token=token)
        try:
            await made.exists("anything")
        except StoreUnavailableError as error:
            await made.close()
            raise RuntimeError(f"no platform at {url} lets {token} in") from error
        return made
