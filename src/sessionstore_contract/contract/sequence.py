"""Whatever is called in whatever order, the model says what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..capabilities import Capability
from ..clause import must
from .procedures.playing import play
from .procedures.programs import programs, programs_for_two_instances, programs_with_reopening

if TYPE_CHECKING:
    from ..subject import Subject
    from .procedures.programs import Program

PLAIN = ("lifecycle", "messages", "cost", "isolation", "retention")
"""The areas of which a program has a part of everything."""

RULES = (
    "`create` makes a session with [] and {}, and refuses an id that exists; `save` replaces "
    "messages, and makes a missing session; `update` merges one level deep and never makes one; "
    "`delete` and `delete_before` leave nothing behind. "
)


@must(
    "sequence.follows-the-model",
    "Any sequence of operations is answered as the model answers it: sessions in a dict, each with "
    "its messages and its cost data.",
    because="What breaks in use is what two operations leave for a third: a session that was "
    "deleted and made again, a save between two updates, a cache that nobody told.",
    remedy=RULES + "Keep no second copy of what is stored: no cache of existence, no list of "
    "deleted ids, no buffer that an operation passes by.",
    examples=programs,
    covers=PLAIN,
)
async def follows_the_model(store: Subject, program: Program) -> None:
    await play(program, store)


@must(
    "sequence.instances-follow-the-model",
    "Any sequence of operations is answered as the model answers it, whichever of two instances "
    "each one is called on.",
    because="The turns of one chat are served by several workers; each of them has to go on where "
    "the others stopped.",
    remedy=RULES + "Ask the storage each time; what an instance remembers of a session is wrong "
    "as soon as another one has written it, deleted it or made it again.",
    needs={Capability.SHARED},
    examples=programs_for_two_instances,
    covers=[*PLAIN, "sharing"],
)
async def instances_follow_the_model(store: Subject, program: Program) -> None:
    await play(program, store, await store.companion())


@must(
    "sequence.reopening-follows-the-model",
    "Any sequence of operations is answered as the model answers it, also when the store is closed "
    "in the middle and opened again.",
    because="A server is restarted between two turns of a chat, and nobody tells the user.",
    remedy=RULES + "Write each change to the place before you answer, deletions and empty values "
    "too; nothing that matters is left to `close`, and nothing is restored from an older copy.",
    needs={Capability.DURABLE},
    examples=programs_with_reopening,
    covers=[*PLAIN, "durability"],
)
async def reopening_follows_the_model(store: Subject, program: Program) -> None:
    await play(program, store)
