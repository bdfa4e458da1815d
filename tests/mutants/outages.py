"""Stores on a platform that make something of their own of an outage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import StoreUnavailableError

from .defect import mutant
from .networks import Remembering, Retrying
from .platform_stores import PlatformStore
from .raw_connection import RawStore

if TYPE_CHECKING:
    from reference_backends.http_connection import Connection
    from sessionstore_contract.interface import Json


@mutant(
    "faults.a-failed-read-raises",
    "load answers [{'role': 'user', 'content': 'one'}, {'",
)
class RemembersWhatOthersHaveChanged(Remembering):
    """Shares its platform, and answers from memory what another instance has written over."""

    claims: ClassVar[frozenset[str]] = PlatformStore.claims


@mutant(
    "faults.answers-are-checked",
    "load neither answers nor raises to the status 429",
    timeout=3.0,
)
class TriesAgainWithoutEnd(PlatformStore):
    """Waits until its platform has time for it."""

    async def load(self, session_id: str) -> list[Json] | None:
        while True:
            try:
                return await super().load(session_id)
            except StoreUnavailableError as error:
                if "answered 429" not in str(error):
                    raise
                await asyncio.sleep(0.05)


class RetryingAll(Retrying):
    repeated: ClassVar[frozenset[str]] = frozenset({"GET", "PUT", "PATCH", "POST", "DELETE"})


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "save was answered, and is made after a newer one",
)
class TriesEverythingAgain(RawStore):
    """Sends again what was made already, whatever others have written since."""

    connection_kind: ClassVar[type[Connection]] = RetryingAll


class RetryingUpdates(Retrying):
    repeated: ClassVar[frozenset[str]] = frozenset({"GET", "PATCH"})


@mutant(
    "faults.lost-answer-is-not-applied-twice",
    "update was answered, and is made after a newer one",
)
class TriesUpdatesAgain(RawStore):
    """Takes a merge for something that may be made twice."""

    connection_kind: ClassVar[type[Connection]] = RetryingUpdates
