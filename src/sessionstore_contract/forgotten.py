"""A child process that opens a store by its name, uses it, never closes it, and should end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import names
from .history import word_error
from .opening import call_opener, settled

if TYPE_CHECKING:
    from collections.abc import Callable

STARTING = 60.0
"""Seconds for the process to start, to import and to use the store: none of it is judged."""


class NotUsedError(Exception):
    """The store could not be used in a process of its own; the message says why."""


async def ends_by_itself(opener: Callable[..., Any], place: str | None, *, patience: float) -> bool:
    """Answer whether a process that has used the store ends within the time after its last line.

    Raises:
        NotUsedError: the store can't be named, opened or used there.
    """
    name = names.name_of(opener)
    if name is None:
        raise NotUsedError(
            f"{opener!r} can't be found by another process: open the store with a class or a "
            "function at the top of a module"
        )
    order = {"name": name, "source": names.source_of(name), "place": place}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        json.dumps(order),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        await _used(process)
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            return False
        return True
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _used(process: asyncio.subprocess.Process) -> None:
    """Wait until the process says that it has used the store and has nothing more to do."""
    if process.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), STARTING)
    except TimeoutError:
        raise NotUsedError(f"the process did not use the store within {STARTING:.0f} s") from None
    said = json.loads(line) if line else {"failed": "the process ended"}
    if "failed" in said:
        raise NotUsedError(f"using the store in a process of its own failed: {said['failed']}")


async def _use(made: Any) -> None:
    store, ending = await settled(made)
    session = await store.create()
    await store.save(session, [{"role": "user", "content": "and then nothing"}])
    await store.load(session)
    # Kept beyond the loop, as a module does: to drop a store is not to forget to close it.
    KEPT.append((store, ending))


KEPT: list[Any] = []


def main() -> None:
    """Do what the order says; what the store prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.argv[1])
    try:
        opener = names.find_elsewhere(order["name"], order["source"])
        # As a module would, before any loop runs.
        asyncio.run(_use(call_opener(opener, order["place"])))
    except BaseException as error:  # noqa: BLE001 - what a store raises is data
        answers.write(json.dumps({"failed": word_error(error)}) + "\n")
    else:
        answers.write("{}\n")
    answers.close()


if __name__ == "__main__":
    main()
