"""Builds the system under trial on stores, and takes it down at the end."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from .script import Agent
from .service import Service
from .stores import KitStore
from .system import Ability, ChatServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..history import History
    from ..subject import Subject
    from .system import System


class Log(logging.Handler):
    """Remembers which loggers warned."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warned: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.warned.append(record.name)


class Workshop:
    """Builds systems on stores for one trial, and takes them down at its end."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.log = Log()
        self._logger = None if system.logger is None else logging.getLogger(system.logger or None)
        self._services: list[Service] = []
        self._releases: list[asyncio.Event] = []
        self.release = self.until()
        """What hangs, hangs until this comes."""

    @classmethod
    async def opened(cls, system: System) -> Workshop:
        """Make one, and build the system once: whether that works at all is no clause's matter."""
        workshop = cls(system)
        await _built(system, KitStore(), Agent(), None)
        workshop._listen()
        return workshop

    def _listen(self) -> None:
        """Hear what is logged, again if need be: who configures logging removes its handlers."""
        if self._logger is not None:
            self._logger.addHandler(self.log)

    def until(self) -> asyncio.Event:
        """Make an event for something to hang until, which comes when the trial ends at last."""
        self._releases.append(asyncio.Event())
        return self._releases[-1]

    async def service(
        self, history: History, store: KitStore | None, name: str | None = None
    ) -> Service:
        """Build a system on a store, one of several if it has a name; without one as by default."""
        agent = Agent()
        service = Service(
            self, history, store, agent, await _built(self.system, store, agent, name)
        )
        self._services.append(service)
        if service.application is not None:
            await service.application.start()
        self._listen()
        return service

    async def close(self) -> None:
        """End what is still there."""
        for release in self._releases:
            release.set()
        if self._logger is not None:
            self._logger.removeHandler(self.log)
        for service in self._services:
            service.store.recover()
            await service.end()


async def _built(system: System, store: Any, agent: Agent, name: str | None) -> Any:
    build: Callable[..., Any] = system.build
    given: tuple[Any, ...] = (store, agent) if isinstance(system, ChatServer) else (store,)
    if name is not None and system.build_one_of_several is not None:
        build, given = system.build_one_of_several, (*given, name)
    built = build(*given)
    return await built if inspect.isawaitable(built) else built


async def open_on(
    subject: Subject, store: KitStore | None = None, *, name: str | None = None
) -> Service:
    """Build the system under trial on a store, a right one if none is given."""
    workshop: Workshop = subject.store
    return await workshop.service(subject.stand.history, store or KitStore(), name)


async def open_by_default(subject: Subject) -> Service:
    """Build the system under trial as nobody has configured it."""
    workshop: Workshop = subject.store
    return await workshop.service(subject.stand.history, None)


def ways(subject: Subject) -> tuple[bool, ...]:
    """Answer whether turns are streamed: both ways, where there are two."""
    workshop: Workshop = subject.store
    return (False, True) if Ability.CHAT in workshop.system.abilities else (False,)
