"""Locks of files, held by another process for a while."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOLDER = Path(__file__).with_name("lock_holder.py")


@asynccontextmanager
async def held(folder: Path, seconds: float) -> AsyncIterator[list[str]]:
    """Have another process lock all files below a folder that can be locked; answer their names.

    It gives the locks back after so many seconds, or when the block ends.
    """
    async with _holder(str(folder), str(seconds)) as names:
        yield names


@asynccontextmanager
async def about_to_write(database: Path, seconds: float) -> AsyncIterator[None]:
    """Have another process begin to write to a database of SQLite, which need not be there yet.

    It ends after so many seconds, or when the block does, and has written nothing.
    """
    async with _holder(str(database.parent), str(seconds), database.name):
        yield


@asynccontextmanager
async def _holder(*arguments: str) -> AsyncIterator[list[str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S"),  # it needs nothing that is installed, and is there sooner
        str(HOLDER),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = await process.stdout.readline() if process.stdout else b""
        yield json.loads(line or b"[]")
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
