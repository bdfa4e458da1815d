"""What a clause is lent: stores on its places, other processes, proxies, and all that undoes it."""

from __future__ import annotations

import asyncio
import inspect
import random
import secrets
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from . import census, expect, forgotten, old_layout, refusals, row_rights
from .address import NoAddressError
from .faults import Proxy
from .forks import FirstUser, Forks
from .history import History, Step, word_error
from .lending import ONE_FOR_ALL, Lending
from .opening import OpenerError, call_opener, open_store, settled
from .power import NotRecordedError, Recording
from .secret import Secret, secret_for
from .storage import StorageUnavailableError
from .subject import Subject
from .termination import terminated
from .worker import RemoteStore, UnnamedOpenerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager

    from .backend import Backend, Lent
    from .clause import Clause, OldPlace
    from .effort import Effort

T = TypeVar("T")

GRACE = 2.0
"""Seconds beyond the time-out of a call before its loop counts as blocked."""


class OpeningFailed(Exception):  # noqa: N818 - an outcome, told as what happened
    """The backend could not be opened on a place."""


class OpeningHung(OpeningFailed):
    """Opening did not end in time."""


class Lender:
    """Lends a clause what it needs, and knows what is to be closed and ended afterwards."""

    def __init__(
        self,
        clause: Clause,
        backend: Backend,
        place: str | None,
        *,
        effort: Effort,
        seed: int,
        on_begin: Callable[[Step], None],
        lending: Lending | None = None,
    ) -> None:
        self.clause = clause
        self.backend = backend
        self.place = place
        self.lending = lending or Lending((place,))
        self.effort = effort
        self.seed = seed
        self.random = random.Random(f"{seed}:{clause.id}")  # noqa: S311 - it must be repeatable
        self.history = History(timeout=backend.timeout, on_begin=on_begin)
        self.capabilities = frozenset(str(one) for one in backend.capabilities)
        self.notes: list[str] = []
        self.phase = "opening"
        self.phase_began = time.monotonic()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.done = threading.Event()
        """Set when nothing more is lent."""
        self._subjects: list[Subject] = []
        self._endings: list[Callable[[], Awaitable[Any]]] = []
        self._forks: Forks | None = None
        self._ids = 0
        self._places_used = 1
        self._outside: list[Callable[[], None]] = []
        # Not from the seed: another run with it may have left its sessions on the place.
        self._mark = secrets.token_hex(6)

    async def open(self, place: str | None = None) -> Subject:
        """Open one more store, on the first place if no other is named."""
        return await self._open(self.backend.open, self.place if place is None else place)

    async def open_at(self, place: str, *, token: str | None = None) -> Subject:
        """Open one more store at this place, with a token if one is given."""
        with_token = self.backend.open_with_token
        if token is None or with_token is None:
            return await self._open(self.backend.open, place)
        return await self._open(lambda place: with_token(place, token), place)

    async def open_bounded(self, place: str, seconds: float) -> Subject | None:
        """Open one more store at this place, each operation of which takes so long at the most.

        None where the backend does not say how.
        """
        bounded = self.backend.open_bounded
        if bounded is None:
            return None
        return await self._open(lambda place: bounded(place, seconds), place)

    async def terminate(self, proxy: Proxy) -> int:
        """Have the server itself end the connections that came through the proxy.

        Answers how many it ended: none where the kit does not know how to tell it.
        """
        return await terminated(self.place or "", proxy.numbers())

    async def _open(self, opener: Callable[..., Any], place: str | None) -> Subject:
        before = self.phase, self.phase_began
        self._enter("opening")
        try:
            work = _without_ending_the_loop(open_store(opener, place))
            store, ending = await asyncio.wait_for(work, self.backend.timeout)
        except (asyncio.CancelledError, GeneratorExit, OpeningFailed):
            raise
        except BaseException as error:
            waited = time.monotonic() - self.phase_began
            if isinstance(error, TimeoutError) and waited >= self.backend.timeout:
                raise OpeningHung(f"opening the store did not end within {waited:.0f} s") from None
            raise _failed(error) from error
        finally:
            self.phase, self.phase_began = before
        self._endings.append(ending)
        return self._subject(store, place)

    async def open_on_fresh_place(self) -> Subject:
        """Open one more store on the next place that the clause is lent."""
        number, self._places_used = self._places_used, self._places_used + 1
        place = self.lending.place(number)
        if not self.lending.is_fresh(number):
            self.note(ONE_FOR_ALL)
        return await self.open(place)

    async def open_on_old_place(self, old_place: OldPlace) -> Subject | OpeningFailed:
        """Open one more store on the next place that the clause is lent, left so by others."""
        number, self._places_used = self._places_used, self._places_used + 1
        place = self.lending.place(number)
        await self._leave_behind(old_place, place)
        try:
            return await self.open(place)
        except OpeningFailed as refused:
            return refused

    async def _leave_behind(self, old_place: OldPlace, place: str | None) -> None:
        done = old_layout.filler(self.backend.legacy, old_place)(place or "")
        if inspect.isawaitable(done):
            await done

    async def first_user(self, place: str | None, *, is_counted: bool) -> Subject:
        """Answer a store whose operations are all first ones, each in a process of its own."""
        try:
            if self._forks is None:
                self._forks = await Forks.start(self.backend.open)
                self._endings.append(self._forks.end)
        except (UnnamedOpenerError, RuntimeError) as error:
            raise expect.NothingFound(str(error)) from error
        subject = self._subject(FirstUser(self._forks, place, is_counted=is_counted), place)
        subject.is_closed = True
        return subject

    async def with_row_rights_only(self) -> str | None:
        """Answer the first place for one who may read and write rows and nothing else."""
        if self.backend.storage != "postgres":
            return None
        place, made = await row_rights.given(self.place or "")
        self._endings.append(made.aclose)
        return place

    async def tables(self) -> list[str]:
        """Name the tables of the first place that the kit may change."""
        if self.backend.storage not in {"file", "postgres"}:
            return []
        return await refusals.tables_of(self.place or "")

    def refusing(self, table: str) -> AbstractAsyncContextManager[bool]:
        """Have a table of the first place refuse rows; answer whether it does."""
        return refusals.refusing(self.place or "", table)

    async def open_without_loop(self) -> Subject | Exception:
        """Open one more store; its opener is called while no loop runs in this thread.

        On the same thread, for a store may hold what belongs to the one it was made on.
        """
        before = self.phase, self.phase_began
        self._enter("opening")
        loop = asyncio.get_running_loop()
        called: asyncio.Future[tuple[Any, Exception | None]] = loop.create_future()

        def call() -> None:
            try:
                called.set_result((call_opener(self.backend.open, self.place), None))
            except Exception as error:  # noqa: BLE001 - what an opener raises is data
                called.set_result((None, error))
            except (SystemExit, KeyboardInterrupt) as error:
                called.set_result((None, _failed(error)))

        self._outside.append(call)
        loop.stop()
        made, error = await called
        if error is None:
            try:
                work = _without_ending_the_loop(settled(made))
                store, ending = await asyncio.wait_for(work, self.backend.timeout)
            except Exception as raised:  # noqa: BLE001 - what an opener raises is data
                error = raised
        self.phase, self.phase_began = before
        if error is not None:
            return error
        self._endings.append(ending)
        return self._subject(store, self.place)

    async def stand_between(self) -> Proxy:
        """Stand in front of the place's server."""
        try:
            proxy = Proxy(self.place or "")
        except NoAddressError as error:
            raise expect.NothingFound(str(error)) from error
        self._endings.append(_ending(proxy.close))
        return proxy

    async def keep_secret(self) -> Secret:
        """Make a secret of the place, and peers to try it with."""
        secret, made = await secret_for(
            self.place or "",
            takes_token=self.backend.open_with_token is not None,
            may_make_roles=self.backend.storage == "postgres",
        )
        self._endings.append(made.aclose)
        return secret

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[tuple[Subject, Lent]]:
        """Open one more store on what is lent to it, and take that back at the end."""
        if self.backend.lend is None or self.place is None:
            raise expect.NothingFound("the backend gives no lend=, or there is no place")
        try:
            holder = self.backend.lend(self.place)
            lent = await holder.__aenter__()
        except Exception as error:
            raise OpeningFailed(f"lend= raised {word_error(error)}") from error

        async def take_back() -> None:
            await holder.__aexit__(None, None, None)

        self._endings.append(take_back)
        yield self._subject(lent.store, self.place), lent
        # Not after a failure: what comes of it then must not hide what was found.
        self._endings.remove(take_back)
        await take_back()

    async def open_elsewhere(
        self,
        place: str | None = None,
        *,
        anew: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Subject:
        """Open one more store, in a process of its own."""
        where = self.place if place is None else place
        try:
            store = await RemoteStore.open(self.backend.open, where, environment, anew=anew)
        except UnnamedOpenerError as error:
            raise expect.NothingFound(str(error)) from error
        except Exception as error:
            raise OpeningFailed(
                f"opening the store in a process of its own raised {word_error(error)}"
            ) from error
        self._endings.append(store.end)
        return self._subject(store, where)

    async def open_recorded(self) -> tuple[Subject, Recording]:
        """Open one more store on the first place, in a process whose files are recorded."""
        try:
            recording = await asyncio.to_thread(Recording, self.place or "")
        except NotRecordedError as error:
            raise expect.NothingFound(str(error)) from error
        self._endings.append(_ending(recording.close))
        return await self.open_elsewhere(environment=recording.environment), recording

    async def open_or_hear_why(self, place: str | None = None) -> Subject | OpeningFailed:
        """Open one more store, on the first place if no other is named.

        Answers the exception if that can't be done.
        """
        try:
            return await self.open(place)
        except OpeningFailed as refused:
            return refused

    async def crash_server(self) -> None:
        """Stop the server that serves the first place alone without warning, and start it again."""
        if self.lending.crash is None:
            raise expect.NothingFound(
                "the kit has started no server for this place alone, and crashes nobody else's"
            )
        try:
            await asyncio.to_thread(self.lending.crash)
        except StorageUnavailableError as error:
            raise expect.NothingFound(str(error)) from error

    async def ends_when_forgotten(self) -> bool:
        """Answer whether a process that uses a store and never closes it ends by itself."""
        try:
            return await forgotten.ends_by_itself(
                self.backend.open, self.place, patience=self.backend.timeout + GRACE
            )
        except forgotten.NotUsedError as error:
            raise expect.NothingFound(str(error)) from error

    async def census(self) -> Mapping[str, int]:
        """Count what this process and the first place's server hold, by what it is."""
        try:
            return await census.count(self.place, self.lending.connections)
        except StorageUnavailableError as error:
            raise expect.NothingFound(str(error)) from error

    def _subject(self, store: Any, place: str | None) -> Subject:
        subject = Subject(store, self, place)
        self._subjects.append(subject)
        return subject

    def unused_id(self, stem: str) -> str:
        """Make an id that no session on the place has."""
        if self.backend.make_id is not None:
            return self.backend.make_id()
        self._ids += 1
        # Small letters, digits and dashes: what even a store takes that refuses all it may.
        return f"{stem.replace('_', '-')}-{self._ids}-{self._mark}"

    async def damage(self, session_id: str) -> None:
        """Make the stored cost data of a session unreadable."""
        if self.backend.corrupt is None or self.place is None:
            raise expect.NothingFound("the backend gives no corrupt=")
        done = self.backend.corrupt(self.place, session_id)
        if inspect.isawaitable(done):
            await done

    async def look_at_old_session(self) -> dict[str, Any] | None:
        """Read the columns of the old session that are not the store's, not through the store."""
        return await old_layout.look(self.place or "")

    def note(self, text: str) -> None:
        """Put a remark beside the verdict."""
        if text not in self.notes:
            self.notes.append(text)

    def _enter(self, phase: str) -> None:
        self.phase, self.phase_began = phase, time.monotonic()


async def _without_ending_the_loop(opening: Coroutine[Any, Any, T]) -> T:
    """Let what is meant to end a process be an answer: from a task it would end the loop."""
    try:
        return await opening
    except (SystemExit, KeyboardInterrupt) as error:
        raise _failed(error) from error


def _failed(error: BaseException) -> OpeningFailed:
    if isinstance(error, OpenerError):
        return OpeningFailed(str(error))
    return OpeningFailed(f"opening the store raised {word_error(error)}")


def _ending(close: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        close()

    return end
