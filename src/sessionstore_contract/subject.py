"""The store as the harness sees it: each operation is a call that the history remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from . import values
from .clause import OldPlace
from .history import Call, History, MissingOperationError, Step

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from .backend import Lent
    from .effort import Effort
    from .faults import Proxy
    from .interface import Json
    from .power import Recording
    from .secret import Secret


class Stand(Protocol):
    """What the harness lends to a clause besides the store."""

    history: History
    random: random.Random
    """Seeded by the run's seed and the clause."""
    effort: Effort
    capabilities: frozenset[str]

    async def open(self, place: str | None) -> Any:
        """Open one more store on the place of one that is open."""

    async def open_on_fresh_place(self) -> Any:
        """Open one more store on the next place that the clause is lent."""

    async def open_on_old_place(self, old_place: OldPlace) -> Any:
        """Open one more store on the next place that the clause is lent, left so by others.

        Answers the exception if the store refuses to be opened there.
        """

    async def first_user(self, place: str | None, *, is_counted: bool) -> Any:
        """Answer a store on the place of one that is open, whose operations are all first ones.

        Each is made in a process of its own, that ends after it; it says how many calls it made if
        they are counted.
        """

    async def with_row_rights_only(self) -> str | None:
        """Answer the first place for one who may read and write rows and nothing else.

        None where there are no such rights, or where the kit may give nobody any.
        """

    async def tables(self) -> list[str]:
        """Name the tables of the first place that the kit may change."""

    def refusing(self, table: str) -> AbstractAsyncContextManager[bool]:
        """Have a table of the first place refuse rows; answer whether it does."""

    async def open_without_loop(self) -> Any:
        """Open one more store on the first place; its opener is called while no loop runs.

        Answers the exception if there is one.
        """

    async def open_elsewhere(self, place: str | None, *, anew: bool) -> Any:
        """Open one more store on the place of one that is open, in a process of its own.

        `anew`: nothing of it has run before, in any process.
        """

    async def open_recorded(self) -> tuple[Any, Recording]:
        """Open one more store on the first place, in a process whose files are recorded."""

    async def open_or_hear_why(self, place: str | None = None) -> Any:
        """Open one more store, on the first place if no other is named.

        Answers the exception if that can't be done.
        """

    async def crash_server(self) -> None:
        """Stop the server that serves the first place alone without warning, and start it again."""

    async def ends_when_forgotten(self) -> bool:
        """Answer whether a process that uses a store and never closes it ends by itself."""

    async def census(self) -> Mapping[str, int]:
        """Count what this process and the first place's server hold, by what it is."""

    async def open_at(self, place: str, *, token: str | None = None) -> Any:
        """Open one more store at this place, with a token if one is given."""

    async def open_bounded(self, place: str, seconds: float) -> Any:
        """Open one more store at this place, each operation of which takes so long at the most.

        None where the backend does not say how.
        """

    async def terminate(self, proxy: Proxy) -> int:
        """Have the server itself end the connections that came through the proxy.

        Answers how many it ended: none where the kit does not know how to tell it.
        """

    async def stand_between(self) -> Proxy:
        """Stand in front of the place's server; the place to open a store at is the proxy's."""

    async def keep_secret(self) -> Secret:
        """Make a secret of the place, and peers to try it with."""

    def lend(self) -> AbstractAsyncContextManager[tuple[Any, Lent]]:
        """Open one more store on what is lent to it, and take that back at the end."""

    def unused_id(self, stem: str) -> str:
        """Make an id that no session on the place has."""

    async def damage(self, session_id: str) -> None:
        """Make the stored cost data of a session unreadable."""

    async def look_at_old_session(self) -> dict[str, Json] | None:
        """Read the columns of the old session that are not the store's, not through the store."""

    def note(self, text: str) -> None:
        """Put a remark beside the verdict."""


class Subject:
    """One open store under trial."""

    def __init__(self, store: Any, stand: Stand, place: str | None = None) -> None:
        self.instance_number = stand.history.new_instance()
        self.store = store
        """The store itself, for the clauses that look at its shape."""
        self.stand = stand
        self.place = place
        self.is_closed = False
        self._companion: Subject | None = None

    def create(self, session_id: str | None = None) -> Call[str]:
        return self.call("create") if session_id is None else self.call("create", session_id)

    def load(self, session_id: str) -> Call[list[Json] | None]:
        return self.call("load", session_id)

    def save(self, session_id: str, messages: Json) -> Call[None]:
        return self.call("save", session_id, values.copy(messages))

    def update(self, session_id: str, **fields: Json) -> Call[bool]:
        # Copies: what a store does to its arguments must not reach the constants of the clauses.
        return self.call("update", session_id, **values.copy(fields))

    def get_cost_data(self, session_id: str) -> Call[dict[str, Json]]:
        return self.call("get_cost_data", session_id)

    def delete(self, session_id: str) -> Call[bool]:
        return self.call("delete", session_id)

    def exists(self, session_id: str) -> Call[bool]:
        return self.call("exists", session_id)

    def delete_before(self, cutoff: datetime) -> Call[int]:
        return self.call("delete_before", cutoff)

    def close(self) -> Call[None]:
        self.is_closed = True
        return self.call("close")

    def call(self, operation: str, *arguments: Any, **keywords: Any) -> Call[Any]:
        """Make any call, as the interface has it or not."""

        def method(*arguments: Any, **keywords: Any) -> Any:
            # looked up when the call is made: a missing operation is a failed step, not a crash
            found = getattr(self.store, operation, None)
            if found is None:
                raise MissingOperationError(f"the store has no {operation}")
            return found(*map(_another_object, arguments), **keywords)

        return Call(
            self.stand.history, self.instance_number, operation, method, *arguments, **keywords
        )

    def can(self, capability: str) -> bool:
        """Answer whether the backend claims the capability."""
        return capability in self.stand.capabilities

    async def another(self) -> Subject:
        """Open one more instance on the same place."""
        return await self.stand.open(self.place)  # type: ignore[no-any-return]

    async def on_fresh_place(self) -> Subject:
        """Open one more store on a place that nobody has used; the clause says how many it needs.

        Where all have one place it is that one, and the verdict says so.
        """
        return await self.stand.open_on_fresh_place()  # type: ignore[no-any-return]

    async def on_old_place(self, old_place: OldPlace = OldPlace.WITHOUT_COST_DATA) -> Subject:
        """Open one more store on the next place, which an earlier release has left behind.

        Raises:
            NothingFound: it could not be opened there; `on_place_of_others` answers that.
        """
        opened = await self.stand.open_on_old_place(old_place)
        if isinstance(opened, Exception):
            raise opened
        return opened  # type: ignore[no-any-return]

    async def on_place_of_others(self) -> Subject | Exception:
        """Open one more store on a place with a table of the same name that is not a store's.

        Answers the exception if the store refuses to be opened there.
        """
        return await self.stand.open_on_old_place(OldPlace.FOREIGN_TABLE)  # type: ignore[no-any-return]

    async def first_user(self, *, is_counted: bool = False) -> Subject:
        """Answer a store on the same place whose operations are all first ones.

        Each is made in a process of its own, that ends after it; it says how many calls it made if
        they are counted.
        """
        return await self.stand.first_user(  # type: ignore[no-any-return]
            self.place, is_counted=is_counted
        )

    async def without_loop(self) -> Subject | Exception:
        """Open one more instance on the first place; its opener is called while no loop runs.

        Answers the exception if there is one.
        """
        return await self.stand.open_without_loop()  # type: ignore[no-any-return]

    async def companion(self) -> Subject:
        """Open one more instance on the same place, or answer the one that was opened so before.

        The examples of a clause share it, as they share this one.
        """
        if self._companion is None:
            self._companion = await self.another()
        return self._companion

    async def reopen(self) -> None:
        """Close this instance; another one on the same place takes its place here."""
        await self.close()
        successor = await self.another()
        self.store, self.instance_number = successor.store, successor.instance_number
        self.is_closed, successor.is_closed = False, True

    async def elsewhere(self, *, anew: bool = False) -> Subject:
        """Open one more instance on the same place, in a process of its own.

        `anew`: a new interpreter, to which nothing was handed down that draws at random.
        """
        return await self.stand.open_elsewhere(self.place, anew=anew)  # type: ignore[no-any-return]

    async def limit_files(self, size: int | None) -> None:
        """Let no file of this instance's process, if `elsewhere` opened it, grow past these bytes.

        None lifts the limit. Writing more fails there as it does on a full disk.
        """
        await self.store.limit_files(size)

    async def die_after(self, answers: int) -> None:
        """Have the process of this instance, if `elsewhere` opened it, kill itself.

        It does so right after it has given so many more answers, before anything else runs in it.
        """
        self.is_closed = True
        await self.store.die_after(answers)

    async def killed(self) -> None:
        """Kill the process of this instance, unless it has ended, and hear all that it said."""
        self.is_closed = True
        await self.store.killed()

    def unused_id(self, stem: str = "session") -> str:
        """Make an id that no session on the place has."""
        return self.stand.unused_id(stem)


def _another_object(argument: Any) -> Any:
    """Answer an equal text that is another object: each request brings its own.

    Where all calls had one object, a store that takes its identity for the text would be right.
    """
    return argument[:1] + argument[1:] if type(argument) is str else argument


async def at_once(*calls: Call[Any]) -> list[Step]:
    """Make all calls at once, from a barrier, and answer their steps in the order given."""
    return [steps[0] for steps in await side_by_side(*([call] for call in calls))]


async def side_by_side(
    *sequences: Iterable[Call[Any]], stagger: random.Random | None = None
) -> list[list[Step]]:
    """Make the calls of each sequence in turn, and all sequences at once, from a barrier.

    With `stagger` each call waits for a few turns of the loop, drawn from it: clients that go in
    step with each other meet at the same points only.
    """
    barrier = asyncio.Event()

    async def in_turn(calls: Iterable[Call[Any]]) -> list[Step]:
        await barrier.wait()
        steps = []
        for call in calls:
            for _ in range(stagger.randrange(4) if stagger else 0):
                await asyncio.sleep(0)
            steps.append(await call.perform(is_expected=True))
        return steps

    tasks = [asyncio.ensure_future(in_turn(calls)) for calls in sequences]
    await asyncio.sleep(0)
    barrier.set()
    return await asyncio.gather(*tasks)
