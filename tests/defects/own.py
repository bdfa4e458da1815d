"""Defects of an author's own, a backend with a defect of the kit's, and one that can do little."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime
from typing import Any

import reference_backends
from reference_backends.memory import MemorySessionStore
from sessionstore_contract import Backend
from sessionstore_contract.defects import Wrapper, defect, wrapped
from sessionstore_contract.defects.messages import SaveResetsCostData


@defect("Nothing is wrong.", caught_by="cost.merge-is-shallow")
class DoesNothing(Wrapper):
    """Survives."""


@defect("`update` ends the process.", caught_by="cost.merge-is-shallow")
class UpdateKillsTheProcess(Wrapper):
    async def update(self, session_id: str, *, cost_data: Any = None) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


@defect("`update` does not come back.", caught_by="cost.merge-is-shallow", timeout=0.3)
class UpdateHangs(Wrapper):
    async def update(self, session_id: str, *, cost_data: Any = None) -> Any:
        await asyncio.Event().wait()


class IsNoDefect(Wrapper):
    """Is not under @defect."""


BROKEN = wrapped(reference_backends.MEMORY, SaveResetsCostData)


class ModestStore(MemorySessionStore):
    async def get_cost_data(self, session_id: str) -> dict[str, Any]:
        raise NotImplementedError("cost data can't be read")

    async def delete_before(self, cutoff: datetime) -> int:
        raise NotImplementedError("nothing is removed")


MODEST = Backend(
    "modest", open=ModestStore, storage="none", profile="ephemeral", adding=["persistence"]
)
