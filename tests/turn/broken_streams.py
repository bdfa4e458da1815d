"""Chat servers whose streams are accounted for by code of their own, which has one defect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sessionstore_contract.turn.system import Figures

from . import broken_accumulators, broken_carriers
from .defect import mutant
from .servers import Conversation, PlainServer

if TYPE_CHECKING:
    from .accumulators import Plain


class StreamsApart(PlainServer):
    """Streams have an accumulator of their own; both count under the same locks."""

    of_streams: type[Plain]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.counting_streams = self.of_streams(self.store, self.counting.name)
        self.counting_streams.locks = self.counting.locks

    async def count(self, one: Conversation, session: str) -> None:
        if one.usage is not None:
            counting = self.counting_streams if one.is_stream else self.counting
            await counting.record(session, Figures(one.turn_id, one.model, one.usage))

    async def drain(self) -> None:
        await super().drain()
        await self.counting_streams.drain()


@mutant("failed-read-never-lowers-totals", "a read that raises costs all that was counted before")
class TakesAFailedReadForNothingInStreams(StreamsApart):
    of_streams = broken_carriers.TakesAFailedReadForNothing


@mutant("failed-read-never-lowers-totals", "a read that raises costs the turn")
class DropsTheTurnWhenReadingFailsInStreams(StreamsApart):
    of_streams = broken_carriers.DropsTheTurnWhenReadingFails


@mutant("failed-write-is-counted-later", "a write that raises costs the turn")
class DropsTheTurnWhenWritingFailsInStreams(StreamsApart):
    of_streams = broken_carriers.DropsTheTurnWhenWritingFails


@mutant("other-keys-stand", "the accumulator writes back what it read of others")
class WritesBackWhatItReadInStreams(StreamsApart):
    of_streams = broken_accumulators.WritesBackWhatItRead


@mutant("write-only-store-gets-the-delta", "nothing is written to a store that can't be read")
class WritesNothingUnreadInStreams(StreamsApart):
    of_streams = broken_carriers.WritesNothingUnread


@mutant("write-only-store-gets-the-delta", "sums are written to a store that can't be read")
class SumsUpUnreadInStreams(StreamsApart):
    of_streams = broken_carriers.SumsUpUnread


@mutant("bad-figures-are-not-added", "a negative figure is added")
class AddsNegativeFiguresInStreams(StreamsApart):
    of_streams = broken_accumulators.AddsNegativeFigures


@mutant("usage-is-accumulated", "the model is that of the first turn")
class KeepsTheFirstModelInStreams(StreamsApart):
    of_streams = broken_accumulators.KeepsTheFirstModel


@mutant(
    "recorded-twice-counts-once",
    "a turn that is recorded twice is counted twice",
    also=("uncertain-write-counts-once",),
)
class KnowsNoIdsInStreams(StreamsApart):
    of_streams = broken_accumulators.KnowsNoIds


@mutant(
    "recorded-twice-counts-once",
    "a restart forgets which turns are counted",
    also=("uncertain-write-counts-once",),
)
class KnowsIdsInMemoryInStreams(StreamsApart):
    of_streams = broken_accumulators.KnowsIdsInMemory


@mutant("slow-store-holds-up-only-its-session", "chats of other sessions wait for the store of one")
class OneStreamAtATime(PlainServer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.one = asyncio.Lock()

    def patience(self) -> float:
        return 0.2  # the other session waits as long, and longer

    async def stream(self, one: Conversation, receive: Any, send: Any) -> None:
        async with self.one:
            await super().stream(one, receive, send)
