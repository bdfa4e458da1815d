"""Stores on a platform that make something of their own of an outage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from sessionstore_contract.interface import StoreUnavailableError

from .defect import mutant
from .networks import Remembering
from .platform_stores import PlatformStore

if TYPE_CHECKING:
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
